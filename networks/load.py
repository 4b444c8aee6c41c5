"""One function that loads every kind of recogniser: from the zoo by name, from a bundle, or a file and its card."""

import hashlib
import logging
import tempfile
import threading
from os import PathLike
from pathlib import Path

import numpy as np

from common import config
from common.errors import BadArgument, BadConfig, BadModel, ChecksumMismatch, UnknownChoice
from networks import zoo
from networks.card import ModelCard
from networks.engines import ENGINES
from networks.engines.preprocess import Preprocess
from networks.fetch import sha256
from networks.network import Network

log = logging.getLogger(__name__)
DEVICES = ("auto", "cpu", "gpu")
KERAS = ".keras"
GRAPHS = (".onnx", ".tflite", ".xml", KERAS)
BUNDLE_CARD = "model.yaml"
SAVED_MODEL = "saved_model.pb"
PREFERRED = (".xml", ".onnx", "SavedModel", ".tflite")  # on the CPU
_loaded: dict[tuple, Network] = {}
_lock = threading.Lock()


def load(
    model: str | Path,
    *,
    card: str | Path | ModelCard | None = None,
    threads: int | None = None,
    precision: str = "f32",
    device: str = "auto",
    backend: str | None = None,
    accept_license: bool = False,
) -> Network:
    """A recogniser, loaded once per process for the same arguments.

    Args:
        model: a name of the zoo ("mobilefacenet"), a bundle's folder, or the path of an ``.onnx``, ``.tflite``,
            ``.xml``, ``.keras`` or SavedModel with its card.
        card: the card of a bare file; without it ``NAME.yaml`` beside the file is read.
        threads: CPU threads, None for all.
        precision: "f32", or "bf16"/"f16" where the CPU has it.
        device: "cpu" runs OpenVINO, "gpu" the Keras model on TensorFlow, "auto" the first of them that fits the files.
        backend: "openvino" or "keras", whatever the device; None for what the device says. "keras" of a model without
            a ``.keras`` file builds our network of it and takes the weights over (``networks.importing``).
        accept_license: accept the licence of a zoo model that asks for it.

    Raises:
        UnknownChoice, BadModel, BadConfig, ChecksumMismatch, FetchFailed, LicenseNotAccepted, BadArgument,
        MissingDependency: each says what to do.
    """
    if device not in DEVICES:
        raise BadArgument(f"Unknown device {device!r}. Expected one of: {', '.join(DEVICES)}.")
    if backend not in (None, *ENGINES):
        raise BadArgument(f"Unknown backend {backend!r}. Expected one of: {', '.join(ENGINES)}.")
    if (backend, device) == ("openvino", "gpu"):
        raise BadArgument("OpenVINO runs networks on the CPU here: device='gpu' needs backend='keras'.")
    files, card, digest = _find(model, card, accept_license)
    if any(each.digest != digest for each in card.measured):
        log.warning("%s: thresholds of its card were measured with other weights. Calibrate it again.", card.name)
    if card.task != "embedding":
        raise BadModel(f"{card.name} is a model for {card.task}, not a recogniser.")
    path = _choose(files, device, card.name, backend)
    backend = backend or ("keras" if path.suffix == KERAS else "openvino")
    key = (path.resolve(), digest, repr(card), threads, precision, backend)
    with _lock:
        if key not in _loaded:
            _loaded[key] = _build(path, card, digest, threads, precision, backend)
        return _loaded[key]


def _find(model: str | Path, card, accept_license: bool) -> tuple[list[Path], ModelCard, str]:
    path = _path(model)
    if (path / BUNDLE_CARD).is_file():
        return _bundle(path)
    if path.suffix in GRAPHS or (path / SAVED_MODEL).is_file():
        return _bare_file(path, card)
    if str(model) in zoo.names():
        entry = zoo.entry(str(model))
        files = zoo.pull(str(model), accept_license=accept_license)
        path = files[next(iter(files))]
        return [path], entry.card, _digest(entry.card, [path])
    known = ", ".join(zoo.names("embedding"))
    raise UnknownChoice(
        f"Unknown model {str(model)!r}. Expected one of: {known}, the folder of a bundle, or the path of a model file."
    )


def _path(model: str | Path) -> Path:
    if not isinstance(model, (str, PathLike)):
        raise BadArgument(f"model must be a name or a path, not {type(model).__name__}.")
    try:
        path = Path(model).expanduser()
        path.exists()
    except (OSError, RuntimeError) as error:  # too long for the file system, not allowed, no such home folder
        reason = getattr(error, "strerror", None) or error
        raise BadModel(f"No such model: {str(model)[:80]!r} ({reason}).") from None
    return path


def _bundle(folder: Path) -> tuple[list[Path], ModelCard, str]:
    where = str(folder / BUNDLE_CARD)
    content = config.load(folder / BUNDLE_CARD)
    config.check_keys(content, where, {"card", "files"}, {"training"})
    card = ModelCard.from_mapping(content["card"], f"{where}: card")
    if not isinstance(content["files"], dict) or not content["files"]:
        raise BadConfig(f"{where}: files must map each file's name to its SHA-256.")
    paths = []
    for name, expected in content["files"].items():
        path = folder / str(name)
        if not _belongs(path, folder, content["files"]) or not path.is_file():
            raise BadModel(f"{where} lists {name!r}, which is not a file in that folder.")
        found = sha256(path)
        if found != expected:
            raise ChecksumMismatch(f"{path} was altered: expected SHA-256 {expected}, found {found}.")
        paths.append(path)
    for path in paths:
        if path.suffix == ".xml" and path.with_suffix(".bin") not in paths:
            raise BadModel(f"{where} must list {path.stem}.bin, the weights of {path.name}, too.")
    return _models(folder, paths, where), card, _digest(card, paths)


