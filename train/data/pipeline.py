"""From a dataset to batches for the trainer: read, decode, augment and put together, on several threads.

Batch k follows from the dataset, the seed, k and the options alone. No iterator has a state that would have to be
saved: to go on where a run stopped, begin at that batch.
"""

import hashlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from common import cores
from common.errors import BadArgument, BadDataset, BadPicture, FaceError
from train.data import augment as augmentations
from train.data import places
from train.data.calls import CALLS, end_at_exit
from train.data.dataset import Dataset
from train.data.decoding import decode
from train.data.order import Balanced, InOrder, Shuffled
from train.data.randomness import check_seed, uniform
from train.data.reading import DatasetReader

if TYPE_CHECKING:
    import tensorflow as tf

SAMPLINGS = ("shuffled", "balanced")
WINDOW = 16384  # pictures of shards that are mixed among each other
RUN = 256  # pictures of a shard that are read together
ALIGNMENT = 64  # bytes; TensorFlow takes an array that begins at a multiple without copying it
VERSION = 1  # raised when the same options give other batches, so that no run goes on with them


class Pipeline:
    """The batches of a dataset: an endless stream, in which each epoch shows every picture once.

    Picture i of global batch k is position ``k * batch + i`` of the stream; the epoch of a position is ``position //
    images``. So a batch may cross the border between two epochs, and none is smaller than the others.

    Args:
        dataset: what ``open_dataset`` gives.
        batch: pictures in a global batch, over all workers and replicas.
        image_size: (height, width); pictures of another size are resized.
        seed: of the order and the augmentations.
        shuffle: False for the order of the files, again and again.
        augment: options by name of the augmentation, see ``train.data.augment``; none by default.
        sampling: "shuffled", or "balanced" for every class equally often.
        workers, worker: how many processes share a global batch, and which of them this one is.
        replicas: how many devices this process feeds.
        threads: that read and decode; None for all CPUs that this process may use.
        window: pictures that are mixed among each other; None for 16384 of shards, which were written shuffled, and
            for all of a ``.rec``, which lies sorted by person.

    Raises:
        BadArgument, BadConfig: an option that makes no sense. BadDataset: there are no pictures.
    """

    def __init__(
        self,
        dataset: Dataset,
        batch: int,
        *,
        image_size: tuple[int, int] = (112, 112),
        seed: int = 0,
        shuffle: bool = True,
        augment: Mapping[str, Any] | None = None,
        sampling: str = "shuffled",
        workers: int = 1,
        worker: int = 0,
        replicas: int = 1,
        threads: int | None = None,
        window: int | None = None,
    ):
        self.dataset = dataset
        self.batch = _positive("batch", batch)
        self.image_size = _size(image_size)
        self.seed = check_seed(seed)
        self.replicas = _positive("replicas", replicas)
        self.part = _part(batch, _positive("workers", workers), replicas)
        self.worker = _worker(worker, workers)
        self.threads = _positive("threads", cores.usable() if threads is None else threads)
        self.window = _positive("window", _window(dataset) if window is None else window)
        self.sampling, self.shuffle = _sampling(sampling, shuffle), shuffle
        self._augmentations = augmentations.build(augment or {})
        self._announced: tuple[int, int] | None = None
        self._failures: dict[int, tuple[type[FaceError], str]] = {}  # by element
        if dataset.images < 1:
            raise BadDataset(f"{dataset.path} holds no pictures.")

    @property
    def steps_per_epoch(self) -> int:
        """Batches until every picture was shown once, the last of them filled up from the next epoch."""
        return -(-self.dataset.images // self.batch)

    @cached_property
    def fingerprint(self) -> str:
        """64 hexadecimal digits that change when any batch could: with the dataset, the seed and the options, but not
        with how a batch is shared among workers, replicas and threads.
        """
        options = (self.batch, self.image_size, self.seed, self.shuffle, self.sampling, self.window, RUN)
        content = (VERSION, places.identity(self.dataset), options, list(self._augmentations.items()))
        return hashlib.sha256(repr(content).encode()).hexdigest()

    def batches(self, start: int = 0) -> "tf.data.Dataset":
        """This worker's parts of the global batches from number ``start`` on, without end.

        Elements k * replicas to (k + 1) * replicas - 1 are its parts of global batch ``start + k``, one for each
        replica; the parts of all workers and replicas in turn, joined, are what one device would get.

        Returns:
            A ``tf.data.Dataset`` of (pictures uint8 ``[b, h, w, 3]`` RGB, labels int64 ``[b]``), where b is batch /
            (workers * replicas). See ``plain_errors`` for what goes wrong while it is read.

        Raises:
            BadDataset: a file of the dataset is damaged.
        """
        import tensorflow as tf

        end_at_exit()
        self._failures.clear()
        _ = self._order  # opens the files here, where an error is still a plain one

        def load(element: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
            kinds = (tf.uint8, tf.int64, tf.string)
            pictures, labels, failure = tf.numpy_function(self._element, [element], kinds, stateful=False)
            with tf.control_dependencies([tf.debugging.Assert(tf.equal(failure, ""), [failure])]):
                pictures, labels = tf.identity(pictures), tf.identity(labels)
            return tf.ensure_shape(pictures, (self.part, *self.image_size, 3)), tf.ensure_shape(labels, (self.part,))

        elements = tf.data.Dataset.range(start * self.replicas, 2**62)
        options = tf.data.Options()
        options.threading.private_threadpool_size = self.threads
        options.experimental_distribute.auto_shard_policy = tf.data.experimental.AutoShardPolicy.OFF
        loaded = elements.map(load, num_parallel_calls=self.threads, deterministic=True)
        return loaded.prefetch(max(2, self.replicas)).with_options(options)

    @contextmanager
    def plain_errors(self) -> Iterator[None]:
        """Around all reading, or each ``next``: damaged records and pictures are errors of ours that name them, not
        TensorFlow's.
        """
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError:
            if not self._failures:
                raise
            kind, message = self._failures[min(self._failures)]  # others are of batches that were read ahead
            raise kind(message) from None

    def at(self, first: int, count: int) -> tuple[np.ndarray, np.ndarray]:
        """The pictures at ``count`` positions of the stream from ``first`` on.

        Returns:
            uint8 ``[count, h, w, 3]`` RGB and labels int64 ``[count]``.

        Raises:
            BadDataset, BadPicture: a record or picture is damaged; names the file and the offset.
        """
        self._announce(first)
        numbers = self._order.indices(first, count)
        steps = [
            (augmentation, uniform(first, count, 1 + augmentation.draws, self.seed, f"augment {name}").tolist())
            for name, augmentation in self._augmentations.items()
        ]
        pictures = _aligned((count, *self.image_size, 3))
        for i, data in enumerate(self._reader.pictures(numbers)):
            picture = self._decode(data, numbers[i])
            for augmentation, drawn in steps:
                picture = augmentation(picture, drawn[i])
            pictures[i] = picture
        return pictures, self._reader.labels[numbers].astype(np.int64)

    @cached_property
    def _reader(self) -> DatasetReader:
        return DatasetReader(self.dataset)

    @cached_property
    def _order(self) -> InOrder | Shuffled | Balanced:
        if self.sampling == "balanced":
            return Balanced(self._reader.labels, self.seed)
        if not self.shuffle:
            return InOrder(self.dataset.images)
        return Shuffled(self._reader.files, RUN, self.window, self.seed)

    def _element(self, element: np.ndarray) -> tuple[np.ndarray, np.ndarray, bytes]:
        """An element of ``batches``, and what went wrong: TensorFlow would print an exception's traceback, and keep its
        frames until they are freed on one of its threads, which hangs where an iterator is among them.
        """
        step, replica = divmod(int(element), self.replicas)
        with CALLS:
            try:
                first = step * self.batch + (self.worker * self.replicas + replica) * self.part
                return *self.at(first, self.part), b""
            except FaceError as error:
                self._failures[int(element)] = (type(error), str(error))
                nothing = np.zeros((0, *self.image_size, 3), np.uint8), np.zeros(0, np.int64)
                return *nothing, str(error).encode("utf-8", "surrogateescape")

    def _decode(self, data: bytes, number: int) -> np.ndarray:
        try:
            return decode(data, self.image_size)
        except BadPicture as error:
            raise BadPicture(f"{self._reader.where(number)}: {error}") from None

    def _announce(self, first: int) -> None:
        """Have the system read the window after this position while this one is used: shards lie on slow disks too."""
        order = self._order
        if not isinstance(order, Shuffled) or order.window == order.images:
            return
        following = order.after(first)
        if following != self._announced:
            self._announced = following
            self._reader.announce(order.mixed(*following))


def _aligned(shape: tuple[int, ...]) -> np.ndarray:
    size = int(np.prod(shape))
    buffer = np.empty(size + ALIGNMENT, np.uint8)
    begin = -buffer.ctypes.data % ALIGNMENT
    return buffer[begin : begin + size].reshape(shape)


def _window(dataset: Dataset) -> int:
    return WINDOW if dataset.kind == "shards" else max(dataset.images, 1)


def _positive(name: str, value: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise BadArgument(f"{name} must be a whole number, 1 or more, not {value!r}.")
    return value


def _size(value: tuple[int, int]) -> tuple[int, int]:
    if not isinstance(value, (tuple, list)) or len(value) != 2:
        raise BadArgument(f"image_size must be height and width in pixels, not {value!r}.")
    return _positive("image_size", value[0]), _positive("image_size", value[1])


def _part(batch: int, workers: int, replicas: int) -> int:
    if batch % (workers * replicas):
        raise BadArgument(f"A batch of {batch} cannot be cut evenly for {workers} workers of {replicas} replicas each.")
    return batch // (workers * replicas)


def _worker(worker: int, workers: int) -> int:
    if isinstance(worker, bool) or not isinstance(worker, int) or not 0 <= worker < workers:
        raise BadArgument(f"worker must be a number from 0 to {workers - 1}, not {worker!r}.")
    return worker


def _sampling(sampling: str, shuffle: bool) -> str:
    if sampling not in SAMPLINGS:
        raise BadArgument(f"Unknown sampling {sampling!r}. Expected one of: {', '.join(SAMPLINGS)}.")
    if sampling == "balanced" and not shuffle:
        raise BadArgument("Balanced sampling draws its own order: it cannot go with shuffle=False.")
    return sampling
