"""Fixtures of the tests that ask a whole service about people, galleries and jobs: see ``serving.py``."""

from tests.recognizer.service.documented import answers_are_documented
from tests.recognizer.service.serving import application, guarded, pictures, service

__all__ = ["answers_are_documented", "application", "guarded", "pictures", "service"]
