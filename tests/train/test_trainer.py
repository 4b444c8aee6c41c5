"""Runs in this process, their steps executed one by one instead of compiled, which is quicker for a few of them."""

import csv
import json

import numpy as np
import pytest

import eval
import networks
from common import config as files
from common.errors import BadArgument, BadCheckpoint, BadConfig, TrainingDiverged
from tests.train.conftest import patterns, write_dataset

tf = pytest.importorskip("tensorflow", reason="training needs it: pip install '.[train]'")
keras = pytest.importorskip("keras")
checkpoints, config, distribution, learners, trainer = (
    pytest.importorskip(f"train.{name}") for name in ("checkpoints", "config", "distribution", "learner", "trainer")
)
CPU = distribution.Devices(tf.distribute.get_strategy(), 1, 0, 1, "CPU")


@pytest.fixture(autouse=True)
def step_by_step():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


@pytest.fixture
def run(settings, config_file, tmp_path):
    """A function that runs the settings with changes, and returns the trainer and the result."""

    def run(*changes, output="run", resume=False):
        made = trainer.Trainer(config.load(config_file(), changes), CPU, tmp_path / output, resume)
        return made, made.run()

    return run


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def losses(folder):
    return [float(row["loss"]) for row in table(folder / "log.csv")]


def test_a_run_learns_and_ends_in_a_bundle_that_embeds_as_the_network_does(run, tmp_path, strangers):
    made, result = run(f"verification={{sets: [{strangers}], every: 4, far: 0.1}}", "training.duration=30")
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0] / 2
    network = networks.load(result.bundle)
    pictures = np.random.default_rng(0).integers(0, 256, (3, 32, 32, 3), np.uint8)
    expected = made.measuring._network.embed(pictures)
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(network.embed(pictures), expected, atol=1e-5)
    assert network.card.threshold.far == 0.1 and "test, 160 impostor pairs" in network.card.threshold.measured_on


def test_the_bundle_holds_the_configuration_and_what_was_measured(run, strangers):
    _, result = run(f"verification={{sets: [{strangers}], every: 4}}", "head.margin=0.1")
    training = files.load(result.bundle / "model.yaml")["training"]
    assert training["config"]["head"]["margin"] == 0.1 and training["config"]["seed"] == 0
    assert training["classes"] == 5 and training["images"] == 60
    assert 0 <= training["verification"]["test"]["auc"] <= 1


def test_the_table_has_a_row_for_each_stretch(run, tmp_path):
    run("log.every=2", "schedule={name: cosine, learning_rate: 0.02}")
    rows = table(tmp_path / "run" / "log.csv")
    assert [row["step"] for row in rows] == ["2", "4", "6", "8"]
    assert [float(row["epoch"]) for row in rows] == pytest.approx([16 / 60, 32 / 60, 48 / 60, 64 / 60])
    assert float(rows[0]["learning_rate"]) > float(rows[-1]["learning_rate"]) > 0
    assert all(float(row["images_per_second"]) > 0 for row in rows)


def test_the_best_weights_by_verification_are_handed_on(run, tmp_path, strangers, monkeypatch):
    """Of two that are as good, those that learned longer."""
    scores = iter([0.1, 0.9, 0.9, 0.5])  # before the first step, and after 4, 8 and 12
    monkeypatch.setattr("train.verification.score", lambda rates: next(scores))
    made, result = run(f"verification={{sets: [{strangers}], every: 4}}", "training.duration=12")
    best = checkpoints.read(tmp_path / "run/checkpoints/best.npz")
    assert best.step == made.measuring.best["step"] == 8
    assert files.load(result.bundle / "model.yaml")["training"]["steps"] == 8
    handed_on = keras.models.load_model(result.bundle / "model.keras").get_weights()
    last = made.learner.weights()
    for array, expected in zip(handed_on, best.arrays.values(), strict=True):
        np.testing.assert_array_equal(array, expected)
    assert any(not np.array_equal(array, other) for array, other in zip(handed_on, last))


def test_the_last_weights_are_handed_on_where_that_is_asked_for(run, strangers, monkeypatch):
    scores = iter([0.9, 0.1, 0.1])
    monkeypatch.setattr("train.verification.score", lambda rates: next(scores))
    made, result = run(f"verification={{sets: [{strangers}], every: 4}}", "bundle.weights=last")
    for array, expected in zip(
        keras.models.load_model(result.bundle / "model.keras").get_weights(), made.learner.weights(), strict=True
    ):
        np.testing.assert_array_equal(array, expected)


def test_a_verification_file_is_measured_by_the_ten_fold_protocol(run, tmp_path):
    pictures, labels = patterns(60, 5, 32, seed=3)
    first = np.arange(15)
    order = np.concatenate([np.stack([first, first + 5], 1), np.stack([first, first + 1], 1)])  # classes take turns
    issame = labels[order[:, 0]] == labels[order[:, 1]]
    eval.write_bin(tmp_path / "own.bin", pictures[order.ravel()], issame)
    _, result = run(f"verification={{sets: [own], folder: {tmp_path}, every: 8, flip: none}}")
    row = table(tmp_path / "run" / "verification.csv")[-1]
    embeddings = eval.embed(networks.load(result.bundle), eval.read_bin(tmp_path / "own.bin")[0])
    assert (row["set"], row["step"]) == ("own", "8")
    assert 0.5 < float(row["accuracy"]) <= 1 and float(row["auc"]) > 0.9
    assert row["accuracy"] == f"{eval.verification(embeddings, issame).accuracy:.9g}"


