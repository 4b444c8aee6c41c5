"""Thresholds that --calibrate writes keep the rate they promise, and the recognizer uses them."""

import datetime
import json

import numpy as np
import pytest
import yaml
from typer.testing import CliRunner

import eval
import networks
from common.errors import BadArgument
from eval import calibration
from eval.cli.verify import app
from eval.measuring import Measurement
from eval.protocols.verification import verification
from networks.card import ModelCard
from tests.eval import tiny_sets
from tests.recognizer import tiny_models

TODAY = datetime.date.today().isoformat()


def measurement(pairs, name="lfw", seed=0, impostor=None):
    """Of random pairs, half of them genuine; of as many impostors that are ``impostor`` similar, if given."""
    draw = np.random.default_rng(seed)
    issame = np.arange(pairs) % 2 == 0
    first, second = draw.normal(size=(2, pairs, 8))
    second = np.where(issame[:, None], first + draw.normal(size=first.shape), second)
    if impostor:
        second = np.where(issame[:, None], second, first)
    rows = np.stack([first, second], 1).reshape(2 * pairs, 8)
    return Measurement("m", "openvino", name, "none", ModelCard("m"), "digest", verification(rows, issame), pairs, 1.0)


@pytest.mark.parametrize("far", [0.1, 0.01, 0.0025])
def test_it_is_the_least_step_at_which_not_more_than_the_rate_of_impostors_is_accepted(far):
    measured = measurement(2000)
    [found, *others] = calibration.measured_thresholds([measured], far)
    judged = measured.verification
    impostor = [s for s, same in zip(judged.similarities, judged.issame) if not same]
    assert (found.far, found.set, found.genuine, found.impostor) == (far, "lfw", 1000, 1000)
    assert (found.date, found.digest) == (TODAY, "digest")
    assert (
        sum(s >= found.similarity for s in impostor) <= far * 1000 < sum(s >= found.similarity - 1e-4 for s in impostor)
    )
    assert found.similarity == round(found.similarity, 4)
    tar = np.mean([s >= found.similarity for s, same in zip(judged.similarities, judged.issame) if same])
    if far in judged.tar:
        assert tar == pytest.approx(judged.tar[far], abs=0.002)
    assert {each.far for each in (found, *others)} == {0.1, 0.01, 0.001, far}, "what 1000 impostors carry"


def test_of_several_sets_the_strictest_one_counts_and_all_are_kept():
    several = [measurement(2000, name, seed) for seed, name in enumerate(("a", "b", "c", "few"))]
    several[3] = measurement(20, "few")
    found = calibration.measured_thresholds(several, 0.01)
    at = {each.set: each.similarity for each in found if each.far == 0.01}
    assert set(at) == {"a", "b", "c"} and found[0].similarity == max(at.values()) > min(at.values())
    assert len(found) == 9 + 1 and len({(each.set, each.far) for each in found}) == 10


def test_too_few_pairs_say_how_many_it_takes_and_what_can_be_measured():
    with pytest.raises(
        BadArgument, match=r"FAR 0\.001 takes 1000 impostor pairs; the largest set has 100: --far 0\.01 "
    ):
        calibration.measured_thresholds([measurement(200), measurement(40)], 0.001)
    with pytest.raises(BadArgument, match="takes 1000 impostor pairs; the largest set has 9: no rate can be measured"):
        calibration.measured_thresholds([measurement(18)], 0.001)


def test_strangers_with_the_same_picture_leave_no_threshold():
    with pytest.raises(BadArgument, match="are the same picture, so no threshold reaches"):
        calibration.measured_thresholds([measurement(2000, impostor="same")], 0.01)


@pytest.fixture
def run():
    def call(*arguments, code=0):
        result = CliRunner().invoke(app, [str(each) for each in arguments])
        assert result.exit_code == code, result.output
        return result

    return call


@pytest.fixture
def lfw(tmp_path):
    tiny_sets.write_set(tmp_path / "lfw.bin", 240, noise=40)
    return tmp_path / "lfw.bin"


@pytest.fixture
def model(tmp_path):
    """A model file whose card has a flip rule of its own."""
    path = tiny_models.model(tmp_path / "models")
    card = yaml.safe_load(path.with_suffix(".yaml").read_text()) | {"flip": "sum_normalised"}
    path.with_suffix(".yaml").write_text(yaml.safe_dump(card))
    return path


def test_the_recognizer_uses_what_was_measured_the_way_it_embeds(run, model, lfw):
    from recognizer import Recognizer

    result = run("--datasets", lfw, "--model", model, "--calibrate", "--far", "0.05", "--json")
    assert [each["flip"] for each in json.loads(result.stdout)["measurements"]] == ["sum_normalised"]
    network = networks.load(model)
    threshold = network.card.threshold
    pictures, issame = eval.read_bin(lfw)
    rows = tiny_sets.embeddings(pictures, "sum_normalised")
    accepted = [float(rows[2 * i] @ rows[2 * i + 1]) >= threshold.similarity for i in np.flatnonzero(~issame)]
    assert 0.05 * len(accepted) - 1 <= sum(accepted) <= 0.05 * len(accepted)
    assert (threshold.far, threshold.measured_on) == (0.05, f"lfw, 120 impostor pairs, {TODAY}")
    assert f"now {threshold.similarity:.4f}: FAR 0.05 on 120 impostor pairs of lfw; in {model.parent}" in result.stderr
    assert {(each.far, each.digest) for each in network.card.measured} == {
        (0.1, network.digest), (0.05, network.digest), (0.01, network.digest)
    }  # fmt: skip
    with Recognizer(model=model, database="sqlite://") as recognizer:
        assert recognizer.threshold == threshold.similarity


def test_a_model_of_the_zoo_becomes_a_bundle(run, lfw, tmp_path, mobilefacenet_files):
    tiny_sets.write_set(tmp_path / "big.bin", 20, shape=(112, 112))
    options = ["--datasets", tmp_path / "big.bin", "--model", "mobilefacenet", "--calibrate", "--far", "0.1"]
    assert "name a new folder with --bundle DIR" in run(*options, code=2).stderr
    run(*options, "--bundle", tmp_path / "mine")
    threshold = networks.load(tmp_path / "mine").card.threshold
    assert threshold.far == 0.1 and threshold.measured_on.startswith("big, 10 impostor pairs")
    again = run(*options, "--bundle", tmp_path / "mine", code=2)
    assert again.stdout == "" and "is there already" in again.stderr, "said before anything is measured"


def test_the_card_stays_as_it_is_where_something_failed(run, model, lfw, tmp_path):
    card = model.with_suffix(".yaml").read_text()
    (tmp_path / "damaged.bin").write_bytes(b"no pickle")
    result = run("--datasets", f"{lfw},{tmp_path / 'damaged.bin'}", "--model", model, "--calibrate", code=2)
    assert "The card stays as it is" in result.stderr and "lfw" in result.stdout
    assert "takes 1000 impostor pairs" in run("--datasets", lfw, "--model", model, "--calibrate", code=2).stderr
    assert model.with_suffix(".yaml").read_text() == card
