import pytest

from common.errors import LicenseNotAccepted
from networks.licenses import License, require

RESEARCH = License("Research licence", False, "https://a.test/terms", "For non-commercial research only.")


@pytest.fixture(autouse=True)
def data(tmp_path, monkeypatch):
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path / "data"))
    monkeypatch.delenv("RECOGNIZER_ACCEPT_LICENSE", raising=False)
    return tmp_path / "data"


def refused(license=RESEARCH, model="one", alike=("one", "two")):
    with pytest.raises(LicenseNotAccepted) as failure:
        require(license, model, alike, accept=False)
    return str(failure.value)


def test_the_refusal_holds_the_terms_and_both_ways_to_accept(data):
    text = refused()
    assert RESEARCH.terms in text and RESEARCH.url in text
    assert "accept_license=True" in text and "RECOGNIZER_ACCEPT_LICENSE=one" in text
    assert not data.exists()


def test_a_permissive_licence_is_no_question(data):
    require(License("MIT", True, "https://a.test"), "one", ["one"], accept=False)
    assert not data.exists()


def test_accepted_once_is_remembered_for_all_models_under_it():
    require(RESEARCH, "one", ["one", "two"], accept=True)
    require(RESEARCH, "one", ["one", "two"], accept=False)
    require(RESEARCH, "two", ["one", "two"], accept=False)


def test_changed_terms_are_asked_for_anew():
    require(RESEARCH, "one", ["one"], accept=True)
    refused(License(RESEARCH.name, False, RESEARCH.url, "For nobody."))


@pytest.mark.parametrize("value", ["all", "one", "x, one", "two"])
def test_the_environment_accepts_by_name_of_any_model_under_it_without_writing(data, monkeypatch, value):
    monkeypatch.setenv("RECOGNIZER_ACCEPT_LICENSE", value)
    require(RESEARCH, "one", ["one", "two"], accept=False)
    assert not data.exists()


@pytest.mark.parametrize("value", ["", "three", "on", "ALL IN"])
def test_other_names_in_the_environment_accept_nothing(monkeypatch, value):
    monkeypatch.setenv("RECOGNIZER_ACCEPT_LICENSE", value)
    refused()


def test_a_data_folder_that_cannot_be_written_accepts_for_the_call(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path / "file" / "data"))
    require(RESEARCH, "one", ["one"], accept=True)
    refused()


def test_a_damaged_memory_accepts_nothing(data):
    data.mkdir()
    (data / "accepted_licenses.txt").write_bytes(b"\xff\xfe\x00garbage")
    refused()
