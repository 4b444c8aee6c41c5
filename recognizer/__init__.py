"""Photos in, names out.

    from recognizer import Recognizer

    recognizer = Recognizer()
    recognizer.add_customs("Ann", ["ann1.jpg", "ann2.jpg"])
    recognizer.recognize("party.jpg")
"""

from common.errors import FaceError
from recognizer.recognizer import Recognizer
from recognizer.results import Candidate, Enrolment, Recognition, Refusal, Verification

__all__ = ["Candidate", "Enrolment", "FaceError", "Recognition", "Recognizer", "Refusal", "Verification"]
