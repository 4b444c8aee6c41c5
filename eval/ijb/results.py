"""What was measured on IJB, as tables for people and as values for programs. Every row names its mode."""

from typing import Any

from eval.ijb.measuring import Measured, Result
from eval.protocols.identification import FPIRS, RANKS, Identification
from eval.results.document import far_name
from eval.roc import FARS, Rates

TOO_FEW = "too few"
Table = tuple[str, tuple[str, ...], list[tuple[str, ...]]]


def tables(measured: Measured) -> list[Table]:
    """(title, headings, rows) of 1:1 and of 1:N, as far as they were measured."""
    found: list[Table] = []
    rates = [each for each in measured.results if each.verification]
    if rates:
        headings = ("Mode", *(far_name(far) for far in FARS[::-1]), "AUC", "EER, %")
        found.append(("1:1, TAR at FAR, %", headings, [_pairs_row(each) for each in rates]))
    searches = [each for each in measured.results if each.identification]
    if searches:
        headings = ("Mode", "Gallery", "Mated", "Strangers", *(f"Rank-{k}" for k in RANKS))
        headings += tuple(f"TPIR at FPIR {fpir:g}" for fpir in FPIRS)
        found.append(("1:N, %", headings, [row for each in searches for row in _search_rows(each)]))
    return found


def explained(measured: Measured) -> list[str]:
    """A line for each mode that says what it stands for."""
    return [f"{each.mode}: {each.mode.describe()}" for each in measured.results]


def to_mapping(measured: Measured) -> dict[str, Any]:
    """Plain values; rates by FAR and FPIR are keyed "1e-6" and "0.1"; None where there are too few comparisons."""
    return {
        "subset": measured.subset,
        "model": measured.model,
        "digest": measured.digest,
        "pictures": measured.pictures,
        "templates": measured.templates,
        "seconds": measured.seconds,
        "results": [_mapping(each) for each in measured.results],
    }


def _mapping(result: Result) -> dict[str, Any]:
    found: dict[str, Any] = {"mode": str(result.mode), "meaning": result.mode.describe()}
    if result.verification:
        found["1:1"] = _rates(result.verification)
    if result.identification:
        search = result.identification
        galleries = {name: _identification(each) for name, each in search.galleries.items()}
        both = {"rank": _named(search.rank), "tpir": _named(search.tpir)}
        found["1:N"] = {"galleries": galleries, "both": both}
    return found


def _rates(rates: Rates) -> dict[str, Any]:
    return {
        "genuine": rates.genuine,
        "impostor": rates.impostor,
        "auc": rates.auc,
        "eer": rates.eer,
        "tar": {far_name(far): tar for far, tar in rates.tar.items()},
        "thresholds": {far_name(far): threshold for far, threshold in rates.thresholds.items()},
    }


def _identification(found: Identification) -> dict[str, Any]:
    return {
        "people": found.people,
        "mated": found.mated,
        "unmated": found.unmated,
        "rank": _named(found.rank),
        "tpir": _named(found.tpir),
        "thresholds": _named(found.thresholds),
    }


def _named(values: dict) -> dict[str, float | None]:
    return {f"{key:g}": value for key, value in values.items()}


def _pairs_row(result: Result) -> tuple[str, ...]:
    rates = result.verification
    tars = (_percent(rates.tar[far]) for far in FARS[::-1])
    return (str(result.mode), *tars, f"{rates.auc:.5f}", _percent(rates.eer))


def _search_rows(result: Result) -> list[tuple[str, ...]]:
    search = result.identification
    rows = [
        (str(result.mode), name, str(each.mated), str(each.unmated), *_shares(each))
        for name, each in search.galleries.items()
    ]
    return [
        *rows,
        (str(result.mode), "both", str(sum(each.mated for each in search.galleries.values())), "", *_shares(search)),
    ]


def _shares(found) -> tuple[str, ...]:
    return (*(_percent(found.rank[k]) for k in RANKS), *(_percent(found.tpir[fpir]) for fpir in FPIRS))


def _percent(share: float | None) -> str:
    return TOO_FEW if share is None else f"{100 * share:.2f}"
