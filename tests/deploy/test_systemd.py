"""The systemd unit is one that systemd takes, and fits the service."""

import re
import shutil
import subprocess

import pytest

from recognizer.settings import read
from tests.deploy import files

UNIT = files.text("deploy/recognizer.service")
VALUES = files.unit(UNIT)
PROGRAM = "/opt/recognizer/bin/recognizer"
MOST_EXPOSED = 1.3  # of 10; systemd 252 and 257 say 1.2


@pytest.fixture(scope="module")
def copy(tmp_path_factory):
    """The unit with a program that is on this machine in place of the one that would be installed."""
    if not shutil.which("systemd-analyze"):
        pytest.skip("systemd-analyze is not on this machine")
    path = tmp_path_factory.mktemp("unit") / "recognizer.service"
    path.write_text(UNIT.replace(PROGRAM, "/bin/true"), encoding="utf-8")
    return path


def analyze(*arguments):
    return subprocess.run(["systemd-analyze", *map(str, arguments)], capture_output=True, text=True)


def test_systemd_takes_every_line_of_it(copy):
    done = analyze("verify", "--man=no", copy)
    assert (done.returncode, done.stdout, [line for line in done.stderr.splitlines() if copy.name in line]) == (
        0,
        "",
        [],
    )


def test_systemd_finds_little_that_the_service_could_do_to_the_machine(copy):
    done = analyze("security", "--offline=true", "--no-pager", f"--threshold={round(MOST_EXPOSED * 10)}", copy)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr


def test_what_it_writes_and_who_it_is_are_what_the_files_beside_it_say(monkeypatch):
    environment = dict(
        line.split("=", 1) for line in files.text("deploy/recognizer.environment").splitlines() if line[:1] not in "#"
    )
    assert environment["RECOGNIZER_DATA"] == f"/var/lib/{VALUES['StateDirectory'][0]}"
    assert environment["RECOGNIZER_CACHE"] == f"/var/cache/{VALUES['CacheDirectory'][0]}"
    variables = set(re.findall(r"RECOGNIZER_[A-Z_]+", "".join(map(files.text, (
        "deploy/recognizer.environment", "deploy/database-password.conf", "deploy/recognizer.service",
    )))))  # fmt: skip
    assert variables <= files.known_variables()
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert read().service_settings().keys == "required"
    [user] = re.findall(r"^u (\S+) ", files.text("deploy/recognizer.sysusers"), re.MULTILINE)
    assert VALUES["User"] == VALUES["Group"] == [user]


def test_the_password_of_the_database_is_a_credential():
    values = files.unit(files.text("deploy/database-password.conf"))
    [credential] = values["LoadCredential"]
    name, _, source = credential.partition(":")
    assert values["Environment"] == [f"RECOGNIZER_DATABASE_PASSWORD_FILE=%d/{name}"]
    assert source.startswith(VALUES["WorkingDirectory"][0])


def test_it_is_started_when_it_is_ready_restarted_when_it_fails_and_given_time_to_end():
    assert VALUES["ExecStart"] == [f"{PROGRAM} serve"]
    assert f"until {PROGRAM} health" in VALUES["ExecStartPost"][0]
    assert VALUES["Restart"] == ["on-failure"]
    of_containers = files.seconds(files.compose()["services"]["recognizer"]["stop_grace_period"])
    assert float(VALUES["TimeoutStopSec"][0]) >= of_containers > read().service_settings().shutdown_seconds


@pytest.mark.parametrize(("ends", "code"), [(True, 1), (False, 0)])
def test_waiting_for_the_service_ends_with_the_service(tmp_path, ends, code):
    """The command itself, with a program that is ready the third time that it is asked."""
    program = tmp_path / "recognizer"
    program.write_text(f'#!/bin/sh\necho asked >> {tmp_path}/asked\n[ "$(wc -l < {tmp_path}/asked)" -ge 3 ]\n')
    program.chmod(0o755)
    command = re.fullmatch("/bin/sh -c '(.*)'", VALUES["ExecStartPost"][0])[1].replace(PROGRAM, str(program))
    service = subprocess.Popen(["sleep", "30"])
    try:
        if ends:
            service.kill()
            service.wait()
        command = command.replace("sleep 1", "sleep 0.05").replace("$MAINPID", str(service.pid))
        done = subprocess.run(["/bin/sh", "-c", command], capture_output=True, timeout=20)
    finally:
        service.kill()
        service.wait()
    assert (done.returncode, done.stdout, done.stderr) == (code, b"", b"")
    assert len((tmp_path / "asked").read_text().splitlines()) == (1 if ends else 3)
