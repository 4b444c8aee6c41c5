"""Writes measured thresholds into a model's card, which the recognizer then uses."""

import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from common import config
from common.errors import BadArgument, BadModel
from common.folders import sync_folder, write_whole
from networks import zoo
from networks.card import MeasuredThreshold, ModelCard, Threshold
from networks.fetch import sha256
from networks.load import BUNDLE_CARD, GRAPHS, SAVED_MODEL


def write(
    model: str | Path, measured: Sequence[MeasuredThreshold], *, far: float, bundle: str | Path | None = None
) -> Path:
    """Put thresholds into a card, in place of those measured before on the same set; the file is replaced at once.

    Args:
        model: a bundle's folder, a model file with its card beside it, or a name of the zoo.
        measured: what was measured; all of it is kept, the first with this ``far`` becomes ``threshold``.
        far: the false accept rate at which the recognizer is to work.
        bundle: for a name of the zoo, whose card is a part of this installation: the folder of a new bundle with the
            model's file and the card. Its digest is the model's, so galleries made with the one work with the other.

    Returns:
        The file that holds the card.

    Raises:
        BadArgument: no threshold at ``far`` among them, a zoo model without ``bundle``, or ``bundle`` is there already.
        BadConfig: the card that is there makes no sense. BadModel: the file cannot be written.
    """
    chosen = next((each for each in measured if abs(each.far - far) <= far * 1e-9), None)
    if chosen is None:
        rates = ", ".join(f"{each.far:g}" for each in measured) or "none"
        raise BadArgument(f"No threshold was measured at a false accept rate of {far:g}; measured: {rates}.")
    try:
        return _written(Path(model).expanduser(), str(model), measured, chosen, bundle)
    except OSError as error:
        raise BadModel(f"{error.filename} cannot be written: {error.strerror}.") from None


def _written(path: Path, name: str, measured, chosen: MeasuredThreshold, bundle) -> Path:
    if (path / BUNDLE_CARD).is_file():
        _forbid(bundle, path)
        return _rewrite(path / BUNDLE_CARD, "card", measured, chosen)
    if path.suffix in GRAPHS or (path / SAVED_MODEL).is_file():
        _forbid(bundle, path)
        return _rewrite(path.with_suffix(".yaml"), None, measured, chosen)
    if bundle is None:
        raise BadArgument(f"The card of {name} is a part of this installation: name a folder for a bundle of it.")
    return _bundle(name, Path(bundle).expanduser(), measured, chosen)


def _forbid(bundle: Any, path: Path) -> None:
    if bundle is not None:
        raise BadArgument(f"{path} has a card of its own, in which thresholds are kept: name no other folder.")


def _rewrite(file: Path, key: str | None, measured, chosen: MeasuredThreshold) -> Path:
    content = config.load(file)
    card = ModelCard.from_mapping(content[key] if key else content, f"{file}: {key}" if key else str(file))
    mapping = _with(card, measured, chosen).to_mapping()
    write_whole(file, config.text(content | {key: mapping} if key else mapping))
    return file


def _bundle(name: str, folder: Path, measured, chosen: MeasuredThreshold) -> Path:
    """A bundle of a zoo model: made in a hidden folder beside, and renamed."""
    if folder.exists():
        raise BadArgument(f"{folder} is there already. Name a folder that is not, or give it as the model.")
    entry = zoo.entry(name)
    path = next(iter(zoo.pull(name).values()))
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    try:
        shutil.copyfile(path, part / path.name)
        content = {
            "card": _with(entry.card, measured, chosen).to_mapping(),
            "files": {path.name: sha256(part / path.name)},
        }
        write_whole(part / BUNDLE_CARD, config.text(content))
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    sync_folder(folder.parent)
    return folder / BUNDLE_CARD


def _with(card: ModelCard, measured: Sequence[MeasuredThreshold], chosen: MeasuredThreshold) -> ModelCard:
    sets = {each.set for each in measured}
    kept = [each for each in card.measured if each.set not in sets]
    source = f"{chosen.set}, {chosen.impostor} impostor pairs, {chosen.date}"
    return replace(card, threshold=Threshold(chosen.similarity, chosen.far, source), measured=(*kept, *measured))