def _belongs(path: Path, folder: Path, listed: dict) -> bool:
    """Whether a file lies in the bundle's folder itself, or in that of a SavedModel of the bundle; links do not."""
    inside = path.resolve()
    if not inside.is_relative_to(folder.resolve()):
        return False
    parts = inside.relative_to(folder.resolve()).parts
    return len(parts) == 1 or (len(parts) > 1 and f"{parts[0]}/{SAVED_MODEL}" in listed)


def _models(folder: Path, paths: list[Path], where: str) -> list[Path]:
    """The files of a bundle that can be loaded: a SavedModel's folder in place of its files."""
    models = [path for path in paths if path.parent == folder]
    for path in paths:
        if path.parent != folder and path.name == SAVED_MODEL:
            models.append(path.parent)
            for file in path.parent.rglob("*"):
                if file.is_file() and file not in paths:
                    raise BadModel(f"{where} must list {file.relative_to(folder)}, a part of the SavedModel, too.")
    return models


def _bare_file(path: Path, card) -> tuple[list[Path], ModelCard, str]:
    if not path.exists():
        raise BadModel(f"No such model: {path}")
    if isinstance(card, ModelCard):
        card = ModelCard.from_mapping(card.to_mapping(), "card")
    else:
        source = Path(card) if card else path.with_suffix(".yaml")
        if not source.is_file():
            raise BadModel(f"{path} needs a model card: write {source} (see docs/models.md), or pass card=.")
        card = ModelCard.from_mapping(config.load(source), str(source))
    files = sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]
    if path.suffix == ".xml":
        files.append(path.with_suffix(".bin"))
        if not files[-1].is_file():
            raise BadModel(f"{path} needs its weights beside it: {files[-1]} is missing.")
    return [path], card, _digest(card, files)


def _choose(files: list[Path], device: str, name: str, backend: str | None = None) -> Path:
    keras = [path for path in files if path.suffix == KERAS]
    graphs = sorted((path for path in files if _kind(path) in PREFERRED), key=_rank)
    if backend == "openvino" and not graphs:
        raise BadModel(f"{name} has no file for OpenVINO: that needs an .onnx, .tflite, .xml or SavedModel.")
    if backend == "keras":
        return (keras or graphs)[0]
    candidates = {"cpu": graphs or keras, "gpu": keras, "auto": graphs or keras}[device]
    if not candidates:
        needed = "a .keras file" if device == "gpu" else "an .onnx, .tflite, .xml, SavedModel or .keras file"
        raise BadModel(f"{name} has no file for device={device!r}: that needs {needed}.")
    return candidates[0]


def _rank(path: Path) -> tuple[bool, int]:
    """Where a graph stands among those of a bundle: 8 bits last."""
    return path.stem.endswith("_int8"), PREFERRED.index(_kind(path))


def _kind(path: Path) -> str:
    return "SavedModel" if path.is_dir() else path.suffix


def _build(path: Path, card: ModelCard, digest: str, threads: int | None, precision: str, backend: str) -> Network:
    try:
        network = Network(_engine(path, card, threads, precision, backend), card, digest, backend)
        width = network.raw(np.zeros((1, *card.input_size, 3), np.uint8)).shape[1]
    except (RuntimeError, ValueError) as error:
        reason = (str(error).strip().splitlines() or [type(error).__name__])[-1][:200]
        raise BadModel(f"{path} cannot be run as its card says ({reason}).") from None
    if width != card.embedding_size:
        raise BadModel(f"{path} gives embeddings of {width} numbers; its card says {card.embedding_size}.")
    return network


def _engine(path: Path, card: ModelCard, threads: int | None, precision: str, backend: str):
    preprocess = Preprocess(card.colour, card.mean, card.scale)
    if backend == "openvino":
        return ENGINES["openvino"](path, preprocess=preprocess, threads=threads, precision=precision)
    if path.suffix == KERAS:
        return ENGINES["keras"](path, preprocess=preprocess, precision=precision)
    with tempfile.TemporaryDirectory(prefix="keras-") as folder:
        return ENGINES["keras"](_as_keras(path, Path(folder)), preprocess=preprocess, precision=precision)


def _as_keras(path: Path, folder: Path) -> Path:
    """A graph's weights in our network, as a ``.keras`` file in ``folder``."""
    from networks.importing import backbone_of, load_into

    model = backbone_of(path).build()
    load_into(model, path)
    model.save(folder / f"model{KERAS}")
    return folder / f"model{KERAS}"


def _digest(card: ModelCard, files: list[Path]) -> str:
    """What makes embeddings comparable: the weights, and how the network is fed and read."""
    feeding = (card.input_size, card.colour, float(card.mean), float(card.scale), card.flip)
    parts = [repr(feeding), *(sha256(path) for path in files)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()
