import json
import subprocess
import sys
from functools import partial
from importlib.util import find_spec

import numpy as np
import pytest

from bench import peers, train
from common.errors import MissingDependency

TINY = {"batch": 4, "classes": 12, "size": 32, "width": 0.125}


def test_the_trainers_step_and_keras_fit_learn():
    pytest.importorskip("tensorflow")
    from bench import train_step

    for make in (train_step.on_tensorflow, partial(train_step.keras_fit, xla=False)):
        run = make("iresnet18", **TINY)
        losses = [run() for _ in range(6)]
        assert np.isfinite(losses).all() and losses[-1] < losses[0]


@pytest.mark.skipif(not find_spec("jax"), reason="Keras' JAX backend needs jax, which is not installed")
def test_jax_learns_without_tensorflow():
    options = {"network": "iresnet18", "steps": 8, "precision": "mixed_bfloat16", **TINY}
    result = train.worker("train_step.py", options, "jax")
    assert result["last_loss"] < result["first_loss"] and len(result["seconds"]) == 8 and "jax" in result["backend"]


def test_nothing_of_tensorflow_is_imported_before_the_backend_is_chosen():
    script = "import sys, bench.train; print({'tensorflow', 'keras', 'torch'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], cwd=train.ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "set()", done.stderr


def test_partial_fc_takes_less_memory_than_all_classes():
    pytest.importorskip("tensorflow")
    options = {"classes": 40_000, "batch": 8, "steps": 2}
    every, sampled = (train.worker("head_cost.py", {**options, "rate": rate}) for rate in (1, 0.1))
    assert every["held"] == sampled["held"] == pytest.approx(2 * 4 * 40_000 * 512 / 1e6)
    assert sampled["megabytes"] < every["megabytes"] - 200 and min(every["seconds"], sampled["seconds"]) > 0


def test_growth_is_counted_from_the_smallest_head_and_without_weights():
    def cost(all_seconds, all_megabytes, seconds, megabytes, held):
        return {
            "all": {"seconds": all_seconds, "megabytes": all_megabytes, "held": held},
            "sampled": {"seconds": seconds, "megabytes": megabytes, "held": held},
        }

    costs = {"10": cost(0.1, 500, 0.1, 480, 40), "1000": cost(1.1, 1500, 0.2, 760, 240)}
    table = train.head_table(costs, 64)
    assert all(len(row) == len(table.columns) for row in table.rows)
    row = dict(zip(table.columns, table.rows[1]))
    assert table.rows[1][3] == "0.100"  # 0.1 s more instead of 1 s
    assert row["all: growth besides weights"] == "800" and row["Partial FC"] == "80" and table.rows[1][-1] == "0.100"
    assert table.rows[0][3] == "-"


def test_ratios_are_to_the_faster_fit_of_the_same_network():
    seconds = {
        "A, our trainer": [4.0], "A, Keras fit": [5.0], "A, Keras fit without XLA": [6.0],
        "B, our trainer": [2.0], "B, Keras fit": [2.0], "B, Keras fit without XLA": [1.0], train.TORCH: [8.0],
    }  # fmt: skip
    rows = {row[0]: row[1:] for row in train.step_table(seconds, 16, 1000, 112).rows}
    assert rows["A, our trainer"] == ["4.00", "4.00", "1.25"] and rows["B, our trainer"][2] == "0.50"
    assert rows[train.TORCH] == ["8.00", "2.00", "-"]


def test_the_share_of_the_peak_counts_three_forward_passes():
    result = {"backend": "x", "device": "NVIDIA H100 80GB HBM3", "median": 0.1}
    row = train.accelerated_table({"IResNet-50, this project": result}, 256, 1000, 112).rows[0]
    flops = 2560 * 3 * 2 * (6.31e9 + 512 * 1000)
    assert row[3:] == ["2560", f"{flops / 1e12:.1f}", f"{flops / 989e12:.1%}"]
    unknown = train.accelerated_table({"IResNet-50, this project": {**result, "device": "cpu"}}, 256, 1000, 112)
    assert unknown.rows[0][-1] == "-"


def test_a_worker_that_fails_is_reported_with_its_last_words():
    with pytest.raises(MissingDependency, match=r"train_step.py failed: .*no_such_backend"):
        train.worker("train_step.py", {"network": "iresnet50", **TINY}, "no_such_backend")


def test_a_missing_accelerator_is_said_and_not_measured_on_the_cpu(monkeypatch):
    def answer(script, options, backend="", python=""):
        if script == "peer_r50.py":
            raise MissingDependency("no CUDA")
        return {"backend": "Keras on jax", "device": "cpu", "median": 1.0}

    monkeypatch.setattr(train, "worker", answer)
    monkeypatch.setattr(train, "_torch_python", lambda: sys.executable)
    results, reasons = train.accelerated("jax", "cuda", 8, 10, 32, 0.125, 1)
    assert results == {} and "Keras on jax sees no GPU here" in reasons.values() and "no CUDA" in reasons.values()


@pytest.mark.skipif(
    not (peers.ENVIRONMENT / "installed-pytorch-r50.json").exists(),
    reason="PyTorch is not in the peers' environment; bench/train.py installs it",
)
def test_the_peer_has_the_parameters_of_iresnet50_and_learns():
    script = (
        "import json, runpy; m = runpy.run_path('bench/peer_r50.py');"
        "n = sum(p.numel() for p in m['IResNet50'](112, 1.0).parameters());"
        f"print(json.dumps([n, m['main']({ {**TINY, 'steps': 5} })]))"
    )
    done = subprocess.run([peers.python(), "-c", script], cwd=train.ROOT, capture_output=True, text=True, check=True)
    parameters, result = json.loads(done.stdout.splitlines()[-1])
    assert parameters == 43_590_848 and result["last_loss"] < result["first_loss"]
