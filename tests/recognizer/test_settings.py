"""Where settings come from, in which order, and what is refused."""

import pytest
import yaml

from common import config
from common.errors import BadArgument, BadConfig, UnknownChoice
from recognizer import Recognizer, settings

GOOD = {
    "model": "mobilefacenet", "detector": "mtcnn", "detector_options": {}, "database": "sqlite://",
    "gallery": "default", "threshold": None, "device": "auto", "precision": "f32", "threads": None,
}  # fmt: skip


@pytest.fixture
def write(tmp_path):
    def write(name="mine.yaml", **changed):
        (tmp_path / name).write_text(yaml.safe_dump(GOOD | changed))
        return tmp_path / name

    return write


def test_the_packaged_file_is_the_default(own_data_folder):
    read = settings.read()
    assert (read.model, read.detector, read.gallery, read.threshold) == (
        "mobilefacenet",
        "mtcnn",
        "default",
        None,
    )
    assert read.database == f"sqlite:///{own_data_folder.absolute() / 'people.db'}"


def test_a_file_may_be_given_or_named_by_the_environment(write, monkeypatch):
    assert settings.read(write(gallery="staff")).gallery == "staff"
    monkeypatch.setenv("RECOGNIZER_CONFIG", str(write("other.yaml", gallery="guests")))
    assert settings.read().gallery == "guests"
    assert settings.read(write(gallery="staff")).gallery == "staff"


def test_an_argument_wins_over_the_environment_which_wins_over_the_file(write, monkeypatch):
    path = write(database="sqlite:////from/file.db")
    assert settings.read(path).database == "sqlite:////from/file.db"
    monkeypatch.setenv("RECOGNIZER_DATABASE", "sqlite:////from/environment.db")
    assert settings.read(path).database == "sqlite:////from/environment.db"
    assert settings.read(path, database="sqlite://").database == "sqlite://"


def test_none_counts_as_not_given_and_zero_as_given(write):
    path = write(threshold=0.5, threads=2)
    assert settings.read(path, threshold=None, threads=None).threshold == 0.5
    assert settings.read(path, threshold=0).threshold == 0


@pytest.mark.parametrize("key", GOOD)
def test_a_missing_key_is_named(tmp_path, key):
    (tmp_path / "mine.yaml").write_text(yaml.safe_dump({k: v for k, v in GOOD.items() if k != key}))
    with pytest.raises(BadConfig, match=f"mine.yaml.*{key!r} is missing"):
        settings.read(tmp_path / "mine.yaml")


def test_a_file_of_the_first_release_means_what_is_installed_by_the_keys_it_lacks(write):
    read, installed = settings.read(write()), config.load(config.packaged("recognizer.yaml"))
    for key in installed.keys() - GOOD.keys():
        assert getattr(read, key) == installed[key]
    assert settings.read(write(store_crops=True)).store_crops is True


def test_an_unknown_key_is_named(write):
    with pytest.raises(BadConfig, match="mine.yaml.*'treshold'"):
        settings.read(write(treshold=0.4))


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("model", 5),
        ("detector", None),
        ("detector_options", []),
        ("database", ["sqlite://"]),
        ("gallery", 1),
        ("threshold", "0.4"),
        ("threshold", True),
        ("device", None),
        ("precision", 32),
        ("threads", 1.5),
        ("threads", True),
        ("store_crops", "yes"),
        ("database_timeout", "10"),
        ("database_password_file", 5),
        ("index_options", "fast"),
    ],
)
def test_a_value_of_the_wrong_type_is_named(write, key, value):
    with pytest.raises(BadConfig, match=f"mine.yaml: {key} must be"):
        settings.read(write(**{key: value}))


def test_no_message_repeats_a_password(write, monkeypatch, mobilefacenet_files):
    with pytest.raises(BadConfig) as caught:
        settings.read(write(database=["mysql://me:hunter2@host/people"]))
    assert "hunter2" not in str(caught.value)
    monkeypatch.setenv("RECOGNIZER_DATABASE", "postgres://me:hunter2@host/people")
    with pytest.raises(BadArgument) as caught:
        Recognizer()
    assert "hunter2" not in str(caught.value)


def test_a_missing_file_lists_what_there_is():
    with pytest.raises(BadConfig, match=r"none\.yaml.*recognizer\.yaml"):
        settings.read("none.yaml")


@pytest.mark.parametrize(
    ("changed", "error", "named"),
    [
        ({"model": "resnet5"}, UnknownChoice, "resnet5"),
        ({"detector": "viola"}, UnknownChoice, "viola"),
        ({"detector_options": {"min_face": 20}}, BadArgument, "min_face"),
        ({"detector_options": {5: 20}}, BadConfig, "5"),
        ({"detector_options": {"name": "yunet"}}, BadArgument, "'name'"),
        ({"detector_options": {"min_face_size": "small"}}, BadArgument, "min_face_size"),
        ({"detector_options": {"thresholds": [0.6, 0.7]}}, BadArgument, "thresholds"),
        ({"threshold": 2}, BadArgument, "threshold"),
        ({"device": "tpu"}, BadArgument, "tpu"),
        ({"precision": "int4"}, BadArgument, "int4"),
        ({"threads": 0}, BadArgument, "threads"),
        ({"matching": "best"}, BadConfig, "template, photo"),
        ({"index": "flat"}, BadConfig, "exact, int8, hnsw, milvus"),
        ({"snapshot": "yes"}, BadConfig, "always, never"),
        ({"database_timeout": 0}, BadArgument, "timeout"),
        ({"database_password_file": "/none", "database": "mysql://u@127.0.0.1:1/x"}, BadArgument, "password file"),
        ({"database": "people.db"}, BadArgument, "database"),
    ],
)
def test_a_setting_without_meaning_is_named(write, mobilefacenet_files, mtcnn_files, changed, error, named):
    with pytest.raises(error, match=named):
        Recognizer(config=write(**changed))


def test_options_in_a_file_reach_the_detector(write, mobilefacenet_files, mtcnn_files):
    options = {"min_face_size": 77, "thresholds": [0.6, 0.7, 0.8]}
    with Recognizer(config=write(detector_options=options)) as recognizer:
        assert recognizer.detector.min_face_size == 77
        assert recognizer.detector.thresholds == (0.6, 0.7, 0.8)
