"""Who is nearest: indexes over the gallery's embeddings, one interface, chosen by name.

=========  =====================================================================================================
exact      float32 in memory, every row compared
int8       512 bytes a row in memory, every row compared in 8 bits, the best again in float32: the same answers
hnsw       a graph (FAISS): a few thousand comparisons, nearly always the same answers; for many millions
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

# 512 dimensions, 2 cores: exact takes 6 ms and 205 MB for 100 thousand rows, int8 16 ms and 540 MB for a million,
# where hnsw needs 10 ms less and a quarter of an hour to build its graph.
INT8_FROM = 100_000
HNSW_FROM = 4_000_000


def choose(rows: int) -> str:
    """The index that "auto" stands for: by the number of rows, ``exact`` where the packages of another are missing."""
    if rows >= HNSW_FROM and find_spec("faiss"):
        return "hnsw"
    if rows >= INT8_FROM and find_spec("numkong"):
        return "int8"
    return "exact"


__all__ = ["INDEXES", "Index", "choose"]
