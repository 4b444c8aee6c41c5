"""Each key of recognizer.yaml is explained there, and is an environment variable, which the page names."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import yaml

import db
from common import config
from common.errors import BadConfig, DatabaseError, NothingEnrolled
from mtcnn import create
from recognizer import Recognizer, settings
from recognizer.liveness import LivenessLimits
from recognizer.quality import QualityLimits
from recognizer.service.settings import ServiceSettings
from recognizer.settings import Settings

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
# A value for each setting that is not the installed one: as it is written in a variable, and as it is then.
PLAIN = {
    "model": ("sface", "sface"), "detector": ("yunet", "yunet"), "detector_options": ("{threads: 3}", {"threads": 3}),
    "database": ("mysql://me@host/faces", "mysql://me@host/faces"), "database_timeout": ("2.5", 2.5),
    "gallery": ("12", "12"), "store_crops": ("true", True), "matching": ("photo", "photo"), "index": ("int8", "int8"),
    "index_options": ("{links: 8}", {"links": 8}), "snapshot": ("never", "never"), "threshold": ("0.25", 0.25),
    "device": ("gpu", "gpu"), "precision": ("f16", "f16"), "threads": ("3", 3), "gates": ("off", "off"),
    "quality": ("{min_size: 77}", {"min_size": 77}), "duplicates": ("never", "never"),
    "liveness": ("report", "report"), "liveness_options": ("{max_score: 0.5}", {"max_score": 0.5}),
}  # fmt: skip
SERVICE = {
    "host": ("localhost", "localhost"), "port": ("81", 81), "workers": ("3", 3), "keys": ("required", "required"),
    "trusted_proxies": ("127.0.0.1, 10.0.0.0/8", ("127.0.0.1", "10.0.0.0/8")), "tls_certificate": ("/c", "/c"),
    "tls_key": ("/k", "/k"), "failures_per_minute": ("3", 3), "max_connections": ("4", 4), "max_body_mb": ("0.5", 0.5),
    "max_video_mb": ("7", 7), "body_seconds": ("8.5", 8.5), "max_photos": ("9", 9), "max_pixels": ("10000", 10_000),
    "max_faces": ("11", 11), "inference_threads": ("2", 2), "batch": ("5", 5), "queue": ("6", 6),
    "open_galleries": ("3", 3), "max_jobs": ("4", 4), "jobs_folder": ("/jobs", "/jobs"), "undo_seconds": ("90", 90),
    "audit_days": ("30", 30), "shutdown_seconds": ("12", 12), "pages": ("false", False),
}  # fmt: skip
PARTS = {"quality": QualityLimits, "liveness_options": LivenessLimits}


def test_there_is_a_value_to_try_for_every_key():
    assert set(PLAIN) == {field.name for field in fields(Settings)} - {"service", "database_password_file"}
    assert set(SERVICE) == {field.name for field in fields(ServiceSettings)}


@pytest.mark.parametrize("key", PLAIN)
def test_a_setting_is_a_variable(monkeypatch, key):
    text, value = PLAIN[key]
    before = settings.read()
    monkeypatch.setenv(f"RECOGNIZER_{key.upper()}", text)
    after = settings.read()
    changed = {each.name for each in fields(Settings) if getattr(after, each.name) != getattr(before, each.name)}
    assert changed == {key} and getattr(after, key) == value
    assert re.search(rf"^\| `{key}` \| `RECOGNIZER_{key.upper()}` \|", PAGE, re.MULTILINE)


@pytest.mark.parametrize("key", SERVICE)
def test_a_setting_of_the_service_is_a_variable(monkeypatch, key):
    text, value = SERVICE[key]
    before = settings.read().service_settings()
    together = ("tls_certificate", "tls_key") if key.startswith("tls_") else (key,)
    for each in together:
        monkeypatch.setenv(f"RECOGNIZER_SERVICE_{each.upper()}", SERVICE[each][0])
    after = settings.read().service_settings()
    changed = {each.name for each in fields(after) if getattr(after, each.name) != getattr(before, each.name)}
    assert changed == set(together) and getattr(after, key) == value
    assert f"| `service.{key}` | `RECOGNIZER_SERVICE_{key.upper()}` |" in PAGE


@pytest.mark.parametrize(("part", "key"), [(part, each.name) for part, kind in PARTS.items() for each in fields(kind)])
def test_a_key_of_a_group_of_limits_is_a_variable_that_leaves_the_others(monkeypatch, part, key):
    limits = {"quality": Settings.quality_limits, "liveness_options": Settings.liveness_limits}[part]
    before = limits(settings.read())
    monkeypatch.setenv(f"RECOGNIZER_{part.upper()}_{key.upper()}", "0.125")
    after = limits(settings.read())
    changed = {each.name for each in fields(after) if getattr(after, each.name) != getattr(before, each.name)}
    assert changed == {key} and getattr(after, key) == 0.125
    assert f"| `{part}.{key}` | `RECOGNIZER_{part.upper()}_{key.upper()}` |" in PAGE
    monkeypatch.setenv(f"RECOGNIZER_{part.upper()}_{key.upper()}", "null")
    assert getattr(limits(settings.read()), key) is None


def test_an_option_of_the_detector_is_a_variable(monkeypatch, mtcnn_files):
    monkeypatch.setenv("RECOGNIZER_DETECTOR_OPTIONS_MIN_FACE_SIZE", "77")
    monkeypatch.setenv("RECOGNIZER_DETECTOR_OPTIONS_THRESHOLDS", "[0.5, 0.6, 0.7]")
    detector = create("mtcnn", **settings.read().detector_options)
    assert (detector.min_face_size, detector.thresholds) == (77, (0.5, 0.6, 0.7))
    assert "`RECOGNIZER_DETECTOR_OPTIONS_MIN_FACE_SIZE`" in PAGE


def test_an_option_of_the_index_is_a_variable_which_joins_the_whole(monkeypatch):
    monkeypatch.setenv("RECOGNIZER_INDEX_OPTIONS", "{links: 8, effort: 9}")
    monkeypatch.setenv("RECOGNIZER_INDEX_OPTIONS_LINKS", "16")
    monkeypatch.setenv("RECOGNIZER_INDEX_OPTIONS_URI", "http://localhost:19530")
    monkeypatch.setenv("RECOGNIZER_INDEX_OPTIONS_FOLDER", "")  # counts as not set
    assert settings.read().index_options == {"links": 16, "effort": 9, "uri": "http://localhost:19530"}
    assert "`RECOGNIZER_INDEX_OPTIONS_LINKS`" in PAGE


@pytest.mark.parametrize(
    ("variable", "text", "told"),
    [
        ("RECOGNIZER_QUALITY_MIN_SIZ", "3", "quality: unknown key 'min_siz'"),
        ("RECOGNIZER_QUALITY_MIN_SIZE", "small", "quality: min_size must be a number"),
        ("RECOGNIZER_QUALITY", "30", "quality must be dict"),
        ("RECOGNIZER_LIVENESS_OPTIONS_MAX_SCORE", "-1", "liveness_options: max_score must be a number"),
        ("RECOGNIZER_THREADS", "many", "threads must be int or null"),
    ],
)
def test_a_variable_that_cannot_be_is_told_as_one_of_the_environment(monkeypatch, variable, text, told):
    monkeypatch.setenv(variable, text)
    with pytest.raises(BadConfig, match=f"^The environment: {told}"):
        settings.read()


def test_a_wrong_whole_is_told_even_beside_a_good_part(monkeypatch):
    monkeypatch.setenv("RECOGNIZER_QUALITY", "30")
    monkeypatch.setenv("RECOGNIZER_QUALITY_MIN_SIZE", "30")
    with pytest.raises(BadConfig, match="quality must be dict"):
        settings.read()


def test_variables_win_over_the_file_and_arguments_over_them(tmp_path, monkeypatch):
    mine = tmp_path / "mine.yaml"
    values = config.load(ROOT / "configs" / "recognizer.yaml") | {"quality": {"min_size": 50, "max_yaw": 40}}
    mine.write_text(yaml.safe_dump(values))
    monkeypatch.setenv("RECOGNIZER_QUALITY_MIN_SIZE", "60")
    assert settings.read(mine).quality == {"min_size": 60, "max_yaw": 40}
    assert settings.read(mine, quality={"min_size": 70}).quality == {"min_size": 70}


def test_a_password_of_the_environment_wins_over_the_file_that_the_settings_name(tmp_path, monkeypatch):
    """Shown by which file cannot be read: no server is needed to get that far."""
    mine, there = tmp_path / "mine.yaml", tmp_path / "there"
    values = config.load(ROOT / "configs" / "recognizer.yaml")
    values |= {"database": "mysql://me@127.0.0.1:1/faces", "database_password_file": str(tmp_path / "of_the_settings")}
    mine.write_text(yaml.safe_dump(values | {"database_timeout": 0.1}))
    there.write_text("pass")

    def failure():
        chosen = settings.read(mine)
        with pytest.raises(Exception) as caught:
            db.open(chosen.database, chosen.database_timeout, chosen.database_password_file)
        return caught.value

    assert "of_the_settings" in str(failure())
    monkeypatch.setenv("RECOGNIZER_DATABASE_PASSWORD_FILE", str(tmp_path / "of_the_environment"))
    assert "of_the_environment" in str(failure())
    monkeypatch.setenv("RECOGNIZER_DATABASE_PASSWORD_FILE", str(there))
    assert isinstance(failure(), DatabaseError)
    monkeypatch.delenv("RECOGNIZER_DATABASE_PASSWORD_FILE")
    monkeypatch.setenv("RECOGNIZER_DATABASE_PASSWORD", "pass")
    assert isinstance(failure(), DatabaseError)


def test_a_limit_of_the_environment_reaches_enrolment(monkeypatch, mobilefacenet_files, mtcnn_files, sample_photo):
    monkeypatch.setenv("RECOGNIZER_QUALITY_MIN_SIZE", "5000")
    with Recognizer(database="sqlite://") as recognizer, pytest.raises(NothingEnrolled, match="5000"):
        recognizer.add_customs("Ann", sample_photo("obama"))


def test_every_key_of_the_file_has_a_comment_beside_or_above_it():
    lines = (ROOT / "configs" / "recognizer.yaml").read_text(encoding="utf-8").splitlines()
    keys = [number for number, line in enumerate(lines) if re.match(r" *[a-z_]+:", line)]
    assert len(keys) > 50
    assert [lines[number] for number in keys if "#" not in lines[number] and "#" not in lines[number - 1][:1]] == []
