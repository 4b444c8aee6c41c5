"""Images per second of the training pipeline, beside what decoding the same JPEGs takes by itself.

Examples:

    python bench/pipeline.py --rounds 9
    python bench/pipeline.py --pictures 2000 --augment crop colour --markdown

Ours and the DataLoader read, decode, flip half of the pictures and put batches together. The bare decoders have the
JPEGs in memory and do nothing else: the faster of them is the limit. A turn begins with batches that do not count, so
that nobody profits from what was read ahead while others had their turn.
"""

import sys
from pathlib import Path

if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[1])

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import cv2
import numpy as np

import mtcnn
from bench import machine
from bench.peers import start
from bench.report import Report, Table, measurement_parser, positive, progress, run_command
from bench.timing import interleave, medians, timed
from common.folders import cache_folder
from networks import zoo
from train.data import open_dataset, shards
from train.data.augment import AUGMENTATIONS
from train.data.pipeline import Pipeline
from train.data.recordio import Writer
from train.data.tfrecord import Example

PICTURES = ("t1", "sample1", "sample2", "sample3", "obama", "biden")
CLASSES, SHARDS, QUALITY, SIDE = 100, 4, 95, 112
UNCOUNTED = 8  # batches at the beginning of a turn
OURS, OURS_REC = "this project, shards", "this project, .rec"
OPENCV, TENSORFLOW = "bare OpenCV imdecode", "bare TensorFlow decode_jpeg"
DATALOADER = "PyTorch DataLoader, .rec"


def varied_faces(count: int) -> Iterator[bytes]:
    """JPEGs 112x112 at quality 95: aligned faces of the sample photos, each turned, scaled and lit a little anew."""
    detector, random = mtcnn.create("mtcnn"), np.random.default_rng(0)
    faces = np.concatenate([detector.align(zoo.sample(name)) for name in PICTURES])
    middle = (SIDE / 2, SIDE / 2)
    for number in range(count):
        matrix = cv2.getRotationMatrix2D(middle, random.uniform(-5, 5), random.uniform(0.95, 1.1))
        face = cv2.warpAffine(faces[number % len(faces)], matrix, (SIDE, SIDE), borderMode=cv2.BORDER_REFLECT)
        face = cv2.convertScaleAbs(face, alpha=random.uniform(0.8, 1.2), beta=random.uniform(0, 10))
        yield cv2.imencode(".jpg", face, [cv2.IMWRITE_JPEG_QUALITY, QUALITY])[1].tobytes()


def made(folder: Path, jpegs: list[bytes]) -> tuple[Path, Path]:
    """The JPEGs as a folder of shuffled shards and as a ``.rec`` sorted by class."""
    classes = min(CLASSES, len(jpegs))
    labels = np.arange(len(jpegs)) * classes // len(jpegs)
    with Writer(folder / "set.rec") as writer:
        for jpeg, label in zip(jpegs, labels):
            writer.write(jpeg, int(label))
    parts = np.array_split(np.random.default_rng(1).permutation(len(jpegs)), SHARDS)
    written = [
        shards.write_shard(
            folder / shards.file_name("set", number, SHARDS),
            (Example(jpegs[item], int(labels[item])) for item in part),
        )
        for number, part in enumerate(parts)
    ]
    shards.write_index(folder, shards.Contents(classes, len(jpegs), tuple(written), (SIDE, SIDE)))
    return folder, folder / "set.rec"


def ours(path: Path, batch: int, threads: int, augment: dict) -> Callable[[int], None]:
    """A function that takes so many batches from our pipeline."""
    batches = iter(Pipeline(open_dataset(path), batch, threads=threads, augment=augment).batches())

    def take(count: int) -> None:
        for _ in range(count):
            next(batches)

    return take


def bare_opencv(jpegs: list[bytes], batch: int, threads: int) -> Callable[[int], None]:
    """Decodes so many batches on threads; each picture is thrown away."""
    cv2.setNumThreads(1)
    pool = ThreadPoolExecutor(threads)
    buffers = [np.frombuffer(jpeg, np.uint8) for jpeg in jpegs]

    def decode(first: int) -> None:
        for number in range(first, first + batch):
            cv2.imdecode(buffers[number % len(buffers)], cv2.IMREAD_COLOR_RGB)

    return lambda count: list(pool.map(decode, range(0, count * batch, batch))) and None


