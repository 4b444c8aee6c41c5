"""Colours of the page and of its plots, light and dark.

Models are told apart by colour and by dashes. The colours keep apart for people who do not see red, green or blue
(after Okabe and Ito, Color Universal Design, 2008) and have a contrast of 3 to 1 with the background, text 4.5 to 1.
"""

from dataclasses import dataclass, fields


@dataclass(frozen=True)
class Theme:
    """Colours as ``#rrggbb``; no two of a theme are equal, so that a drawing can be turned into the other theme.

    Attributes:
        background, surface: of the page; of tables and plots.
        text, faint: of words; of less important ones.
        line: of borders and grids.
        link: of links.
        series: of models, in turn.
        genuine, impostor, threshold: of the histogram.
    """

    background: str
    surface: str
    text: str
    faint: str
    line: str
    link: str
    series: tuple[str, ...]
    genuine: str
    impostor: str
    threshold: str

    def colours(self) -> list[str]:
        """All of them, in the order of the fields."""
        values = [getattr(self, field.name) for field in fields(self)]
        return [colour for value in values for colour in ([value] if isinstance(value, str) else value)]


LIGHT = Theme(
    background="#f6f7f9",
    surface="#fefefe",
    text="#1b1f24",
    faint="#57606a",
    line="#d3d8de",
    link="#0b57b0",
    series=("#0072b2", "#d55e00", "#00664b", "#8a3a7c", "#6b5000", "#23282e"),
    genuine="#0073b3",
    impostor="#d45e01",
    threshold="#222222",
)
DARK = Theme(
    background="#101318",
    surface="#181c22",
    text="#e6e9ee",
    faint="#a3acb8",
    line="#363d47",
    link="#8ab8ff",
    series=("#56b4e9", "#ff9a57", "#25a07a", "#efb8dc", "#a8861c", "#f2f4f7"),
    genuine="#57b4e9",
    impostor="#ff9b57",
    threshold="#eeeeee",
)

DASHES = ((), (6, 2), (1.5, 1.5), (6, 2, 1.5, 2))  # lengths of stroke and gap, in widths of the line; () is solid


def style(number: int) -> tuple[str, tuple[float, ...]]:
    """Colour in the light theme and dashes of series ``number``; twelve differ."""
    return LIGHT.series[number % len(LIGHT.series)], DASHES[number % len(DASHES)]


def dashes(number: int) -> str:
    """The same dashes as SVG writes them, for a line of 2 pixels."""
    return " ".join(f"{2 * length:g}" for length in style(number)[1]) or "none"


def css() -> str:
    """The colours as custom properties, for the light and the dark page, and a class for each series."""
    dark = "@media (prefers-color-scheme: dark) {\n" + _properties(DARK) + "}\n"
    classes = "".join(f".series-{i} {{ stroke: var(--series-{i}); }}\n" for i in range(len(LIGHT.series)))
    return _properties(LIGHT) + dark + classes


def _properties(theme: Theme) -> str:
    plain = {field.name: getattr(theme, field.name) for field in fields(theme) if field.name != "series"}
    numbered = {f"series-{number}": colour for number, colour in enumerate(theme.series)}
    lines = "".join(f"  --{name}: {colour};\n" for name, colour in (plain | numbered).items())
    return ":root {\n" + lines + "}\n"
