"""Which limit belongs to which measure, and how it is said that a face falls short of it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from recognizer.quality.limits import QualityLimits
from recognizer.quality.quality import Shortfall


@dataclass(frozen=True)
class Rule:
    """A measure, without its sign, and its limit.

    Attributes:
        measure, limit: attributes of ``Quality`` and ``QualityLimits``; a limit ``min_...`` is the least that is asked,
            ``max_...`` the most.
        wrong: what is wrong.
        number: how the number is said, with ``{:...}`` for it.
        advice: see ``Shortfall``.
    """

    measure: str
    limit: str
    wrong: str
    number: str
    advice: str

    def shortfall(self, value: float, limit: float) -> Shortfall | None:
        """What is wrong with a value; None where nothing is."""
        least = self.limit.startswith("min_")
        value = value if least else abs(value)
        if value >= limit if least else value <= limit:
            return None
        asked = f"{'at least' if least else 'at most'} {limit:g}"
        return Shortfall(self.measure, f"{self.wrong} ({self.number.format(value)}; {asked})", self.advice)


LIGHT = "Turn to the light."
RULES = (
    Rule("size", "min_size", "face too small", "{:.0f} pixels", "Come closer to the camera."),
    Rule("score", "min_score", "hardly a face, perhaps covered", "detector's score {:.3f}",
         "Show the whole face, with nothing before it."),
    Rule("brightness", "min_brightness", "too dark", "brightness {:.1f} of 255", LIGHT),
    Rule("brightness", "max_brightness", "too bright", "brightness {:.1f} of 255", "Move out of the glare."),
    Rule("contrast", "min_contrast", "too little contrast", "{:.1f} of 128", LIGHT),
    Rule("side_light", "max_side_light", "lit from one side", "difference {:.3f}", LIGHT),
    Rule("yaw", "max_yaw", "face turned aside", "{:.1f} degrees", "Look straight into the camera."),
    Rule("pitch", "max_pitch", "face looks up or down", "{:.1f} degrees", "Hold the camera at the height of the eyes."),
    Rule("roll", "max_roll", "head leans to a side", "{:.1f} degrees", "Hold the head upright."),
    Rule("sharpness", "min_sharpness", "not sharp", "sharpness {:.3f}", "Hold still until the picture is sharp."),
)  # fmt: skip


def shortfalls(measures: Mapping[str, float], limits: QualityLimits) -> Iterator[Shortfall]:
    """Where measures, by name, fall short of limits."""
    for rule in RULES:
        limit = getattr(limits, rule.limit)
        found = None if limit is None else rule.shortfall(measures[rule.measure], limit)
        if found:
            yield found
