"""The 8-bit index has the answers of the exact one, on data that is made to tell them apart."""

import numpy as np
import pytest

from recognizer.search.exact import ExactIndex
from recognizer.search.int8 import quantised
from tests.recognizer.search.naive import stamps, unit, vectors

pytest.importorskip("numkong")
from recognizer.search.int8 import Int8Index  # noqa: E402


def clustered(count, dimension, spread):
    centres = unit(vectors(5, dimension, seed=1))
    return centres[np.arange(count) % 5] + spread * unit(vectors(count, dimension, seed=2))


def spiky(count, dimension):
    values = vectors(count, dimension, seed=3)
    values[np.arange(count), np.arange(count) % dimension] *= 40
    return values


def twins(count, dimension):
    """Pairs that differ by less than 8 bits can tell."""
    half = vectors(count // 2, dimension, seed=4)
    return np.concatenate([half, half + 1e-4 * vectors(count // 2, dimension, seed=5)])


DATA = {
    "random": lambda count, dimension: vectors(count, dimension),
    "clustered": lambda count, dimension: clustered(count, dimension, 0.05),
    "all but equal": lambda count, dimension: clustered(count, dimension, 1e-4),
    "spiky": spiky,
    "twins": twins,
    "sparse": lambda count, dimension: np.eye(dimension, dtype=np.float32)[np.arange(count) % dimension],
}


@pytest.mark.parametrize("dimension", [192, 128, 7])
@pytest.mark.parametrize("data", DATA)
def test_equals_exact_search_bit_for_bit(data, dimension, tmp_path):
    values = DATA[data](1500, dimension).astype(np.float32)
    exact, int8 = ExactIndex(dimension), Int8Index(dimension, folder=tmp_path)
    for index in (exact, int8):
        index.add(np.arange(1500) // 2, values, stamps(1500))
    noise = unit(vectors(60, dimension, seed=6))
    queries = unit(np.concatenate([values[:60], 0.7 * unit(values[:60]) + 0.7 * noise, noise]))
    for count, some in ((1, queries), (5, queries), (5, queries[:1]), (3, queries[70:73])):
        for own, other in zip(int8.search(some, count), exact.search(some, count)):
            assert np.array_equal(own, other)


def test_equals_exact_search_at_512_numbers(tmp_path):
    test_equals_exact_search_bit_for_bit("twins", 512, tmp_path)


def test_codes_are_within_half_a_step_and_nothing_is_cut_off():
    values = np.concatenate([spiky(50, 33), np.zeros((1, 33), np.float32)])
    codes, scales = quantised(values)
    assert np.abs(codes.astype(int)).max(axis=1)[:-1].tolist() == [127] * 50 and not codes[-1].any()
    assert (np.abs(values - codes * scales[:, None]) <= scales[:, None] * 0.5001).all()


def test_the_mapped_file_has_no_name_and_the_rows_in_memory_are_small(tmp_path):
    index = Int8Index(64, folder=tmp_path / "maps")
    index.add(np.arange(5000), vectors(5000, 64), stamps(5000))
    assert list((tmp_path / "maps").iterdir()) == []
    (part,) = index._rows.state.parts
    assert isinstance(part.block.columns["vectors"].base, np.memmap)
    in_memory = sum(column.nbytes for name, column in part.block.columns.items() if name != "vectors")
    assert in_memory == part.block.capacity * (64 + 24)


def test_a_full_disk_is_an_error_and_changes_nothing(tmp_path, monkeypatch):
    index = Int8Index(16, folder=tmp_path)
    index.add(np.arange(10), vectors(10, 16), stamps(10))

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.posix_fallocate", full, raising=False)
    with pytest.raises(OSError, match="No space"):
        index.add(np.arange(2000), vectors(2000, 16), stamps(2000))
    assert len(index) == 10 and index.search(unit(vectors(1, 16)), 1)[0][0, 0] == 0
