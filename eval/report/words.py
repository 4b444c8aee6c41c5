"""Numbers and names as the page writes them."""

import unicodedata

from common.cli.failures import printable
from eval.protocols.verification import Verification
from eval.results.document import far_name

NAME = 90  # characters of a name that are shown


def percent(rate: float | None) -> str:
    """A rate in percent, ``-`` where there is none."""
    return "-" if rate is None else f"{100 * rate:.2f} %"


def between(interval: tuple[float, float] | None) -> str:
    """A confidence interval of a rate in percent, empty where there is none."""
    return "" if interval is None else f"{100 * interval[0]:.2f} to {100 * interval[1]:.2f} %"


def short(text: object, length: int = NAME) -> str:
    """A name as one line of bounded length, without characters that steer; its middle goes first."""
    line = "".join(" " if each == "\n" or _turns(each) else each for each in printable(text))
    half = length // 2
    return line if len(line) <= length else f"{line[:half]}…{line[-half:]}"


def _turns(character: str) -> bool:
    """Whether it is an invisible mark that would change the direction of what follows (U+202E and its kind)."""
    return unicodedata.bidirectional(character) in ("LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI")


def curve_summary(verification: Verification) -> str:
    """AUC, EER and the TAR at the least FAR that the number of pairs carries, for who does not see the curve."""
    far = min((far for far, tar in verification.tar.items() if tar is not None), default=None)
    tail = f", TAR {percent(verification.tar[far])} at FAR {far_name(far)}" if far else ""
    return f"AUC {verification.auc:.5f}, EER {percent(verification.eer)}{tail}"
