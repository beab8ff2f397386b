"""What a person types: help, errors, exit codes, ids, options without effect, misspelt variables, Ctrl-C."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
import typer

from tests.testkit.nats_server import ConfiguredServer
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as run_coordinator
from warmxfer.bus import Bus, EmbeddedServer, subjects
from warmxfer.cli import options
from warmxfer.cli.app import build_app
from warmxfer.client import client
from warmxfer.schemas import PhaseChanged, WarmTransferPhase, encode

from .conftest import InProcess, Warmxfer

FLAGS = ("--room", "room-1", "--to", "+14155550101", "--from", "+14155550100", "--rule", "rule")
NOWHERE = "nats://127.0.0.1:1"
LONG_ID = "x" * 64


def paths(command: Any, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the words of every command below `command`, groups left out."""
    below = getattr(command, "commands", None)
    if below is None:
        return [path]
    return [each for name, sub in below.items() for each in paths(sub, (*path, name))]


COMMANDS = paths(typer.main.get_command(build_app()))
VALID: dict[str, tuple[str, ...]] = {
    "cancel": ("t-1",),
    "dead-letters": (),
    "doctor": (),
    "list": (),
    "request": FLAGS,
    "run": ("coordinator",),
    "show": ("t-1",),
    "watch": ("t-1",),
}
"""Valid arguments of every command that connects to a broker."""
QUICK = [name for name in VALID if name != "run"]
"""The commands that give up soon: a worker waits for a broker that starts later than it."""


@pytest.fixture
async def coordinator(bus: Bus) -> AsyncIterator[None]:
    """A coordinator without the other actors."""
    task = asyncio.create_task(run_coordinator(bus, CoordinatorSettings()))
    yield
    task.cancel()
    await asyncio.wait([task], timeout=10.0)


# ── help ─────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", [(), ("try",), *COMMANDS], ids=" ".join)
def test_every_command_knows_h(in_process: InProcess, command: tuple[str, ...]) -> None:
    short, long = in_process(*command, "-h"), in_process(*command, "--help")
    assert (short.code, short.err) == (0, "")
    assert short.out == long.out
    assert "-h, --help" in short.out


# ── errors as JSON ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_wrong_usage_is_one_line_of_json(in_process: InProcess, command: tuple[str, ...]) -> None:
    result = in_process(*command, "--json", "--no-such-option")
    error = json.loads(result.err)
    assert (result.code, result.out, len(result.err.splitlines())) == (2, "", 1)
    assert (error["cause"], error["exit_code"]) == ("refused", 2)
    assert "--no-such-option" in error["error"]


@pytest.mark.parametrize(
    ("arguments", "cause", "code", "field"),
    [
        (("list", "--limit", "0"), "refused", 2, "--limit"),
        (("list", "--limit", "many"), "refused", 2, None),
        (("show", "a.b"), "refused", 2, "id"),
        (("cancel", "a b"), "refused", 2, "id"),
        (("watch", ""), "refused", 2, "id"),
        (("request", "--room", "a b", *FLAGS[2:]), "refused", 2, "room_id"),
        (("request", "-"), "refused", 2, None),
        (("request", "/nowhere.json"), "refused", 2, None),
        (("run", "primary"), "refused", 2, "WARMXFER_ROOM_ID"),
        (("run", "butler"), "refused", 2, None),
        (("demo", "-s", "party"), "refused", 2, None),
        (("up", "--port", "99999"), "refused", 2, "--port"),
        (("sandbox", "--host", "a..b"), "refused", 2, None),
        (("dead-letters", "replay"), "refused", 2, "number"),
        (("dead-letters", "burn"), "refused", 2, None),
        (("list", "--url", "http://x"), "refused", 2, "NATS_URL"),
        (("list", "--url", NOWHERE), "unavailable", 3, None),
        (("request", *FLAGS, "--wait", "--url", NOWHERE), "unavailable", 3, None),
    ],
    ids=lambda each: " ".join(each) if isinstance(each, tuple) else None,
)
def test_an_error_is_one_line_of_json(
    in_process: InProcess, arguments: tuple[str, ...], cause: str, code: int, field: str | None
) -> None:
    result = in_process(*arguments, "--json", stdin="{")
    assert (result.code, result.out, len(result.err.splitlines())) == (code, "", 1), result
    error = json.loads(result.err)
    assert (error["cause"], error["exit_code"], error.get("field")) == (cause, code, field)
    text = in_process(*arguments, stdin="{")
    assert text.code == code
    assert not text.err.startswith("{")


