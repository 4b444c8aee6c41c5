"""One function that writes a network in any of the formats, and measures how near it came."""

import os
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from common.cli.progress import counted
from common.errors import BadArgument, BadModel
from common.folders import sync_folder
from networks.exporting import EXPORTERS
from networks.exporting.format import Format
from networks.exporting.plain import plain
from networks.network import normalise

CHECKED = 32  # samples that are run for the comparison


@dataclass(frozen=True)
class Exported:
    """An export that was loaded again, run, and compared with the Keras model in float32.

    Attributes:
        format: a key of ``EXPORTERS``.
        files: all its files.
        difference: largest difference of an output, relative to the largest output.
        cosine: least cosine between an output and the model's own.
        doubtful: whether the cosine is so low that recognition will suffer.
    """

    format: str
    files: list[Path]
    difference: float
    cosine: float
    doubtful: bool = False

    def __str__(self) -> str:
        doubt = " (low: measure the accuracy before it is used)" if self.doubtful else ""
        return (
            f"{self.format}: largest relative difference {self.difference:.1e}, least cosine {self.cosine:.6f}{doubt}"
        )


def export(model, folder: str | Path, format: str, samples: np.ndarray | None = None) -> Exported:
    """Write a Keras functional model in a format, whole or not at all: ``export_all`` with one format."""
    return export_all(model, folder, [format], samples)[0]


def export_all(
    model, folder: str | Path, formats: Sequence[str], samples: np.ndarray | None = None, progress: bool = False
) -> list[Exported]:
    """Write a Keras functional model in several formats, each whole or not at all.

    An export takes a batch of any size, float32 ``[n, h, w, 3]`` named "faces", as the model does: colour order, mean
    and scale stay with the model card. It gives float32 ``[n, d]`` named "embedding".

    Args:
        model: the network; its policy and strategy may be any.
        folder: where the files go; made where missing.
        formats: keys of ``EXPORTERS``.
        samples: inputs of real faces, float32 ``[n, h, w, 3]``, already scaled, to compare on and, for int8, to find
            the range of every layer with (some hundred). Without them noise is compared on.
        progress: whether to show a bar on a terminal.

    Raises:
        UnknownChoice: no such format. BadArgument: not such a model or samples, or files that are there already.
        BadModel: an export gives other outputs than the model. MissingDependency: a package is not installed.
    """
    exporters = {format: EXPORTERS[format] for format in formats}
    model = plain(model)
    samples = _samples(model, exporters, samples)
    expected = _outputs(model, samples[:CHECKED])
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    exported, steps = [], exporters.items()
    for format, exporter in counted(steps, len(steps), "exporting") if progress else steps:
        with tempfile.TemporaryDirectory(dir=folder, prefix=".export-") as temporary:
            path = exporter.write(model, Path(temporary), samples)
            difference, cosine = _compare(format, exporter, expected, exporter.run(path, samples[:CHECKED]))
            files = _move(Path(temporary), folder)
        exported.append(Exported(format, files, difference, cosine, cosine < exporter.doubtful_cosine))
    return exported


def _samples(model, exporters: dict[str, Format], samples: np.ndarray | None) -> np.ndarray:
    expected = tuple(model.inputs[0].shape[1:])
    if samples is None:
        for format, exporter in exporters.items():
            if exporter.needs_samples:
                raise BadArgument(f"{format} needs samples: real faces, by which the range of every layer is found.")
        return np.random.default_rng(0).uniform(-1, 1, (4, *expected)).astype(np.float32)
    if not isinstance(samples, np.ndarray) or samples.dtype != np.float32 or samples.shape[1:] != expected:
        came = f"{samples.dtype} {list(samples.shape)}" if isinstance(samples, np.ndarray) else type(samples).__name__
        raise BadArgument(f"samples must be float32 [n, {', '.join(map(str, expected))}], not {came}.")
    if not len(samples):
        raise BadArgument("samples must hold at least one face.")
    return samples


def _outputs(model, faces: np.ndarray) -> np.ndarray:
    import keras

    outputs = keras.ops.convert_to_numpy(model(faces, training=False))
    if not np.isfinite(outputs).all():
        raise BadModel(f"{model.name} gives outputs that are not finite: it cannot be exported.")
    return outputs


def _compare(format: str, exporter: Format, expected: np.ndarray, found: np.ndarray) -> tuple[float, float]:
    """The largest relative difference and the least cosine."""
    if found.shape != expected.shape:
        raise BadModel(f"{format} gives outputs of shape {list(found.shape)}; the model gives {list(expected.shape)}.")
    largest = max(float(np.abs(expected).max()), float(np.finfo(np.float32).tiny))
    difference = float(np.abs(found - expected).max()) / largest
    cosine = float((normalise(found).astype(np.float64) * normalise(expected)).sum(1).min())
    too_different = exporter.most_difference is not None and not difference <= exporter.most_difference
    if too_different or not cosine >= exporter.least_cosine:
        raise BadModel(
            f"{format} gives other outputs than the model: largest relative difference {difference:.1e}, least cosine "
            f"{cosine:.6f}. Expected {_tolerance(exporter)}."
        )
    return difference, cosine


def _tolerance(exporter: Format) -> str:
    difference = "" if exporter.most_difference is None else f"at most {exporter.most_difference:.0e}, and "
    return f"{difference}a cosine of at least {exporter.least_cosine:g}"


def _move(temporary: Path, folder: Path) -> list[Path]:
    """Put what was written in place; returns all files."""
    written = sorted(each for each in temporary.rglob("*") if each.is_file())
    for file in written:
        _sync(file)
    names = sorted(each.name for each in temporary.iterdir())
    for name in names:
        if (folder / name).exists():
            raise BadArgument(f"{folder / name} is there already. Remove it, or export into another folder.")
    for name in names:
        (temporary / name).replace(folder / name)
    sync_folder(folder)
    return [folder / file.relative_to(temporary) for file in written]


def _sync(file: Path) -> None:
    with file.open("rb") as stream:
        os.fsync(stream.fileno())
