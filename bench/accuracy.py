"""Accuracy of detection, alignment, embedding and recognition on the data beside the repository.

Examples:

    python bench/accuracy.py
    python bench/accuracy.py --data ../shared/data --model mobilefacenet --json

``bbt``: 40 crops of 8 people, all pairs; then 5 group photos with these people enrolled from the crops.
``orl``: the 400 grey faces of the ORL database, enlarged three times with a replicated border of 60 pixels.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from dataclasses import dataclass

import cv2
import numpy as np

from bench.pairs import Pairs, all_pairs, rank1_first_photo, rank1_leave_one_out
from bench.report import Report, Table, measurement_parser, progress, run_command
from common.errors import BadArgument, NoFace
from recognizer import Recognizer

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"
FAR = 1e-3

# Who is where in the group photos: a point inside each enrolled person's face, x and y in pixels. The man
# at the left edge of bbt2.jpg, out of focus, is none of them: a name for him is an extra one.
GROUPS = {
    "bbt1.jpg": {"raj": (260, 205), "leonard": (520, 215), "howard": (778, 200), "sheldon": (1048, 155)},
    "bbt2.jpg": {"leonard": (148, 170), "sheldon": (415, 170)},
    "bbt3.jpg": {
        "sheldon": (66, 62), "howard": (181, 120), "penny": (283, 133),
        "raj": (393, 140), "leonard": (520, 132),
    },
    "bbt4.jpg": {
        "amy": (125, 82), "raj": (278, 105), "bernadette": (620, 125),
        "leonard": (100, 305), "penny": (300, 285), "sheldon": (510, 230),
    },
    "bbt5.jpg": {
        "raj": (150, 225), "penny": (258, 90), "sheldon": (482, 205),
        "leonard": (608, 100), "howard": (762, 170),
    },
}  # fmt: skip


@dataclass
class Embedded:
    """Embeddings of the photos in which a face was found, their labels, and the names of the other photos."""

    embeddings: np.ndarray
    labels: list[str]
    missed: list[str]


@dataclass
class GroupResult:
    """What was said of one group photo.

    Attributes:
        named: (name, cosine) of every face that got a name.
        strangers: faces that got none.
        missing: people who are there, but got no name: "sheldon (no face)" or "sheldon (stranger)".
        wrong: "sheldon as leonard": a person's face under another's name.
        extra: names given to faces of nobody enrolled.
    """

    photo: str
    named: list[tuple[str, float]]
    strangers: int
    missing: list[str]
    wrong: list[str]
    extra: list[str]


def embed_photos(recognizer: Recognizer, photos: list[tuple[str, str, np.ndarray]]) -> Embedded:
    """Embed the most prominent face of each (name, label, picture uint8 ``[H, W, 3]`` BGR)."""
    aligned, labels, missed = [], [], []
    for name, label, picture in photos:
        try:
            face = recognizer.detector.detect_single(picture)
        except NoFace:
            missed.append(name)
            continue
        aligned.append(recognizer.align_face(picture, face)[0])
        labels.append(label)
    return Embedded(recognizer.model.embed(np.stack(aligned)), labels, missed)


def compare_with_truth(photo: str, truth: dict[str, tuple[int, int]], recognized: list) -> GroupResult:
    """Judge ``recognized`` (objects with ``box``, ``name`` and ``similarity``) by the points in ``truth``."""
    missing, wrong, claimed = [], [], set()
    for person, point in truth.items():
        here = [i for i, face in enumerate(recognized) if i not in claimed and _inside(point, face.box)]
        if not here:
            missing.append(f"{person} (no face)")
            continue
        nearest = min(here, key=lambda i: _distance(point, recognized[i].box))
        claimed.add(nearest)
        name = recognized[nearest].name
        if name is None:
            missing.append(f"{person} (stranger)")
        elif name != person:
            wrong.append(f"{person} as {name}")
    extra = [face.name for i, face in enumerate(recognized) if i not in claimed and face.name is not None]
    named = [(face.name, float(face.similarity)) for face in recognized if face.name is not None]
    return GroupResult(photo, named, sum(face.name is None for face in recognized), missing, wrong, extra)


def bbt_crops(recognizer: Recognizer, folder: Path) -> tuple[Table, dict]:
    """All pairs of the face crops."""
    progress("bbt: embedding the crops")
    photos = [(path.name, path.parent.name, _read(path)) for path in sorted(folder.glob("*/*.png"))]
    found = embed_photos(recognizer, photos)
    pairs = all_pairs(found.embeddings, found.labels)
    figures = {"photos": len(photos), "no face found": found.missed, **_pair_figures(pairs)}
    return _figures_table("bbt, all pairs of the crops", figures), figures


def bbt_groups(recognizer: Recognizer, folder: Path) -> tuple[Table, dict]:
    """The group photos, with the eight people enrolled from their crops."""
    progress("bbt: enrolling eight people and naming the faces of the group photos")
    people = sorted(path for path in folder.iterdir() if path.is_dir())
    for person in people:
        recognizer.add_customs(person.name, sorted(person.glob("*.png")))
    results = [
        compare_with_truth(photo, truth, recognizer.recognize(_read(folder / photo)))
        for photo, truth in GROUPS.items()
    ]
    rows = [_group_row(result) for result in results]
    totals = {
        part: sum(len(getattr(result, part)) for result in results) for part in ("missing", "wrong", "extra")
    }
    right = sum(len(truth) for truth in GROUPS.values()) - totals["missing"] - totals["wrong"]
    strangers = sum(result.strangers for result in results)
    rows.append(["all", f"{right} right", str(strangers), *(str(count) for count in totals.values())])
    columns = ["photo", "named (cosine)", "strangers", "missing", "wrong", "extra"]
    return Table("bbt, group photos", columns, rows), {
        **totals,
        "photos": [vars(result) for result in results],
    }


def orl(recognizer: Recognizer, folder: Path) -> tuple[Table, dict]:
    """The ORL faces: verification over all pairs, identification in two ways."""
    photos = []
    for path in sorted(folder.rglob("*.pgm")):
        enlarged = cv2.resize(_read(path), None, fx=3, fy=3, interpolation=cv2.INTER_CUBIC)
        bordered = cv2.copyMakeBorder(enlarged, 60, 60, 60, 60, cv2.BORDER_REPLICATE)
        photos.append((f"{path.parent.name}/{path.name}", path.parent.name, bordered))
    progress(f"orl: embedding {len(photos)} faces")
    found = embed_photos(recognizer, photos)
    pairs = all_pairs(found.embeddings, found.labels)
    tar, threshold = pairs.tar_at_far(FAR)
    figures = {
        "photos": len(photos),
        "no face found": found.missed,
        **_pair_figures(pairs),
        f"TAR at FAR {FAR:g}": tar,
        f"threshold at FAR {FAR:g}": threshold,
        "rank-1, leave one out": rank1_leave_one_out(found.embeddings, found.labels),
        "rank-1, gallery of first photos": rank1_first_photo(found.embeddings, found.labels),
    }
    return _figures_table("orl", figures), figures


def run(data: Path, model: str, detector: str) -> Report:
    """Measure everything and put the report together.

    Raises:
        BadArgument: ``data`` does not hold the folders ``bbt`` and ``orl``.
    """
    for part in ("bbt", "orl"):
        if not (data / part).is_dir():
            raise BadArgument(
                f"{data / part} is not a folder. Give the folder that holds bbt/ and orl/ with --data."
            )
    recognizer = Recognizer(model=model, detector=detector, database="sqlite://")
    measured = {
        "bbt_crops": bbt_crops(recognizer, data / "bbt"),
        "bbt_groups": bbt_groups(recognizer, data / "bbt"),
        "orl": orl(recognizer, data / "orl"),
    }
    facts = {"model": model, "detector": detector, "threshold for names": f"{recognizer.threshold:.3f}"}
    return Report(
        facts, [table for table, _ in measured.values()], {name: part for name, (_, part) in measured.items()}
    )


def _group_row(result: GroupResult) -> list[str]:
    named = ", ".join(f"{name} {cosine:.2f}" for name, cosine in result.named)
    problems = (result.missing, result.wrong, result.extra)
    return [result.photo, named, str(result.strangers), *(", ".join(part) or "0" for part in problems)]


def _pair_figures(pairs: Pairs) -> dict:
    threshold, errors = pairs.best_threshold()
    return {
        "genuine pairs": len(pairs.genuine),
        "impostor pairs": len(pairs.impostor),
        "lowest genuine cosine": float(pairs.genuine[0]),
        "highest impostor cosine": float(pairs.impostor[-1]),
        "ROC AUC": pairs.auc(),
        "best threshold": threshold,
        "errors at the best threshold": errors,
    }


def _figures_table(title: str, figures: dict) -> Table:
    return Table(title, ["figure", "value"], [[name, _shown(value)] for name, value in figures.items()])


def _shown(value) -> str:
    if isinstance(value, list):
        return f"{len(value)}: {', '.join(value)}" if value else "0"
    return f"{value:.5f}" if isinstance(value, float) else str(value)


def _read(path: Path) -> np.ndarray:
    picture = cv2.imread(str(path))
    if picture is None:
        raise BadArgument(
            f"{path} is missing or not a picture; --data must name a complete copy of the data."
        )
    return picture


def _inside(point: tuple[int, int], box: np.ndarray) -> bool:
    return bool(box[0] <= point[0] <= box[2] and box[1] <= point[1] <= box[3])


def _distance(point: tuple[int, int], box: np.ndarray) -> float:
    return float(np.hypot((box[0] + box[2]) / 2 - point[0], (box[1] + box[3]) / 2 - point[1]))


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument(
        "--data", type=Path, default=DATA, help="folder with bbt/ and orl/ (default: ../shared/data)"
    )
    parser.add_argument(
        "--model", default="mobilefacenet", help="a model of configs/models.yaml or a bundle's path"
    )
    parser.add_argument("--detector", default="mtcnn", help="which detector finds the faces")
    arguments = parser.parse_args()
    run(arguments.data, arguments.model, arguments.detector).print(arguments.form)


if __name__ == "__main__":
    run_command(main)
