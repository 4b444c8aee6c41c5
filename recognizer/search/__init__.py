"""Who is nearest: indexes over the gallery's embeddings, one interface, chosen by name.

=========  =====================================================================================================
exact      float32 in memory, every row compared
int8       512 bytes a row in memory, every row compared in 8 bits, the best again in float32: the same answers
hnsw       a graph (FAISS): some thousand comparisons, approximate answers; for many millions
milvus     a Milvus file or cluster: for what no longer fits one machine
=========  =====================================================================================================
"""

from importlib.util import find_spec

from common.registry import Registry
from recognizer.search.index import Index

INDEXES = Registry("search index", {
    "exact": "recognizer.search.exact:ExactIndex",
    "int8": "recognizer.search.int8:Int8Index",
    "hnsw": "recognizer.search.hnsw:HnswIndex",
    "milvus": "recognizer.search.milvus:MilvusIndex",
})  # fmt: skip

# 512 dimensions, 2 cores: a pass over a million rows takes exact 60 to 80 ms and 2.0 GB, int8 16 to 29 ms and 0.53 GB.
# A graph of a million rows takes an hour to build and misses many that int8 finds, on random vectors at least: "auto"
# takes one only where int8 needs 5 GB and a fifth of a second.
INT8_FROM = 100_000
HNSW_FROM = 10_000_000


def choose(rows: int) -> str:
    """The index that "auto" stands for: by the number of rows, ``exact`` where the packages of another are missing."""
    if rows >= HNSW_FROM and find_spec("faiss"):
        return "hnsw"
    if rows >= INT8_FROM and find_spec("numkong"):
        return "int8"
    return "exact"


__all__ = ["INDEXES", "Index", "choose"]
