import pytest

from common.config import MAX_BYTES, check_keys, find, load
from common.errors import BadConfig


@pytest.fixture
def written(tmp_path):
    def write(text, name="some.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


def test_a_name_is_found_in_the_package_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert find("models.yaml").parent.name == "configs"
    assert "mobilefacenet" in load("models.yaml")


def test_a_path_wins_over_a_name(written, tmp_path, monkeypatch):
    path = written("mine: 1", "models.yaml")
    monkeypatch.chdir(tmp_path)
    assert find("models.yaml").resolve() == path
    assert load("models.yaml") == {"mine": 1}


@pytest.mark.parametrize("name", ["nothing.yaml", "nowhere/models.yaml", "../configs/nothing.yaml"])
def test_a_missing_file_lists_the_names_there_are(name):
    with pytest.raises(BadConfig, match=r"models\.yaml, .*samples\.yaml") as failure:
        load(name)
    assert repr(name) in str(failure.value)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a: 1\nb: 2\na: 3\n", "'a' stands twice"),
        ("outer:\n  a: 1\n  a: 1\n", "'a' stands twice"),
        ("a: &x [1]\nb: *x\n", "aliases"),
        ("a: [1, 2\n", "not valid YAML"),
        (b"a: \xff\n", "not valid YAML"),
        ("- 1\n- 2\n", "not list"),
        ("", "not NoneType"),
        ("a: !!python/object/apply:os.getcwd []\n", "not valid YAML"),
    ],
)
def test_what_is_no_plain_mapping_is_refused_by_the_path(written, text, words):
    path = written(text)
    with pytest.raises(BadConfig, match=words) as failure:
        load(path)
    assert str(path) in str(failure.value)


def test_a_file_of_megabytes_is_refused_unread(written):
    with pytest.raises(BadConfig, match="larger than"):
        load(written(b"#" * (MAX_BYTES + 1)))


def test_values_keep_their_kinds(written):
    assert load(written("a: 1\nb: 1.5\nc: no\nd: null\ne: text\nf: [1, {g: 2}]\n")) == {
        "a": 1,
        "b": 1.5,
        "c": False,
        "d": None,
        "e": "text",
        "f": [1, {"g": 2}],
    }


def test_unknown_and_missing_keys_are_named():
    check_keys({"a": 1, "b": 2}, "here", {"a"}, {"b"})
    check_keys({"a": 1}, "here", {"a"}, {"b"})
    with pytest.raises(BadConfig, match="here: unknown key 'c'. Expected: a, b"):
        check_keys({"a": 1, "c": 2}, "here", {"a"}, {"b"})
    with pytest.raises(BadConfig, match="here: the key 'a' is missing"):
        check_keys({"b": 1}, "here", {"a"}, {"b"})
    with pytest.raises(BadConfig, match="here must be a mapping.*not list"):
        check_keys(["a"], "here", {"a"})


@pytest.mark.parametrize("name", [5, None, "x" * 5000, "no-such.yaml"])
def test_what_is_no_configuration_file_is_one_clear_error(name):
    with pytest.raises(BadConfig, match="configuration file"):
        find(name)
