"""Bundles: a trained network, its card and its training in one folder that the recognizer, eval and training load.

::

    FOLDER/model.yaml     the card, SHA-256 of each file, the training's configuration
    FOLDER/model.keras    and further formats: ``networks.exporting``
"""

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from common import config
from common.errors import BadArgument, BadModel
from common.folders import sync_folder
from networks.card import ModelCard
from networks.exporting import EXPORTERS
from networks.exporting.export import Exported, export_all
from networks.fetch import sha256
from networks.load import BUNDLE_CARD


def write(
    folder: str | Path,
    model,
    card: ModelCard,
    formats: Sequence[str] = ("keras", "onnx"),
    *,
    training: dict[str, Any] | None = None,
    samples: np.ndarray | None = None,
    progress: bool = False,
) -> list[Exported]:
    """Write a bundle, in place of the one that may lie there; one process at a time writes to a folder.

    All is made in a hidden folder beside, and takes the old bundle's place by renaming, once it is whole.

    Args:
        model: the network, a Keras functional model ``[n, h, w, 3]`` -> ``[n, d]``, under any policy and strategy.
        card: how it is fed and read.
        formats: keys of ``networks.exporting.EXPORTERS``.
        training: the resolved configuration, of plain values, to be kept with it.
        samples: real aligned faces uint8 ``[n, h, w, 3]`` BGR to compare the formats on; int8 needs some hundred.
        progress: whether to show a bar on a terminal.

    Returns:
        How near each format came to the model.

    Raises:
        UnknownChoice: no such format. BadConfig: the card makes no sense. BadModel: it does not fit the model, or a
        format gives other outputs. BadArgument: the folder holds something else than a bundle, or ``training`` what
        YAML cannot hold. MissingDependency: a package is not installed.
    """
    folder = Path(folder).expanduser().resolve()
    _restore(folder)
    _check(folder, model, card, formats)
    card_and_training = _checked_text({"card": card.to_mapping(), "training": training or {}})
    faces = None if samples is None else fed(samples, card)
    part = folder.with_name(f".{folder.name}.part")
    shutil.rmtree(part, ignore_errors=True)  # of a run that was killed
    part.mkdir(parents=True)
    try:
        exported = export_all(model, part, formats, faces, progress)
        names = [file.relative_to(part).as_posix() for each in exported for file in each.files]
        text = config.text({"files": {name: sha256(part / name) for name in names}})
        _write_card(part / BUNDLE_CARD, card_and_training + text)
        _put_in_place(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return [_moved(each, part, folder) for each in exported]


def fed(faces: np.ndarray, card: ModelCard) -> np.ndarray:
    """What a network sees, float32 ``[n, h, w, 3]``, of aligned faces uint8 ``[n, h, w, 3]`` BGR.

    Raises:
        BadArgument: not such faces.
    """
    expected = (*card.input_size, 3)
    if not isinstance(faces, np.ndarray) or faces.dtype != np.uint8 or faces.shape[1:] != expected:
        came = f"{faces.dtype} {list(faces.shape)}" if isinstance(faces, np.ndarray) else type(faces).__name__
        raise BadArgument(f"samples must be faces uint8 [n, {expected[0]}, {expected[1]}, 3] BGR, not {came}.")
    coloured = faces[..., ::-1] if card.colour == "rgb" else faces
    return (coloured.astype(np.float32) - np.float32(card.mean)) / np.float32(card.scale)


def _check(folder: Path, model, card: ModelCard, formats: Sequence[str]) -> None:
    card = ModelCard.from_mapping(card.to_mapping(), "card")
    if card.task != "embedding":
        raise BadModel(f"A bundle holds a recogniser; its card says task: {card.task}.")
    if isinstance(formats, str) or not formats or len(set(formats)) != len(formats):
        raise BadArgument(f"formats must be a list of different export formats, not {formats!r}.")
    for format in formats:
        EXPORTERS[format]  # noqa: B018  an unknown one is an error before anything is written
    if folder.exists() and not (folder / BUNDLE_CARD).is_file() and (not folder.is_dir() or any(folder.iterdir())):
        raise BadArgument(f"{folder} is there already and is not a bundle. Remove it, or choose another folder.")
    _, height, width, _ = model.inputs[0].shape
    found, stated = (height, width, model.outputs[0].shape[-1]), (*card.input_size, card.embedding_size)
    if found != stated:
        raise BadModel(
            f"The model takes {found[0]}x{found[1]} faces and gives {found[2]} numbers; "
            f"its card says {stated[0]}x{stated[1]} and {stated[2]}."
        )


def _checked_text(content: dict[str, Any]) -> str:
    try:
        return config.text(content)
    except (yaml.YAMLError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise BadArgument(f"training must hold plain values (numbers, text, lists, mappings): {reason}.") from None


def _write_card(path: Path, text: str) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    sync_folder(path.parent)


def _restore(folder: Path) -> None:
    """Put the old bundle back where a process was killed between the two renamings of ``_put_in_place``."""
    if _old(folder).exists() and not folder.exists():
        _old(folder).rename(folder)


def _put_in_place(part: Path, folder: Path) -> None:
    """Rename; an old bundle is put back where that fails, and removed where it does not."""
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    try:
        if folder.exists():
            folder.rename(old)
        part.rename(folder)
    except BaseException:
        _restore(folder)
        raise
    sync_folder(folder.parent)
    shutil.rmtree(old, ignore_errors=True)


def _old(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.old")


def _moved(exported: Exported, part: Path, folder: Path) -> Exported:
    files = [folder / file.relative_to(part) for file in exported.files]
    return Exported(exported.format, files, exported.difference, exported.cosine, exported.doubtful)