def test_tensorboard_gets_scalars_a_sheet_and_angles(run, tmp_path, strangers):
    accumulators = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run("log={every: 2, pictures: 4, tensorboard: true}", f"verification={{sets: [{strangers}], every: 8}}")
    events = accumulators.EventAccumulator(str(tmp_path / "run" / "tensorboard"), size_guidance={"tensors": 0})
    events.Reload()
    tags = set(events.Tags()["tensors"])
    assert {"train/loss", "train/learning_rate", "verification/test/auc"} <= tags
    assert {"batch", "angles/target", "angles/non_target"} <= tags
    logged = [float(tf.make_ndarray(event.tensor_proto)) for event in events.Tensors("train/loss")]
    assert logged == pytest.approx(losses(tmp_path / "run"), rel=1e-6)
    width, height, *sheets = tf.make_ndarray(events.Tensors("batch")[0].tensor_proto)
    assert (int(width), int(height), len(sheets)) == (8 * 32, 32, 1)


def test_a_set_that_is_not_there_is_told_and_left_out(run, capsys):
    _, result = run("verification={sets: [lfw], folder: nowhere}")
    assert result.bundle and "lfw is not measured: there is no nowhere/lfw.bin" in capsys.readouterr().err


def test_a_step_that_is_not_finite_stops_the_run_and_keeps_its_batch(run, tmp_path):
    with pytest.raises(TrainingDiverged, match="learning rate") as caught:
        run("schedule={name: piecewise, boundaries: [3], values: [0.01, 1e30]}", "training.duration=40", "log.every=5")
    folder = next((tmp_path / "run").glob("diverged-*"))
    step = json.loads((folder / "step.json").read_text())["step"]
    assert 3 < step < 15 and str(folder) in str(caught.value)
    with np.load(folder / "batch.npz") as batch:
        made = trainer.Trainer(caught_config(tmp_path), CPU, tmp_path / "other")
        pictures, labels = made.pipeline.at(step * 8, 8)
        np.testing.assert_array_equal(batch["pictures"], pictures)
        np.testing.assert_array_equal(batch["labels"], labels)
    assert (folder / "batch.png").stat().st_size > 0
    assert not (tmp_path / "run" / "bundle").exists()
    newest = checkpoints.Checkpoints(tmp_path / "run" / "checkpoints").newest()
    assert newest is None or all(np.isfinite(array).all() for array in newest.arrays.values())


def caught_config(tmp_path):
    return config.load(tmp_path / "config.yaml")


def test_a_second_run_into_the_same_folder_is_refused(run):
    run()
    with pytest.raises(BadArgument, match="--resume"):
        run()


def test_resuming_nothing_is_refused(run):
    with pytest.raises(BadCheckpoint, match="no run"):
        run(resume=True)


def test_a_finished_run_goes_on_when_it_is_made_longer(run, tmp_path):
    run("training.duration=8")
    run("training.duration=12", resume=True)
    run("training.duration=12", output="straight")
    assert losses(tmp_path / "run") == losses(tmp_path / "straight")


@pytest.mark.parametrize("change", ["head.margin=0.3", "seed=1", "data.batch=4", "optimizer.momentum=0.8"])
def test_resuming_with_what_decides_the_numbers_changed_is_refused_and_named(run, change):
    run("training.duration=4")
    with pytest.raises(BadCheckpoint, match=change.split("=")[0]):
        run("training.duration=8", change, resume=True)


def test_resuming_with_other_pictures_is_refused(run, tmp_path):
    other = write_dataset(tmp_path / "other", seed=9)
    run("training.duration=4")
    with pytest.raises(BadCheckpoint, match="other pictures"):
        run("training.duration=8", f"data.train={other}", resume=True)


def test_a_damaged_last_checkpoint_costs_one_interval_and_no_number(run, tmp_path):
    run("training.duration=8")
    (tmp_path / "run/checkpoints/step-000000008.npz").write_bytes(b"half a file")
    run("training.duration=12", resume=True)
    run("training.duration=12", output="straight")
    assert losses(tmp_path / "run") == losses(tmp_path / "straight")


def test_a_disk_that_is_full_costs_a_checkpoint_and_not_the_run(run, tmp_path, monkeypatch, caplog):
    write = checkpoints.write
    full = []

    def write_or_fail(path, arrays, meta):
        if meta["step"] == 4:
            full.append(path)
            raise BadCheckpoint(f"{path} could not be written (No space left on device).")
        write(path, arrays, meta)

    run("training.duration=2", "checkpoints.every=2")
    monkeypatch.setattr(checkpoints, "write", write_or_fail)
    _, result = run("training.duration=8", "checkpoints.every=2", resume=True)
    assert full and result.bundle and "No space left" in caplog.text
    names = [path.name for path in (tmp_path / "run/checkpoints").glob("step-*")]
    assert "step-000000008.npz" in names and "step-000000004.npz" not in names


