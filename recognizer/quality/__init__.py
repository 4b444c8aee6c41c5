"""How good a face in a photo is for recognising: what is measured, what is asked, and advice on the next photo."""

from recognizer.quality.assess import assess
from recognizer.quality.limits import PORTRAIT, QualityLimits
from recognizer.quality.quality import Quality, Shortfall

__all__ = ["PORTRAIT", "Quality", "QualityLimits", "Shortfall", "assess"]
