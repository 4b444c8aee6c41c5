import re
import subprocess
import sys
from pathlib import Path

import pytest
import typer

from common import __version__
from recognizer.cli.app import app

PAGE = Path(__file__).parents[2] / "docs" / "command-line.md"


def _commands(command, words=()):
    """Every command below, with the words that call it."""
    for name, child in getattr(command, "commands", {}).items():
        yield (*words, name), child
        yield from _commands(child, (*words, name))


ALL = [((), typer.main.get_command(app)), *_commands(typer.main.get_command(app))]
LEAVES = [words for words, command in ALL if not hasattr(command, "commands")]


def test_the_commands_that_users_know_are_there():
    assert {" ".join(words) for words in LEAVES} == {
        "enroll", "enroll-folder", "recognize", "verify", "people", "forget", "demo",
        "photos", "rename", "merge", "move", "metadata",
        "video", "camera", "take-pic", "serve", "health",
        "erase", "expire", "audit", "keys create", "keys list", "keys revoke", "db scrub",
        "models list", "models pull", "models verify", "db info", "db upgrade",
        "gallery list", "gallery create", "gallery delete", "gallery rename", "gallery copy", "gallery switch",
        "gallery export", "gallery import", "gallery reembed", "gallery calibrate",
    }  # fmt: skip


@pytest.mark.parametrize("words", LEAVES, ids=" ".join)
def test_help_of_every_command_shows_how_it_is_called(command_line, words):
    result = command_line(*words, "--help")
    assert result.exit_code == 0
    assert f"recognizer {' '.join(words)}" in result.stdout.split("Examples")[1]


def test_help_says_what_the_exit_codes_mean(command_line):
    shown = " ".join(command_line("--help").stdout.split())
    assert "0 done; 1 a clear no" in shown
    assert "2 an error" in shown


@pytest.mark.parametrize("words, command", ALL, ids=[" ".join(words) or "recognizer" for words, _ in ALL])
def test_every_command_and_option_is_documented(words, command):
    page = PAGE.read_text(encoding="utf-8")
    if words and not hasattr(command, "commands"):
        assert f"recognizer {' '.join(words)}" in page
    for parameter in command.params:
        for option in parameter.opts if parameter.param_type_name == "option" else ():
            assert re.search(rf"(?<![\w-]){re.escape(option)}(?![\w-])", page), (
                f"{option} is not in {PAGE.name}"
            )


def test_the_page_documents_no_option_that_is_gone():
    known = {option for _, command in ALL for parameter in command.params
             for option in (*parameter.opts, *parameter.secondary_opts)}  # fmt: skip
    documented = set(re.findall(r"(?<![\w-])--[a-z][a-z-]*", PAGE.read_text(encoding="utf-8")))
    assert documented <= known | {"--help"}


def test_no_arguments_show_the_help(command_line):
    result = command_line()
    assert "enroll-folder" in result.stdout + result.stderr


def test_the_version_is_printed(command_line):
    assert command_line("--version").stdout == f"recognizer {__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["recognize"], ["enroll", "Ann"], ["verify", "a.jpg"], ["people", "--nonsense"],
     ["recognize", "a.jpg", "--threshold", "high"], ["models", "pull"], ["models", "pull", "mtcnn", "--all"],
     ["forget"]],
)  # fmt: skip
def test_wrong_usage_exits_with_2_and_says_so_on_standard_error(command_line, arguments):
    result = command_line(*arguments)
    assert result.exit_code == 2
    assert result.stdout == ""
    assert result.stderr


def test_help_loads_no_network_runtime():
    loaded = "import sys; from recognizer.cli.app import app; print(*sys.modules)"
    modules = subprocess.run(
        [sys.executable, "-c", loaded], capture_output=True, text=True, check=True
    ).stdout
    assert not {"openvino", "sqlalchemy", "tensorflow", "keras", "rich.table"} & set(modules.split())