def test_json_after_two_dashes_is_no_option(in_process: InProcess) -> None:
    assert in_process("show", "--", "--json").err.startswith("warmxfer: id is '--json'; use ") is False
    assert in_process("watch", "a.b", "--", "--json").err.startswith("{") is False


def test_a_bug_is_one_line_of_json_or_a_traceback(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise ZeroDivisionError("secret words")

    monkeypatch.setattr("warmxfer.cli.list_transfers.run_command", fail)
    result = in_process("list", "--json")
    assert result.code == 1
    assert json.loads(result.err) == {
        "error": "ZeroDivisionError; please report it",
        "cause": "broken",
        "exit_code": 1,
    }
    assert in_process("list").err.splitlines()[-1] == "ZeroDivisionError: secret words"


async def test_an_error_after_the_request_names_the_transfer(
    warmxfer: Warmxfer, bus: Bus, transfer_id: str
) -> None:
    result = await warmxfer("request", *FLAGS, "--id", transfer_id, "--wait", "--json")
    error = json.loads(result.err)
    assert (result.code, error["cause"], error["id"]) == (3, "unavailable", transfer_id)
    text = await warmxfer("request", *FLAGS, "--id", transfer_id, "--wait")
    assert (text.code, text.out) == (3, f"transfer {transfer_id}\n")


# ── one cause, one exit code ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("command", QUICK)
def test_a_broker_that_does_not_answer_is_code_3(in_process: InProcess, command: str) -> None:
    assert in_process(command, *VALID[command], "--url", NOWHERE).code == 3


@pytest.mark.parametrize("command", VALID)
def test_an_address_that_is_none_is_code_2(in_process: InProcess, command: str) -> None:
    assert in_process(command, *VALID[command], "--url", "http://x").code == 2


@pytest.mark.parametrize("extra", ["authorization { user: me, password: right }", ""])
async def test_a_broker_that_refuses_or_has_no_jetstream_is_code_2(warmxfer: Warmxfer, extra: str) -> None:
    async with ConfiguredServer(extra=extra, jetstream=bool(extra)) as server:
        results = await asyncio.gather(
            *(warmxfer(name, *arguments, NATS_URL=server.url) for name, arguments in VALID.items())
        )
    assert {name: each.code for name, each in zip(VALID, results, strict=True)} == dict.fromkeys(VALID, 2)


async def test_a_broker_without_a_stream_is_code_3_and_the_sentence_says_what_to_start(
    warmxfer: Warmxfer,
) -> None:
    async with EmbeddedServer() as server:
        commands = [name for name in QUICK if name != "request"]
        results = await asyncio.gather(
            *(warmxfer(name, *VALID[name], NATS_URL=server.url) for name in commands)
        )
    assert {name: result.code for name, result in zip(commands, results, strict=True)} == dict.fromkeys(
        commands, 3
    )
    assert all("start a coordinator" in f"{each.out}{each.err}" for each in results)


def test_a_demo_agent_without_a_gateway_is_code_3(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.actors.primary.sandbox_agent.actor.FIRST_JOIN_S", 1.0)
    result = in_process("run", "primary", "--room", "nope", "--json")
    error = json.loads(result.err.splitlines()[-1])
    assert (result.code, error["cause"], error["error"]) == (
        3,
        "unavailable",
        "Room nope could not be joined within 1 s: no gateway replied; start one with `warmxfer run gateway`",
    )
    assert "Traceback" not in result.err


@pytest.mark.parametrize("arguments", [("request", *FLAGS[2:]), ("list", "-n", "0"), ("show", "a.b")])
def test_what_was_typed_is_checked_before_anything_is_connected(
    in_process: InProcess, arguments: tuple[str, ...]
) -> None:
    assert in_process(*arguments, "--url", NOWHERE).code == 2


# ── ids are never cut ────────────────────────────────────────────────────────────────────────────


async def in_terminal(columns: int, *command: str, **env: str) -> str:
    """Run `warmxfer` in a terminal that is `columns` wide, and return its output."""
    reader, terminal = os.openpty()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli", *command),
        stdout=terminal,
        stderr=terminal,
        env={**os.environ, "COLUMNS": str(columns), "TERM": "xterm", "NO_COLOR": "1", **env},
    )
    os.close(terminal)
    output = b""
    try:
        async with asyncio.timeout(60):
            while piece := await asyncio.to_thread(_read, reader):
                output += piece
            await process.wait()
    finally:
        os.close(reader)
    return output.decode().replace("\r\n", "\n")


def _read(reader: int) -> bytes:
    try:
        return os.read(reader, 65_536)
    except OSError:  # the terminal is closed
        return b""


@pytest.mark.parametrize("columns", [20, 60])
async def test_no_id_is_cut_on_a_narrow_terminal(fresh_bus: Bus, columns: int) -> None:
    phase = PhaseChanged(
        phase=WarmTransferPhase.CONSULTATION_ROOM_CREATED,
        data={},
        timestamp=time.time(),
        consultation_room_id=None,
        seq=1,
    )
    await fresh_bus.publish(subjects.phase(LONG_ID), encode(phase))
    letter = {
        "subject": "s",
        "seq": 4,
        "cause": "why " * 40,
        "tries": 5,
        "consumer": "gateway",
        "stream": "s",
    }
    number = await fresh_bus.publish(subjects.dead_letter(LONG_ID), json.dumps(letter).encode())
    url = fresh_bus.settings.url
    listed = await in_terminal(columns, "list", NATS_URL=url)
    assert LONG_ID in listed
    assert "consultation_room_created" in listed
    letters = await in_terminal(columns, "dead-letters", NATS_URL=url)
    assert LONG_ID in letters
    assert str(number) in letters
    requested = await in_terminal(columns, "request", *FLAGS, "--id", LONG_ID, NATS_URL=url)
    assert f"watch {LONG_ID}\n" in requested
    assert requested.startswith(f"{LONG_ID}\n")
    assert f"watch {LONG_ID}\n" in await in_terminal(columns, "cancel", LONG_ID, NATS_URL=url)


async def test_no_name_of_a_scenario_is_cut_on_a_narrow_terminal() -> None:
    assert "caller_leaves_while_briefing" in await in_terminal(30, "demo", "--list")


# ── options without effect, misspelt variables ───────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("arguments", "option", "beside"),
    [
        (("demo", "--all", "-s", "busy"), "--scenario", "--all"),
        (("demo", "--all", "--scenario", "ready"), "--scenario", "--all"),
        (("demo", "--list", "-s", "busy"), "--scenario", "--list"),
        (("demo", "--list", "--all"), "--all", "--list"),
        (("demo", "--list", "--pace", "1"), "--pace", "--list"),
        (("demo", "--list", "--keep", "{tmp}"), "--keep", "--list"),
        (("demo", "--list", "--open"), "--open", "--list"),
        (("run", "coordinator", "--room", "r"), "--room", "ROLE coordinator"),
        (("run", "gateway", "--room", "r"), "--room", "ROLE gateway"),
        (("dead-letters", "list", "7"), "number", "list"),
        (("dead-letters", "show", "7", "-n", "3"), "--limit", "show"),
        (("dead-letters", "replay", "7", "--limit", "20"), "--limit", "replay"),
    ],
)
def test_an_option_that_would_have_no_effect_is_refused(
    in_process: InProcess, tmp_path: Any, arguments: tuple[str, ...], option: str, beside: str
) -> None:
    result = in_process(*(each.format(tmp=tmp_path) for each in arguments))
    assert (result.code, result.out) == (2, "")
    assert result.err == f"warmxfer: {option} has no effect beside {beside}; leave one of the two out\n"


