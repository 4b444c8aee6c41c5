"""A comparison as tables of ready-made cells, for people."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from eval.bootstrap import Interval
from eval.comparing import Comparison
from eval.measuring import Measurement
from eval.results.document import far_name
from eval.roc import FARS

TOO_FEW = "too few pairs"
UNKNOWN = "-"
NAMES = {  # columns of text
    "Set": lambda measurement: measurement.set_name,
    "Model": lambda measurement: measurement.model,
    "Backend": lambda measurement: measurement.backend,
    "Flip": lambda measurement: measurement.flip,
}


@dataclass(frozen=True)
class Table:
    """Rows of text under headings, and a title that says what they are."""

    title: str
    columns: list[str]
    rows: list[list[str]] = field(default_factory=list)


def tables(comparison: Comparison) -> list[Table]:
    """The sets; accuracy by set where there are several; all numbers; rates by FAR; intervals.

    What all measurements share (the engine, the flip rule, a single set) is said once, in a title, not in each row.
    """
    measured = comparison.measurements
    if not measured:
        return []
    found = [_sets(measured)]
    if len({each.set_name for each in measured}) > 1:
        found.append(_accuracy_by_set(measured))
    found += [_numbers(measured), _rates(measured)]
    if any(each.verification.intervals for each in measured):
        found.append(_intervals([each for each in measured if each.verification.intervals]))
    return found


@dataclass(frozen=True)
class _Who:
    """Whose numbers a row holds: the columns that tell the measurements apart, and in words what they share."""

    columns: list[str]
    shared: str

    @classmethod
    def of(cls, measured: list[Measurement], names: Sequence[str] = tuple(NAMES)) -> "_Who":
        values = {name: {NAMES[name](each) for each in measured} for name in names}
        columns = [name for name in names if len(values[name]) > 1 or name == "Model"]
        shared = [f"{name.lower()} {values[name].pop()}" for name in names if name not in columns]
        return cls(columns, "".join(f", {each}" for each in shared))

    def cells(self, measurement: Measurement) -> list[str]:
        return [NAMES[name](measurement) for name in self.columns]


def _sets(measured: list[Measurement]) -> Table:
    pairs = {each.set_name: (each.verification.genuine, each.verification.impostor) for each in measured}
    rows = [[name, str(genuine), str(impostor)] for name, (genuine, impostor) in pairs.items()]
    return Table("Pairs", ["Set", "Genuine", "Impostor"], rows)


def _accuracy_by_set(measured: list[Measurement]) -> Table:
    sets = list(dict.fromkeys(each.set_name for each in measured))
    who = _Who.of(measured, ("Model", "Backend", "Flip"))
    rows: dict[tuple[str, ...], dict[str, str]] = {}
    for each in measured:
        rows.setdefault(tuple(who.cells(each)), {})[each.set_name] = _percent(each.verification.accuracy)
    cells = [[*names, *(row.get(name, UNKNOWN) for name in sets)] for names, row in rows.items()]
    return Table(f"Accuracy, %{who.shared}", [*who.columns, *sets], cells)


def _numbers(measured: list[Measurement]) -> Table:
    who = _Who.of(measured)
    columns = [*who.columns, "Accuracy, %", "Threshold", "AUC", "EER, %", "Pictures/s"]
    rows = [[*who.cells(each), *_number_cells(each)] for each in measured]
    return Table(f"Mean +- standard deviation over the folds{who.shared}", columns, rows)


def _number_cells(measurement: Measurement) -> list[str]:
    judged = measurement.verification
    return [
        f"{_percent(judged.accuracy)} +- {_percent(judged.std)}",
        f"{judged.threshold:.4f}",
        UNKNOWN if judged.auc is None else _auc(judged.auc),
        _percent(judged.eer),
        f"{measurement.rate:.0f}",
    ]


def _rates(measured: list[Measurement]) -> Table:
    who = _Who.of(measured)
    rows = []
    for each in measured:
        judged = each.verification
        rates = [TOO_FEW if judged.tar[far] is None else _percent(judged.tar[far]) for far in FARS]
        spread = _with_spread(judged.validation_rate, judged.validation_std)
        rows.append([*who.cells(each), *rates, spread])
    columns = [*who.columns, *map(far_name, FARS), "1e-3, folds"]
    return Table(f"TAR at FAR, %{who.shared}", columns, rows)


def _intervals(measured: list[Measurement]) -> Table:
    who = _Who.of(measured)
    carried = [far for far in FARS if any(each.verification.intervals.tar[far] for each in measured)]
    rows = []
    for each in measured:
        bounds = each.verification.intervals
        rates = [TOO_FEW if bounds.tar[far] is None else _range(bounds.tar[far]) for far in carried]
        rows.append([*who.cells(each), _range(bounds.accuracy), _auc_range(bounds.auc), _range(bounds.eer), *rates])
    columns = [*who.columns, "Accuracy", "AUC", "EER", *(f"TAR {far_name(far)}" for far in carried)]
    return Table(f"95 % intervals, in %, AUC as a share{who.shared}", columns, rows)


def _percent(share: float | None) -> str:
    return UNKNOWN if share is None else f"{100 * share:.2f}"


def _auc(share: float) -> str:
    return f"{share:.5f}"


def _with_spread(rate: float | None, spread: float | None) -> str:
    known = rate is not None and rate == rate  # NaN: no fold had genuine pairs
    return f"{_percent(rate)} +- {_percent(spread)}" if known else UNKNOWN


def _range(bounds: Interval) -> str:
    return " to ".join(map(_percent, bounds))


def _auc_range(bounds: Interval) -> str:
    return " to ".join(map(_auc, bounds))
