"""What every search index must answer, computed naively, and how each is made in a test."""

import numpy as np
import pytest


class Rows:
    """What an index should hold: a list of (key, unit vector, stamp), searched by sorting everything."""

    def __init__(self):
        self.all = []

    def change(self, removed, keys, vectors, stamps):
        gone = {int(key) for key in [*removed, *keys]}
        self.all = [row for row in self.all if row[0] not in gone]
        for key, vector, stamp in zip(keys, np.float64(vectors), stamps):
            length = np.linalg.norm(vector)
            self.all.append((int(key), vector / length if length else vector, int(stamp)))

    def search(self, query, count, threshold=-1.0):
        best = {}
        for key, vector, _ in self.all:
            best[key] = max(best.get(key, -2.0), float(vector @ np.float64(query)))
        ranked = sorted(((key, min(1.0, max(-1.0, value))) for key, value in best.items()), key=lambda pair: -pair[1])
        return [(key, value) for key, value in ranked if value >= threshold][:count]

    @property
    def checksum(self):
        return (sum(stamp for _, _, stamp in self.all) + 2**63) % 2**64 - 2**63


def unit(vectors):
    vectors = np.float64(vectors)
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def vectors(count, dimension=24, seed=0):
    return np.random.default_rng(seed).normal(size=(count, dimension)).astype(np.float32)


def stamps(count, seed=0):
    return np.random.default_rng(seed).integers(-(2**63), 2**63, count, dtype=np.int64)


def assert_same(index, expected, queries, count, threshold=None):
    """The index answers as naive search does; keys of cosines that differ by rounding alone may change places."""
    keys, similarities = index.search(queries, count, threshold)
    assert keys.shape == similarities.shape == (len(queries), count)
    assert keys.dtype == np.int64 and similarities.dtype == np.float32
    for query, own, values in zip(queries, keys, similarities):
        wanted = expected.search(query, count, -1.0 if threshold is None else threshold)
        found = own[own >= 0]
        assert len(found) == len(wanted) == len(set(found.tolist()))
        assert (own[len(found) :] == -1).all() and (values[len(found) :] == -1).all()
        np.testing.assert_allclose(values[: len(found)], [value for _, value in wanted], atol=1e-6)
        for key, (other, value) in zip(found.tolist(), wanted):
            assert key == other or abs(dict(expected.search(query, len(expected.all)))[key] - value) < 1e-6


def options_of(name, folder, number=0):
    """What an index needs in a test: files in the test's folder, a graph that misses nothing among so few rows."""
    if name == "milvus":
        pytest.importorskip("pymilvus")
        pytest.importorskip("milvus_lite")
        return {"uri": str(folder / "milvus.db"), "collection": f"people{number}", "index_type": "FLAT"}
    if name in ("int8", "hnsw"):
        pytest.importorskip({"int8": "numkong", "hnsw": "faiss"}[name])
        return {"folder": folder / "search"}
    return {}