def bare_tensorflow(jpegs: list[bytes], batch: int, threads: int) -> Callable[[int], None]:
    """Decodes so many batches in a parallel map over strings in memory, a batch in each call of the map.

    A map over single pictures does half as many in a second, as TensorFlow's work for an element is then that for one
    picture.
    """
    import tensorflow as tf

    picture = tf.TensorSpec((SIDE, SIDE, 3), tf.uint8)

    def decode(strings: tf.Tensor) -> tf.Tensor:
        one = lambda string: tf.ensure_shape(tf.io.decode_jpeg(string, channels=3), picture.shape)  # noqa: E731
        return tf.map_fn(one, strings, fn_output_signature=picture, parallel_iterations=1)

    options = tf.data.Options()
    options.threading.private_threadpool_size = threads
    strings = tf.data.Dataset.from_tensor_slices(jpegs).repeat().batch(batch, drop_remainder=True)
    batches = iter(strings.map(decode, num_parallel_calls=threads).prefetch(2).with_options(options))

    def take(count: int) -> None:
        for _ in range(count):
            next(batches)

    return take


def turn(take: Callable[[int], None], batches: int) -> float:
    """Seconds for so many batches after some that do not count."""
    take(UNCOUNTED)
    return timed(take, batches)


def table(rates: dict[str, float], limit: float, rest: str) -> Table:
    """Images per second, and what share that is of the fastest bare decoder's and of TensorFlow's."""
    rows = [
        [name, f"{rate:.0f}", f"{100 * rate / limit:.0f} %", f"{100 * rate / rates[TENSORFLOW]:.0f} %"]
        for name, rate in rates.items()
    ]
    return Table(f"Training pipeline, {rest}", ["", "images/s", "of the limit", "of bare TensorFlow"], rows)


def run(pictures: int, batch: int, rounds: int, threads: int, augment: list[str]) -> Report:
    """Measure and put the report together."""
    facts = machine.facts()
    folder = cache_folder() / "bench" / f"pipeline-{pictures}"
    progress(f"making {pictures} JPEGs")
    jpegs = list(varied_faces(pictures))
    folder.mkdir(parents=True, exist_ok=True)
    path, record_file = made(folder, jpegs)
    changes = {"flip": True, **dict.fromkeys(augment, True)}
    takers = {
        OPENCV: bare_opencv(jpegs, batch, threads),
        TENSORFLOW: bare_tensorflow(jpegs, batch, threads),
        OURS: ours(path, batch, threads, changes),
        OURS_REC: ours(record_file, batch, threads, changes),
    }
    batches = max(pictures // batch - UNCOUNTED, 1)
    contestants = {name: lambda take=take: turn(take, batches) for name, take in takers.items()}
    with ExitStack() as stack:
        options = {"path": str(record_file), "batch": batch, "threads": threads}
        running, reasons = start({DATALOADER: ("pytorch-dataloader", options)}, stack)
        for name, process in running.items():
            facts[name] = process.description
            contestants[name] = lambda process=process: (
                process(np.array([UNCOUNTED])) and process(np.array([batches]))[0]
            )
        facts |= reasons
        mean = np.mean([len(jpeg) for jpeg in jpegs])
        facts["work"] = (
            f"{batches} batches of {batch} a turn, {SIDE}x{SIDE}, {mean:.0f} bytes on average; medians of {rounds} "
            f"interleaved turns; {threads} threads or worker processes"
        )
        seconds = interleave(contestants, rounds)
    rates = {name: batches * batch / value for name, value in medians(seconds).items()}
    limit = max(rates[OPENCV], rates[TENSORFLOW])
    rest = "read, decode, " + ", ".join(changes) + ", batch"
    return Report(facts, [table(rates, limit, rest)], {"seconds": seconds, "images": batches * batch})


def main() -> None:
    """The command line."""
    parser = measurement_parser(__doc__)
    parser.add_argument("--pictures", type=positive, default=10_000, help="JPEGs in the dataset")
    parser.add_argument("--batch", type=positive, default=128, help="pictures in a batch")
    parser.add_argument("--rounds", type=positive, default=9, help="turns of each contestant")
    parser.add_argument("--threads", type=positive, default=2, help="threads or worker processes of each contestant")
    parser.add_argument("--augment", nargs="*", default=[], choices=[each for each in AUGMENTATIONS if each != "flip"],
                        help="further augmentations for ours, each at its default")  # fmt: skip
    arguments = parser.parse_args()
    report = run(arguments.pictures, arguments.batch, arguments.rounds, arguments.threads, arguments.augment)
    report.print(arguments.form)


if __name__ == "__main__":
    run_command(main)
