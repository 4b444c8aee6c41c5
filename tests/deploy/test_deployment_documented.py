"""docs/deployment.md says what the shipped files are."""

import re
import shlex

import typer

from common import __version__
from recognizer.cli.app import app
from tests.deploy import files

PAGE = files.text("docs/deployment.md")
COMMANDS = typer.main.get_command(app)


def test_every_file_of_the_unit_is_named_and_every_file_that_is_named_is_there():
    shipped = {f"deploy/{path.name}" for path in (files.ROOT / "deploy").iterdir()}
    assert set(re.findall(r"deploy/[\w.-]+\b", PAGE)) == shipped


def test_every_page_that_is_linked_is_there():
    for page, anchor in re.findall(r"\]\(([\w-]+\.md)(?:#([\w-]+))?\)", PAGE):
        headings = re.findall(r"^#+ (.*)$", files.text(f"docs/{page}"), re.MULTILINE)
        anchors = {re.sub(r"[^\w -]", "", each.lower()).replace(" ", "-") for each in headings}
        assert not anchor or anchor in anchors, f"{page}#{anchor}"


def test_every_command_is_one_of_the_program():
    called = re.findall(r"(?:faces:/data|--rm|exec) recognizer(?: recognizer)? ([a-z]+(?: [a-z]+)?)", PAGE)
    called += re.findall(r"`recognizer ([a-z]+(?: [a-z]+)?)", PAGE)
    assert len(called) >= 8
    for words in called:
        first, *rest = words.split()
        group = getattr(COMMANDS.commands[first], "commands", None)
        assert group is None or rest[0] in group, words


def test_the_container_is_run_with_what_is_promised():
    [command] = re.findall(r"docker run -d((?:.*\\\n)*.*)\n", PAGE)
    words = shlex.split(command.replace("\\\n", " "))
    service = files.compose()["services"]["recognizer"]
    assert {"--init", "--read-only", "--cap-drop", "ALL", "no-new-privileges"} <= set(words)
    assert words[words.index("-p") + 1 :][:1] == service["ports"]
    assert words[words.index("--tmpfs") + 1 :][:1] == service["tmpfs"]
    assert float(words[words.index("--stop-timeout") + 1]) == files.seconds(service["stop_grace_period"])


def test_what_the_page_says_of_the_image_is_so():
    environment = files.image_environment()
    for said in (environment["RECOGNIZER_DATA"], environment["RECOGNIZER_WEIGHTS"], "/opt/recognizer/venv"):
        assert f"`{said}`" in PAGE
    base = files.pairs(files.stages(files.text("Dockerfile"))[0], "ARG")["PYTHON_IMAGE"]
    assert f"`{base.rpartition('/')[2]}`" in PAGE and ("USER", "10001:10001") in files.image()
    assert "10001:10001" in PAGE and f"recognizer:{__version__}`" in PAGE
    assert set(files.compose()["secrets"]) == set(re.findall(r"database_\w*password\b", PAGE))