def test_the_limit_of_a_list_is_that_of_the_client() -> None:
    assert options.MAX_LISTED == client.MAX_LISTED


def test_a_role_that_is_named_twice_is_refused(in_process: InProcess) -> None:
    result = in_process("up", "--scale", "gateway=1,briefing=2,gateway=3")
    assert (result.code, result.err) == (2, "warmxfer: --scale names gateway twice; name each role once\n")


def test_a_misspelt_variable_is_named_and_the_command_runs(
    in_process: InProcess, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WARMXFER_REPLCAS", "3")
    sentence = "WARMXFER_REPLCAS is set, but warmxfer reads no such variable; did you mean WARMXFER_REPLICAS?"
    result = in_process("demo", "--list")
    assert (result.code, result.err) == (0, f"warmxfer: {sentence}\n")
    assert json.loads(in_process("demo", "--list", "--json").err) == {"warning": sentence}
    doctor = in_process("doctor", "--url", NOWHERE, "--json")
    findings = [json.loads(line) for line in doctor.out.splitlines()]
    assert {"about": "environment", "state": "wrong", "sentence": sentence} in findings


async def test_an_actor_logs_a_misspelt_variable() -> None:
    command = (sys.executable, "-m", "warmxfer.actors", "coordinator")
    env = {**os.environ, "WARMXFER_REPLCAS": "3", "NATS_URL": NOWHERE, "WARMXFER_LOG": "json"}
    process = await asyncio.create_subprocess_exec(*command, env=env, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    async with asyncio.timeout(30):
        line = json.loads(await process.stderr.readline())
    process.terminate()
    await process.wait()
    assert (line["event"], line["level"]) == ("variable_unknown", "warning")
    assert "did you mean WARMXFER_REPLICAS?" in line["variable"]


# ── Ctrl-C ───────────────────────────────────────────────────────────────────────────────────────


async def stopped(number: signal.Signals, *command: str, after: bytes, **env: str) -> tuple[int, str]:
    """Run `warmxfer`, send the signal once a line with `after` is printed, and return code and stderr."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli", *command),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env={**os.environ, **env},
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    assert process.stderr is not None
    try:
        async with asyncio.timeout(60):
            while after not in (line := await process.stdout.readline()):
                assert line, (await process.stderr.read()).decode()
            process.send_signal(number)
            stderr = await process.stderr.read()
            return await process.wait(), stderr.decode()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("flags", [(), ("--json",)])
async def test_ctrl_c_while_waiting_says_how_to_cancel(
    nats_url: str, coordinator: None, transfer_id: str, number: signal.Signals, flags: tuple[str, ...]
) -> None:
    # The other actors are absent: the transfer waits for their replies.
    room = ("--room", f"room-{transfer_id}", *FLAGS[2:])
    request = ("request", *room, "--id", transfer_id, "--wait", *flags)
    code, stderr = await stopped(number, *request, after=b"started", NATS_URL=nats_url)
    assert code == 130
    _assert_tells_how_to_cancel(stderr, transfer_id, flags)
    code, stderr = await stopped(number, "watch", transfer_id, *flags, after=b"started", NATS_URL=nats_url)
    assert code == 130
    _assert_tells_how_to_cancel(stderr, transfer_id, flags)


def _assert_tells_how_to_cancel(stderr: str, id: str, flags: tuple[str, ...]) -> None:
    if flags:
        error = json.loads(stderr)
        assert (error["cause"], error["exit_code"], error["id"]) == ("interrupted", 130, id)
        stderr = f"warmxfer: {error['error']}\n"
    assert stderr.startswith(f"warmxfer: transfer {id} goes on; cancel it with: ")
    assert stderr.endswith(f" cancel {id}\n")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
async def test_a_service_that_is_stopped_has_done_what_it_was_asked(
    nats_url: str, bus: Bus, number: signal.Signals
) -> None:
    watch = await stopped(number, "watch", after=b"waiting for phases", NATS_URL=nats_url)
    assert watch == (0, "")
    assert await stopped(number, "sandbox", "--port", "0", after=b"sandbox listens") == (0, "")