def test_parts_of_a_batch_added_up_give_the_step_of_the_whole_batch(run, tmp_path):
    """On a network without batch normalisation, whose statistics are those of a part."""
    plain = "backbone.options={norm: false}"
    run(plain, "training.duration=3", output="whole")
    run(plain, "training.duration=3", "training.accumulate=4", output="parts")
    np.testing.assert_allclose(losses(tmp_path / "parts"), losses(tmp_path / "whole"), rtol=1e-4)


@pytest.mark.parametrize("precision", ["mixed_float16", "mixed_bfloat16"])
def test_half_precision_learns_and_keeps_its_weights_in_float32(run, tmp_path, precision):
    made, _ = run(f"training.precision={precision}", "training.duration=16")
    assert losses(tmp_path / "run")[-1] < losses(tmp_path / "run")[0]
    assert {str(variable.dtype) for variable in made.learner.model.trainable_variables} == {"float32"}
    assert {layer.compute_dtype for layer in made.learner.model.layers if "conv" in layer.name} == {precision[6:]}


def test_a_batch_that_the_replicas_cannot_share_is_refused(settings, config_file, tmp_path):
    three = distribution.Devices(tf.distribute.get_strategy(), 1, 0, 3, "three")
    with pytest.raises(BadConfig, match="data.batch .8. must be a multiple of 3"):
        trainer.Trainer(config.load(config_file()), three, tmp_path / "run")


def test_the_average_of_the_weights_is_what_is_handed_on(config_file, tmp_path):
    changes = ["training.ema=0.5", "training.duration=1", "schedule.learning_rate=0.1"]
    made = trainer.Trainer(config.load(config_file(), changes), CPU, tmp_path / "run")
    before = np.float64(made.learner.model.trainable_variables[0].value.numpy())
    made.run()
    after = np.float64(made.learner.model.trainable_variables[0].value.numpy())
    keep = min(0.5, (1 + 1) / (10 + 1))  # after the first update
    handed_on = made.measuring._network.model.variables[0].value.numpy()
    np.testing.assert_allclose(handed_on, keep * before + (1 - keep) * after, atol=1e-6)
    assert np.abs(after - handed_on).max() > 1e-4


def test_training_goes_on_from_a_bundle_with_another_number_of_classes(run, tmp_path):
    _, first = run("training.duration=8")
    seven = write_dataset(tmp_path / "seven", classes=7)
    new = (f"data.train={seven}", f"backbone.weights={first.bundle}", "schedule.learning_rate=0.0")
    made, second = run(*new, "training.duration=1", output="second")
    assert made.dataset.classes == made.learner.head.classes == 7
    networks_of = [keras.models.load_model(result.bundle / "model.keras") for result in (first, second)]
    for before, after in zip(*(network.trainable_variables for network in networks_of), strict=True):
        np.testing.assert_array_equal(after.value.numpy(), before.value.numpy())


def test_a_step_does_not_undo_weights_whose_normalisations_came_folded(settings, config_file, mobilefacenet_files):
    settings["data"] |= {"image_size": [112, 112], "scale": 128.0}
    settings["backbone"] = {"name": "mobilefacenet_public", "embedding_size": 192}
    learner = learners.Learner(config.load(config_file()), CPU, 5)
    faces = (np.float32(patterns(32, 5, 112)[0]) - 127.5) / 128
    learner.load_weights("mobilefacenet", faces)
    served, in_training = (learner.model(faces, training=training).numpy() for training in (False, True))
    assert np.abs(served - in_training).max() < 0.05 * np.abs(served).max()


@pytest.mark.parametrize("reduce", ["sum", "mean"])
def test_the_slices_of_multiface_are_reduced_as_its_head_says(run, tmp_path, reduce):
    head = f"head={{name: multiface, head: norm_softmax, slices: 4, scale: 1.0, initial_std: 0.0, reduce: {reduce}}}"
    run(head, "training.duration=1")
    expected = np.log(5) * (4 if reduce == "sum" else 1)  # class weights of zero: all five classes are equally near
    assert losses(tmp_path / "run") == pytest.approx([expected], rel=1e-5)


def test_gradients_that_overflow_in_float16_are_left_out_until_the_scale_fits(run, tmp_path, monkeypatch):
    monkeypatch.setattr("train.loss_scale.LossScale.__init__.__defaults__", (2.0**24, 2000))
    made, _ = run("training.precision=mixed_float16", "training.duration=20", "head.scale=512.0")
    skipped = [int(row["skipped"]) for row in table(tmp_path / "run" / "log.csv")]
    assert skipped[0] == 1 and skipped[-1] == 0
    assert np.isfinite(losses(tmp_path / "run")).all()
    scale = made.learner._step._loss_scale.scale.value.numpy()
    assert scale == 2.0 ** (24 - sum(skipped))
