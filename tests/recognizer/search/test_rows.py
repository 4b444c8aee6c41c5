"""Rows that change under their readers: blocks fill up, wear out and are replaced."""

import numpy as np
import pytest

from recognizer.search import rows
from recognizer.search.rows import Rows, compact


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(rows, "BLOCK", 128)
    monkeypatch.setattr(rows, "FIRST", 16)
    monkeypatch.setattr(rows, "_FEW", 8)
    monkeypatch.setattr(rows, "_PIECE", 50)
    return Rows({"values": (np.float32, (2,))})


def put(table, keys, removed=(), base=0.0):
    keys = np.asarray(keys, np.int64)
    values = np.stack([keys, keys + base], axis=1).astype(np.float32)
    table.change(np.asarray(removed, np.int64), keys, keys * 10, lambda part: {"values": values[part]})


def seen(state):
    found = []
    for block, slots in state.slots():
        found += zip(block.columns["keys"][slots].tolist(), block.columns["values"][slots, 1].tolist())
    return sorted(found)


def test_a_state_taken_earlier_never_changes(table):
    history, random = [], np.random.default_rng(0)
    for step in range(200):
        put(table, random.integers(0, 300, 7), random.integers(0, 300, 5), base=step)
        history.append((table.state, seen(table.state)))
    for state, then in history:
        assert seen(state) == then
        assert state.live == len(then)


def test_dead_rows_do_not_pile_up(table):
    for step in range(300):
        put(table, np.arange(40), base=step)
    assert sum(used for _, used in table.state.parts) < 300
    assert seen(table.state) == [(key, key + 299.0) for key in range(40)]


def test_blocks_that_shrank_are_joined(table):
    put(table, np.arange(1280))
    assert len(table.state.parts) == 10
    put(table, [], removed=np.setdiff1d(np.arange(1280), np.arange(0, 1280, 16)))
    assert len(table.state.parts) <= 3
    assert [key for key, _ in seen(table.state)] == list(range(0, 1280, 16))
    put(table, [], removed=np.arange(1280))
    assert table.state.parts == () and table.state.checksum == 0


def test_many_rows_of_many_keys_in_any_order_are_found_again(table):
    random = np.random.default_rng(1)
    keys = random.integers(0, 200, 1000)
    put(table, keys)
    put(table, [], removed=np.arange(0, 200, 2))
    assert [key for key, _ in seen(table.state)] == sorted(key for key in keys.tolist() if key % 2)


def test_frozen_parts_stay_as_they_are(table):
    put(table, np.arange(200))
    table.frozen = len(table.state.parts)
    frozen = table.state.parts
    put(table, np.arange(300, 320), removed=np.arange(150))
    put(table, np.arange(320, 330))
    assert table.state.parts[: len(frozen)] == frozen
    assert [key for key, _ in seen(table.state)] == [*range(150, 200), *range(300, 330)]


def test_nothing_changes_when_there_is_no_room_for_new_rows(table):
    put(table, np.arange(100))
    before = (table.state, seen(table.state))

    def full(*_):
        raise OSError(28, "No space left on device")

    table._allocate = full
    with pytest.raises(OSError):
        put(table, np.arange(50, 400), removed=np.arange(20))
    assert table.state is before[0] and seen(table.state) == before[1]
    table._allocate = lambda name, shape, dtype: np.empty(shape, dtype)
    put(table, [500], removed=[0])
    assert [key for key, _ in seen(table.state)] == [*range(1, 100), 500]


def test_compact_rows_ascend_by_key_and_keep_the_order_of_equal_ones(table):
    put(table, [5, 3, 5, 4])
    put(table, [3, 3], base=1)
    columns, _, _ = compact(table.state, ["values"])
    assert columns["keys"].tolist() == [3, 3, 4, 5, 5] and columns["stamps"].tolist() == [30, 30, 40, 50, 50]
    assert np.asarray(columns["values"])[:, 1].tolist() == [4, 4, 4, 5, 5]
    assert np.array_equal(np.concatenate([*columns["values"].pieces()]), np.asarray(columns["values"]))
