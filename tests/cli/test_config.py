"""`warmxfer config`: the settings of a role with their source, and no secret."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmxfer.actors.runtime.roles import Role
from warmxfer.cli.config import HIDDEN, effective_settings, read_env_file
from warmxfer.cli.variables import VARIABLES
from warmxfer.schemas import InvalidRequest

from .conftest import InProcess

SECRETS = {each.name: f"secret-of-{each.name.lower()}-0123456789" for each in VARIABLES if each.secret}
GATEWAY = {"VIDEOSDK_API_KEY": "k", "VIDEOSDK_SECRET": "s" * 32, "WARMXFER_DIAL_REGIONS": "US"}


def test_each_setting_has_its_source() -> None:
    env = {"WARMXFER_GATEWAY_JOBS": "7", "WARMXFER_SETTLE_S": "5", "WARMXFER_RECONCILE_S": " "}
    found = {
        each.name: (each.value, each.source)
        for each in effective_settings(Role.GATEWAY, env, {"WARMXFER_SETTLE_S": "6"}, {})
    }
    assert found["WARMXFER_GATEWAY_JOBS"] == ("7", "environment")
    assert found["WARMXFER_SETTLE_S"] == ("6", "file")
    assert found["WARMXFER_RECONCILE_S"] == ("60", "default")
    assert found["WARMXFER_DEPLOYMENT"] == (None, "default")
    assert "WARMXFER_COORDINATOR_JOBS" not in found


@pytest.mark.parametrize("role", Role)
def test_no_secret_is_printed(role: Role, in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {**SECRETS, "NATS_URL": "nats://ann:hunter2@127.0.0.1:4222"}.items():
        monkeypatch.setenv(name, value)
    for arguments in ((), ("--json",)):
        output = in_process("config", role.value, *arguments)
        assert "nats://127.0.0.1:4222" in output.out
        assert HIDDEN in output.out
        for value in (*SECRETS.values(), "hunter2"):
            assert value not in output.out + output.err


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("nats://ann:hunter2@h:4222", "nats://h:4222"),
        ("ann:hunter2@h:4222", "h:4222"),
        ("nats://ann:hunter2/3@h", "nats://h"),
        ("nats://ann:hunter2@hunter2@h", "nats://h"),
        ("nats://ann:hunter2,hunter2@h", "nats://h"),
        ("nats://a:hunter2@h, tls://b:hunter2@i", "nats://h,tls://i"),
        ("https://gateway.example.com/webhooks", "https://gateway.example.com/webhooks"),
    ],
)
@pytest.mark.parametrize("name", ["NATS_URL", "VIDEOSDK_BASE_URL", "WARMXFER_WEBHOOK_URL"])
def test_no_login_of_an_address_is_printed_whatever_its_spelling(name: str, value: str, shown: str) -> None:
    """Also of an address that the process refuses: the settings are printed before."""
    found = {each.name: each.value for each in effective_settings(Role.GATEWAY, {name: value}, {}, {})}
    assert found[name] == shown


def test_what_the_process_would_refuse_is_refused_after_the_settings(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**GATEWAY, "WARMXFER_GATEWAY_JOBS": "no"}.items():
        monkeypatch.setenv(name, value)
    output = in_process("config", "gateway", "--json")
    (jobs,) = (each for each in output.values if each["name"] == "WARMXFER_GATEWAY_JOBS")
    assert (output.code, jobs["value"]) == (2, "no")
    assert "WARMXFER_GATEWAY_JOBS is 'no'; give a whole number from 1 to 512" in output.err


@pytest.mark.parametrize("name", ["WARMXFER_LOG_LEVEL", "WARMXFER_HEALTH_PORT", "WARMXFER_REPLICAS"])
def test_what_every_process_reads_is_checked(name: str, in_process: InProcess, tmp_path: Path) -> None:
    file = tmp_path / "coordinator.env"
    file.write_text(f"{name}=nonsense\n")
    output = in_process("config", "coordinator", "--env-file", str(file))
    assert output.code == 2
    assert f"{name} is 'nonsense'" in output.err


def test_defaults_that_depend_on_other_variables_are_those_of_the_process(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {**GATEWAY, "VIDEOSDK_BASE_URL": "http://127.0.0.1:8090", "NATS_USER": "ann"}.items():
        monkeypatch.setenv(name, value)
    found = {each["name"]: each["value"] for each in in_process("config", "gateway", "--json").values}
    assert found["NATS_INBOX_PREFIX"] == "_INBOX.ann"
    assert found["WARMXFER_DIAL_PER_HOUR"] == "no limit: the provider is a sandbox"


def test_variables_of_other_roles_are_named(in_process: InProcess, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WARMXFER_BRIEFING_JOBS", "9")
    assert (
        "set, but not read by coordinator: WARMXFER_BRIEFING_JOBS" in in_process("config", "coordinator").out
    )


def test_a_file_of_variables_is_read_as_a_shell_reads_it(tmp_path: Path) -> None:
    file = tmp_path / "x.env"
    file.write_text("# a comment\n\nexport NATS_USER=ann\nNATS_CA='a b'\nNATS_KEY=\"c\"\nNATS_CERT=\n")
    assert read_env_file(file) == {"NATS_USER": "ann", "NATS_CA": "a b", "NATS_KEY": "c", "NATS_CERT": ""}


def test_a_file_that_cannot_be_read_is_one_sentence_without_its_text(tmp_path: Path) -> None:
    file = tmp_path / "x.env"
    with pytest.raises(InvalidRequest, match="cannot be read"):
        read_env_file(file)
    file.write_text("NATS_USER=ann\nhunter2\n")
    with pytest.raises(InvalidRequest, match="line 2") as refused:
        read_env_file(file)
    assert "hunter2" not in str(refused.value)
