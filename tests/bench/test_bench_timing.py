import time

from bench.timing import interleave, medians, ratios, timed


def test_contestants_run_in_turn_and_none_always_first():
    order = []

    def contestant(name):
        def run():
            order.append(name)
            return float(len(order))

        return run

    seconds = interleave({name: contestant(name) for name in "abc"}, 3)
    assert order == list("abcbcacab")
    assert seconds == {"a": [1, 6, 8], "b": [2, 4, 9], "c": [3, 5, 7]}


def test_a_burst_counts_the_runs_after_its_first():
    calls = []

    def contestant():
        calls.append(len(calls))
        return float(calls[-1])

    assert interleave({"one": contestant}, rounds=2, burst=3) == {"one": [1, 2, 3, 5, 6, 7]}


def test_timed_measures_the_call():
    assert 0.03 <= timed(time.sleep, 0.03) < 1


def test_median_is_not_moved_by_one_slow_run():
    assert medians({"a": [1.0, 100.0, 2.0], "b": [1.0, 2.0]}) == {"a": 2.0, "b": 1.5}


def test_ratio_is_to_the_fastest_peer_even_where_we_are_faster():
    assert ratios({"us": 1.0, "slow": 8.0, "fast": 2.0}, {"us"}) == {"us": 0.5, "slow": 4.0, "fast": 1.0}
    assert ratios({"us": 1.0}, {"us"}) == {}
