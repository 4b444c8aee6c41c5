"""compose.yaml keeps what docs/deployment.md says of it."""

import re

import pytest

from common import __version__
from recognizer.service.jobs.runner import Runner
from recognizer.settings import read
from tests.deploy import files

COMPOSE = files.compose()
SERVICES = COMPOSE["services"]
SERVICE, DATABASE = SERVICES["recognizer"], SERVICES["database"]
both = pytest.mark.parametrize("name", SERVICES)


@both
def test_each_container_has_a_root_that_it_cannot_write_and_no_rights(name):
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"] and "cap_add" not in service
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not service.get("privileged") and "/tmp" in [each.split(":")[0] for each in service["tmpfs"]]


@both
def test_each_container_is_limited_checked_restarted_and_its_log_is_cut(name):
    service = SERVICES[name]
    for limit in ("cpus", "mem_limit", "pids_limit"):
        assert service[limit], limit
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"  # without a shell
    assert {"interval", "timeout", "start_period", "retries"} <= service["healthcheck"].keys()
    assert service["logging"]["options"]["max-size"]


@both
def test_no_secret_is_in_the_environment_and_each_file_that_is_named_is_a_secret_of_the_service(name):
    service = SERVICES[name]
    named = {key: value for key, value in service["environment"].items() if files.PASSWORD.search(key)}
    assert named
    for key, value in named.items():
        assert key.endswith("_FILE"), key
        assert value.removeprefix("/run/secrets/") in service["secrets"]
    assert set(service["secrets"]) == {value.removeprefix("/run/secrets/") for value in named.values()}
    assert not re.search(r"://[^/\s]*:[^/\s]*@", files.text("compose.yaml"))  # nor in an address


def test_secrets_are_files_that_are_not_part_of_the_project():
    for name, secret in COMPOSE["secrets"].items():
        assert secret == {"file": f"secrets/{name}"}
    assert "/secrets/" in files.text(".gitignore").splitlines()


def test_images_are_pinned_and_ours_has_the_version_of_the_package():
    assert DATABASE["image"] == "mysql:8.4"
    assert SERVICE["image"] == f"recognizer:{__version__}" and SERVICE["build"] == "."


def test_the_service_waits_for_a_database_that_answers_and_both_know_the_same_one():
    assert SERVICE["depends_on"] == {"database": {"condition": "service_healthy"}}
    user, database = DATABASE["environment"]["MYSQL_USER"], DATABASE["environment"]["MYSQL_DATABASE"]
    assert SERVICE["environment"]["RECOGNIZER_DATABASE"] == f"mysql://{user}@database/{database}"
    assert DATABASE["healthcheck"]["test"][:2] == ["CMD", "mysqladmin"]
    assert "--host=127.0.0.1" in DATABASE["healthcheck"]["test"]
    assert SERVICE["healthcheck"]["test"] == ["CMD", "recognizer", "health"]


def test_the_database_is_reached_by_the_service_alone_and_the_service_from_this_machine():
    assert "ports" not in DATABASE and DATABASE["networks"] == ["back"]
    assert COMPOSE["networks"]["back"] == {"internal": True}
    assert set(SERVICE["networks"]) == {"front", "back"}
    assert DATABASE["user"] == "mysql" and DATABASE["environment"]["MYSQL_ROOT_HOST"] == "localhost"
    port = SERVICE["environment"]["RECOGNIZER_SERVICE_PORT"]
    assert SERVICE["ports"] == [f"127.0.0.1:{port}:{port}"]
    assert ("EXPOSE", port) in files.image()


def test_what_is_written_is_in_named_volumes_where_the_programs_write():
    volumes = dict(volume.split(":")[::-1] for service in SERVICES.values() for volume in service["volumes"])
    assert volumes == {files.image_environment()["RECOGNIZER_DATA"]: "recognizer", "/var/lib/mysql": "database"}
    assert set(COMPOSE["volumes"]) == set(volumes.values())


def test_what_the_service_is_told_are_settings_that_ask_for_keys(monkeypatch):
    told = SERVICE["environment"]
    assert set(told) <= files.known_variables() and all(isinstance(value, str) for value in told.values())
    for name, value in {**files.image_environment(), **told}.items():
        monkeypatch.setenv(name, value)
    chosen = read()
    settings = chosen.service_settings()
    assert (settings.host, settings.keys) == ("0.0.0.0", "required")
    assert chosen.threads == settings.inference_threads == SERVICE["cpus"]


def test_it_is_killed_only_after_all_that_an_orderly_end_may_take(monkeypatch):
    monkeypatch.setenv(
        "RECOGNIZER_SERVICE_SHUTDOWN_SECONDS", SERVICE["environment"]["RECOGNIZER_SERVICE_SHUTDOWN_SECONDS"]
    )
    settings = read().service_settings()
    [of_jobs] = Runner.stop.__defaults__
    requests, computing = settings.shutdown_seconds, settings.shutdown_seconds
    assert files.seconds(SERVICE["stop_grace_period"]) >= requests + of_jobs + computing


def test_uploads_of_the_largest_size_fit_into_tmp():
    [size] = re.findall(r"size=(\d+)g", SERVICE["tmpfs"][0])
    limit = int(SERVICE["mem_limit"].removesuffix("g"))
    assert read().service_settings().max_video < int(size) * 2**30 < limit * 2**30
