"""Rows in a Milvus collection: a file of Milvus Lite, or a cluster for what no longer fits one machine.

The collection holds no truth of its own. A row's number is made of its key and stamp, so that a change applied twice,
or by two processes, leaves the same rows; ``state`` sums the stamps that are there and compares them with what the last
``commit`` noted in the collection's properties, so that anything missing, added or altered is noticed.

Milvus has no transactions. While a change is written, searches of this process leave out first the rows that are not
all there yet and then those that are not all gone yet; other processes may see a key's old and new rows together for
some milliseconds, but never neither.
"""

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from hashlib import blake2b
from typing import Any, Self
from urllib.parse import urlsplit

import numpy as np

from common.errors import DatabaseError, MissingDependency
from recognizer.search import nearest
from recognizer.search.index import Index, Normalised, nobody, wrapped
from recognizer.search.nearest import Bars, Candidates

_STATE = "recognizer.state"  # the property that commit writes
_FIELDS = {"row": "INT64", "person": "INT64", "stamp": "INT64", "vector": "FLOAT_VECTOR"}
_AT_ONCE = 1000  # keys written in one step that searches see wholly or not at all
_MOST = 16384  # rows that Milvus answers with at most
_SPARE = 16  # rows fetched beyond what is asked for
_ATTEMPTS = 4  # searches that a change interrupted, before one keeps changes out


