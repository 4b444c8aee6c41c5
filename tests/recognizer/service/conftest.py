"""Fixtures of the tests that ask a whole service about people, galleries and jobs: see ``serving.py``."""

from tests.recognizer.service.serving import application, guarded, pictures, service

__all__ = ["application", "guarded", "pictures", "service"]