class MilvusIndex(Index):
    """Search by a Milvus server or file; as exact as the collection's index is.

    Args:
        dimension: numbers in a vector.
        uri: ``http://host:19530`` of a server, or the path of a Milvus Lite file (``....db``).
        token: what the server asks for (``user:password`` or an API key); shown nowhere.
        collection: its name; it is made at the first change.
        index_type: how Milvus searches: ``FLAT`` is exact, ``AUTOINDEX`` is the server's choice.
        timeout: seconds that a call may take.

    Raises:
        MissingDependency: pymilvus (or, for a file, milvus-lite) is not installed.
        DatabaseError: the server cannot be reached or does not accept the token.
    """

    def __init__(
        self, dimension: int, uri: str, token: str | None = None, collection: str = "recognizer",
        index_type: str = "AUTOINDEX", timeout: float = 60.0,
    ):  # fmt: skip
        super().__init__(dimension)
        self._uri, self._token, self._collection = str(uri), token, collection
        self._index_type, self._timeout = index_type, timeout
        self._library = _pymilvus()
        self._tally: tuple[int, int] | None = None  # rows and sum of stamps, where known
        self._measuring = threading.Lock()
        self._loose = 0  # rows written since the last flush
        self._hidden: list[int] = []  # rows that searches leave out; another list after every step
        with self._told():
            self._client = self._library.MilvusClient(uri=self._uri, token=token or "", timeout=timeout)

    def __repr__(self) -> str:
        return f"MilvusIndex({self.dimension}, {_shown(self._uri)!r}, collection={self._collection!r})"

    @property
    def checksum(self) -> int:
        return self._measured()[1]

    def __len__(self) -> int:
        return self._measured()[0]

    def close(self) -> None:
        self._client.close()

    # What the collection holds

    def state(self) -> tuple[int, int] | None:
        """(revision, checksum) of the last ``commit`` when the collection holds exactly what it held then, else None.

        All stamps are read for it, which takes seconds for a million rows.
        """
        with self._told():
            noted = self._noted()
        with self._writing:
            self._tally = None
            found = self._measured()
        return None if noted is None or noted[1:] != found else (noted[0], found[1])

    def resume(self) -> tuple[int, int] | None:
        """The same, as the last ``commit`` of whatever process noted it, without reading what is there."""
        with self._writing, self._told():
            noted = self._noted()
            self._tally = None if noted is None else noted[1:]
        return None if noted is None else (noted[0], noted[2])

    def _noted(self) -> tuple[int, int, int] | None:
        """Revision, rows and checksum of the last ``commit``; None where there is none for these vectors."""
        if not self._client.has_collection(self._collection) or not self._fits():
            return None
        try:
            values = json.loads(self._client.describe_collection(self._collection).get("properties", {}).get(_STATE))
            found = tuple(int(values[name]) for name in ("revision", "rows", "checksum"))
            return found if values["dimension"] == self.dimension else None
        except (TypeError, ValueError, KeyError):
            return None

    def commit(self, revision: int) -> None:
        """Note that the collection holds everything up to a revision of the gallery."""
        with self._writing, self._told():
            self._create()
            rows, checksum = self._measured()
            values = {"revision": int(revision), "checksum": checksum, "rows": rows, "dimension": self.dimension}
            self._client.alter_collection_properties(self._collection, {_STATE: json.dumps(values)})

    def drop(self) -> None:
        """Drop the collection, whatever it holds; the index is empty afterwards."""
        with self._writing, self._told():
            self._client.drop_collection(self._collection)
            self._tally = (0, 0)

    def sections(self) -> dict[str, np.ndarray]:
        with self._writing:
            rows = [row for page in self._pages(["person", "stamp", "vector"]) for row in page]
        rows.sort(key=lambda row: row["person"])
        vectors = np.array([row["vector"] for row in rows], np.float32).reshape(-1, self.dimension)
        return {"keys": np.array([row["person"] for row in rows], np.int64),
                "stamps": np.array([row["stamp"] for row in rows], np.int64), "vectors": vectors}  # fmt: skip

    @classmethod
    def from_sections(cls, dimension: int, sections: dict[str, np.ndarray], **options) -> Self:
        index = cls(dimension, **options)
        index.drop()
        index.add(sections["keys"], sections["vectors"], sections["stamps"])
        return index

    # Changing

    def _change(self, removed: np.ndarray, keys: np.ndarray, vectors: Normalised, stamps: np.ndarray) -> None:
        nothing, order = np.zeros(0, np.int64), np.argsort(keys, kind="stable")
        keys, stamps = keys[order], stamps[order]
        only = np.setdiff1d(removed, keys)
        try:
            with self._told():
                self._create()
                self._measured()
                if len(only) + len(keys) <= _AT_ONCE:
                    self._step(only, keys, stamps, vectors, order)
                else:
                    for start in range(0, len(only), _AT_ONCE):
                        self._step(only[start : start + _AT_ONCE], nothing, nothing, vectors, nothing)
                    for rows in _cut(keys):
                        self._step(nothing, keys[rows], stamps[rows], vectors, order[rows])
                self._flush(len(keys))
        except BaseException:
            self._tally = None  # a part may have been written: it is counted when next asked for
            raise
        finally:
            self._hidden = []

    def _step(self, removed, keys, stamps, vectors: Normalised, which: np.ndarray) -> None:
        """Write the rows ``which`` and drop all others of their keys and of ``removed``."""
        old = self._rows_of(np.union1d(removed, keys))
        ids = _row_ids(keys, stamps)
        fresh = [number for number, row in enumerate(ids) if row not in old]
        stale = {row: stamp for row, stamp in old.items() if row not in set(ids)}
        rows, total = self._tally
        self._hidden = [ids[number] for number in fresh]
        unit = np.concatenate([vectors[place : place + 1] for place in which[fresh]]) if fresh else None
        if fresh:
            self._client.upsert(self._collection, [
                {"row": ids[number], "person": int(keys[number]), "stamp": int(stamps[number]), "vector": vector}
                for number, vector in zip(fresh, unit)
            ], timeout=self._timeout)  # fmt: skip
        self._hidden = list(stale)
        if stale:
            self._client.delete(self._collection, ids=list(stale), timeout=self._timeout)
        self._hidden = []
        self._tally = None
        if len(fresh) == len(ids):  # else another process writes as well: count what is there
            plus = sum(int(stamps[number]) for number in fresh)
            self._tally = (rows + len(fresh) - len(stale), wrapped(total + plus - sum(stale.values())))
        self._measured()

    def _flush(self, written: int) -> None:
        """Close the segment that grows, once it is large: Milvus Lite searches 8,000 rows in 369 ms, then in 23."""
        self._loose += written
        if self._loose >= _AT_ONCE:
            with suppress(self._library.MilvusException):  # servers allow a flush every few seconds only
                self._client.flush(self._collection, timeout=self._timeout)
                self._loose = 0

    def _rows_of(self, keys: np.ndarray) -> dict[int, int]:
        """Numbers and stamps of all rows of some keys."""
        if not len(keys):
            return {}
        found, last = {}, None
        while last is None or len(last) == _MOST:
            seen = f" and row not in {list(found)}" if found else ""
            last = self._query(f"person in {keys.tolist()}{seen}", ["row", "stamp"], limit=_MOST)
            found |= {row["row"]: row["stamp"] for row in last}
        return found

    def _create(self) -> None:
        if self._client.has_collection(self._collection):
            if not self._fits():
                raise DatabaseError(
                    f"The Milvus collection {self._collection!r} holds something else than vectors of "
                    f"{self.dimension} numbers: drop it, or choose another collection."
                )
            return
        types, client = self._library.DataType, self._library.MilvusClient
        schema = client.create_schema(auto_id=False, enable_dynamic_field=False)
        for name, kind in _FIELDS.items():
            more = {"dim": self.dimension} if name == "vector" else {}
            schema.add_field(name, types[kind], is_primary=name == "row", **more)
        indexes = client.prepare_index_params()
        indexes.add_index("vector", index_type=self._index_type, metric_type="IP")
        self._client.create_collection(
            self._collection, schema=schema, index_params=indexes, consistency_level="Strong"
        )
        self._tally = (0, 0)

    def _fits(self) -> bool:
        fields = self._client.describe_collection(self._collection)["fields"]
        kinds = {field["name"]: getattr(field["type"], "name", None) for field in fields}
        sizes = [field["params"].get("dim") for field in fields if field["name"] == "vector"]
        return kinds == _FIELDS and [int(size or 0) for size in sizes] == [self.dimension]

    def _measured(self) -> tuple[int, int]:
        """Rows and the sum of their stamps; counted where it is not known."""
        with self._measuring:
            if self._tally is None:
                stamps = [row["stamp"] for page in self._pages(["stamp"]) for row in page]
                self._tally = len(stamps), wrapped(sum(stamps))
            return self._tally

    # Searching

    def _search(self, queries: np.ndarray, count: int, threshold: float) -> tuple[np.ndarray, np.ndarray]:
        if len(self) == 0:
            return nobody(len(queries), count)
        for _ in range(_ATTEMPTS):
            hidden = self._hidden
            answer = self._found(queries, count, threshold, hidden)
            if self._hidden is hidden:
                return answer
        with self._writing:
            return self._found(queries, count, threshold, [])

    def _found(
        self, queries: np.ndarray, count: int, threshold: float, hidden: list[int]
    ) -> tuple[np.ndarray, np.ndarray]:
        bars = Bars(np.full(len(queries), count), np.full(len(queries), threshold, np.float32))
        unknown = np.float32(3)  # wider than any error, so that all are compared exactly
        open_, fetch, found, vectors = np.arange(len(queries)), count + _SPARE, Candidates(), []
        while len(open_):
            fetch = min(fetch, _MOST)
            again = []
            for number, hits in zip(open_, self._hits(queries[open_], fetch, hidden)):
                keys = {hit["entity"]["person"] for hit in hits}
                low = hits and hits[-1]["distance"] < threshold
                if len(keys) < count and len(hits) == fetch < _MOST and not low:
                    again.append(number)  # the nearest rows are of too few keys
                elif hits:
                    place = sum(map(len, vectors)) + np.arange(len(hits))
                    vectors.append(np.array([hit["entity"]["vector"] for hit in hits], np.float32))
                    found = Candidates.joined([found, Candidates(
                        query=np.full(len(hits), number), key=np.array([hit["entity"]["person"] for hit in hits]),
                        place=place, similarity=np.ones(len(hits), np.float32), error=np.full(len(hits), unknown),
                    )])  # fmt: skip
            open_, fetch = np.array(again, int), fetch * 4
        every = np.concatenate(vectors) if vectors else np.zeros((0, self.dimension), np.float32)
        exact: Callable = lambda query, place: nearest.cosines(queries[query], every[place])  # noqa: E731
        return nearest.best(found, bars, exact, count)

    def _hits(self, queries: np.ndarray, fetch: int, hidden: list[int]) -> list[list[dict]]:
        with self._told():
            return self._client.search(
                self._collection, list(queries), limit=fetch, filter=f"row not in {hidden}" if hidden else "",
                output_fields=["person", "vector"], consistency_level="Strong", timeout=self._timeout,
            )  # fmt: skip

    def _query(self, expression: str, fields: list[str], limit: int) -> list[dict]:
        return list(self._client.query(
            self._collection, expression, output_fields=fields, limit=limit, consistency_level="Strong",
            timeout=self._timeout,
        ))  # fmt: skip

    def _pages(self, fields: list[str]) -> Iterator[list[dict]]:
        with self._told():
            if not self._client.has_collection(self._collection) or not self._fits():
                return
            # Milvus Lite answers in no order, so that paging by "row > last" (as pymilvus's iterator does) loses rows.
            # The numbers of rows are hashes: ranges of them hold about as many rows each.
            size = _MOST if fields == ["stamp"] else _AT_ONCE
            rows = self._client.query(self._collection, "", output_fields=["count(*)"], consistency_level="Strong")
            parts = 1 + 2 * rows[0]["count(*)"] // size
            ends = [-(2**63) + number * 2**64 // parts for number in range(parts + 1)]
            ranges = list(zip(ends, ends[1:]))
            while ranges:
                low, high = ranges.pop()
                page = self._query(f"row >= {low} and row <= {high - 1}", fields, limit=size)
                if len(page) == size:  # there may be more
                    ranges += [(low, (low + high) // 2), ((low + high) // 2, high)]
                else:
                    yield page

    @contextmanager
    def _told(self) -> Iterator[None]:
        """Turn what pymilvus raises into one sentence without the token."""
        try:
            yield
        except self._library.MilvusException as error:
            text = " ".join(str(error.message or error).split())[:300]
        except ImportError:
            raise MissingDependency(
                "A Milvus Lite file needs milvus-lite: pip install 'insightface-tensorflow[milvus]', "
                "or give the address of a server (http://host:19530)."
            ) from None
        else:
            return
        text = text.replace(self._token, "***") if self._token else text
        where = _shown(self._uri)
        raise DatabaseError(f"Milvus at {where}: {text}. Is it running, and are uri and token right?") from None


def _row_ids(keys: np.ndarray, stamps: np.ndarray) -> list[int]:
    """The numbers of rows: equal for equal keys and stamps, except that repetitions are counted."""
    seen: dict[tuple[int, int], int] = {}
    ids = []
    for pair in zip(keys.tolist(), stamps.tolist()):
        seen[pair] = seen.get(pair, 0) + 1
        text = f"{pair[0]} {pair[1]} {seen[pair]}".encode()
        ids.append(int.from_bytes(blake2b(text, digest_size=8).digest(), "little", signed=True))
    return ids


def _cut(keys: np.ndarray) -> Iterator[slice]:
    """Slices of about ``_AT_ONCE`` rows that leave equal (neighbouring) keys together."""
    ends = np.append(np.flatnonzero(np.diff(keys)) + 1, len(keys))
    start = 0
    while start < len(keys):
        stop = int(ends[min(np.searchsorted(ends, start + _AT_ONCE), len(ends) - 1)])
        yield slice(start, stop)
        start = stop


def _shown(uri: str) -> str:
    """The address without a user and password."""
    if "://" not in uri:
        return uri
    parts = urlsplit(uri)
    return f"{parts.scheme}://{parts.hostname}" + (f":{parts.port}" if parts.port else "")


def _pymilvus() -> Any:
    try:
        import pymilvus
    except ImportError:
        raise MissingDependency(
            "The search index milvus needs pymilvus: pip install 'insightface-tensorflow[milvus]', "
            "or choose another index."
        ) from None
    return pymilvus
