"""The commands with a real broker: output, errors and exit codes."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator

import pytest
import typer
from typer.core import TyperGroup

from tests.golden.newer import newer_path
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as run_coordinator
from warmxfer.bus import Bus, subjects
from warmxfer.cli.app import build_app
from warmxfer.schemas import (
    CancelRequest,
    NoticeKind,
    SIPDestination,
    TransferNotice,
    encode,
    read_cancel,
    read_request,
)

from .conftest import InProcess, Warmxfer

FLAGS = ("--room", "room-1", "--to", "+14155550101", "--from", "+14155550100", "--rule", "rule")
NOWHERE = "nats://127.0.0.1:1"


@pytest.fixture
async def coordinator(bus: Bus) -> AsyncIterator[None]:
    """A coordinator without the other actors: every transfer fails."""
    task = asyncio.create_task(run_coordinator(bus, CoordinatorSettings()))
    yield
    task.cancel()
    await asyncio.wait([task], timeout=10.0)


async def test_help_names_every_command(warmxfer: Warmxfer) -> None:
    result = await warmxfer("--help")
    assert result.code == 0
    for command in (
        "demo",
        "up",
        "run",
        "request",
        "watch",
        "show",
        "report",
        "board",
        "list",
        "cancel",
        "dead-letters",
        "sandbox",
        "doctor",
        "bench",
        "asyncapi",
    ):
        assert f"  {command} " in result.out


def test_version_is_the_packages_version(in_process: InProcess) -> None:
    result = in_process("--version")
    assert (result.code, result.out) == (0, f"warmxfer {importlib.metadata.version('warmxfer')}\n")


def test_every_command_takes_json() -> None:
    """The commands of a group, as `try summary`, too."""
    cli = typer.main.get_command(build_app())
    assert isinstance(cli, TyperGroup)
    groups = [each for each in cli.commands.values() if isinstance(each, TyperGroup)]
    commands = {name: each for group in (cli, *groups) for name, each in group.commands.items()}
    assert {"try", "summary", "show"} <= set(commands)
    without_json = [
        name
        for name, each in commands.items()
        if each not in groups and all("--json" not in o.opts for o in each.params)
    ]
    assert without_json == []


def test_a_command_imports_no_other_command() -> None:
    program = """
import sys
from warmxfer.cli.app import build_app
build_app("list")
print(*(name for name in sys.modules if name.startswith("warmxfer.cli.")))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    loaded = {name.removeprefix("warmxfer.cli.") for name in done.stdout.split()}
    assert loaded == {"app", "list_transfers", "options", "output"}


@pytest.mark.parametrize(("flags", "is_json"), [((), False), (("--json",), True)])
async def test_run_with_json_logs_json_lines_even_to_a_terminal(
    flags: tuple[str, ...], is_json: bool
) -> None:
    reader, terminal = os.openpty()
    command = (sys.executable, "-m", "warmxfer.cli", "run", "coordinator", "--url", NOWHERE, *flags)
    try:
        process = await asyncio.create_subprocess_exec(*command, stderr=terminal)
        async with asyncio.timeout(30):
            line = await asyncio.to_thread(os.read, reader, 4_096)
            process.terminate()
            assert await process.wait() == 0
    finally:
        os.close(reader)
        os.close(terminal)
    assert b"actor_connects" in line
    assert line.startswith(b'{"') is is_json


async def test_a_request_from_options_is_stored(warmxfer: Warmxfer, bus: Bus, transfer_id: str) -> None:
    result = await warmxfer("request", *FLAGS, "--id", transfer_id, "--json")
    assert (result.code, result.values) == (0, [{"id": transfer_id}])
    (stored,) = await bus.history(subjects.request(transfer_id), 10)
    assert read_request(stored.data).config.destination.routing_rule_id == "rule"


async def test_a_request_by_name_carries_no_number(warmxfer: Warmxfer, bus: Bus, transfer_id: str) -> None:
    await warmxfer("request", "--room", "room-1", "--name", "billing", "--id", transfer_id)
    stored = await bus.get_last(subjects.request(transfer_id))
    assert stored is not None
    assert read_request(stored.data).config.destination == SIPDestination(name="billing")


async def test_another_request_with_the_same_id_exits_with_2(
    warmxfer: Warmxfer, bus: Bus, transfer_id: str
) -> None:
    for _ in range(2):
        assert (await warmxfer("request", *FLAGS, "--id", transfer_id)).code == 0
    result = await warmxfer("request", *FLAGS, "--id", transfer_id, "--record")
    assert (result.code, result.out) == (2, "")
    assert result.err == (
        f"warmxfer: id is '{transfer_id}', which belongs to another request (not started); "
        "give a new id, or send that request unchanged.\n"
    )
    assert len(await bus.history(subjects.request(transfer_id), 10)) == 1


async def test_options_override_a_request_from_stdin(warmxfer: Warmxfer, bus: Bus, transfer_id: str) -> None:
    body = {"room_id": "room-1", "config": {"briefing_timeout_s": 9, "destination": {"routing_rule_id": "r"}}}
    result = await warmxfer(
        "request",
        "-",
        *FLAGS,
        "--id",
        transfer_id,
        "--room",
        "room-2",
        "--record",
        stdin=json.dumps(body),
    )
    assert result.code == 0
    assert f"warmxfer watch {transfer_id}" in result.out
    (stored,) = await bus.history(subjects.request(transfer_id), 10)
    request = read_request(stored.data)
    config = request.config
    assert (request.room_id, config.briefing_timeout_s, config.record) == ("room-2", 9.0, True)


@pytest.mark.parametrize(
    ("arguments", "stdin", "code", "sentence"),
    [
        (
            ("request", *FLAGS, "--to", "555"),
            "",
            2,
            "config.destination.sip_call_to is '555'; write a number",
        ),
        (("request", "-"), "[1]", 2, "the message is [1]; "),
        (("request", "-"), "{", 2, "FILE is '-', which is not JSON"),
        (("request", "-"), '{"room_id":' + "[" * 100_000, 2, "FILE is '-', which is not JSON"),
        (("request", ""), "", 2, "FILE is '', which cannot be read"),
        (("request", *FLAGS, "--name", "\udcff"), "", 2, "The request cannot be written as JSON ("),
        (("sandbox", "--host", ""), "", 2, "--host is empty; give an address such as 127.0.0.1"),
        (("sandbox", "--webhook-url", "foo"), "", 2, "webhook_url is 'foo': write it as http://"),
        (("show", "x" * 70), "", 2, f"id is '{'x' * 39}…'; use 1 to 64 of"),
        (("up", "--keep", ""), "", 2, "--keep is empty; give a directory that you may write to"),
        (("request", "/nowhere.json"), "", 2, "FILE is '/nowhere.json', which cannot be read"),
        (("report", "nope"), "", 2, "id is 'nope', but no transfer has this id; see `warmxfer list`"),
        (("show", "nope"), "", 2, "id is 'nope', but no transfer has this id; see `warmxfer list`"),
        (("show", "a.b"), "", 2, "id is 'a.b'; use 1 to 64 of"),
        (("cancel", "nope"), "", 2, "id is 'nope', but no transfer has this id; see `warmxfer list`"),
        (("list", "--limit", "0"), "", 2, "limit is 0; give 1 to 1000"),
        (("list", "--url", NOWHERE), "", 3, f"No NATS server answers at {NOWHERE}"),
        (("list", "--url", "nats://127.0.0.1:99999"), "", 2, "NATS_URL has a port that is not 1 to 65535"),
        (("demo", "--keep", "/proc/x"), "", 2, "--keep is '/proc/x', which is not writable ("),
        (("up", "--keep", __file__), "", 2, f"--keep is '{__file__}', which is not writable ("),
        (("demo", "--pace", "-1"), "", 2, "--pace is -1.0; give 0 to 100"),
        (("up", "--pace", "nan"), "", 2, "--pace is nan; give 0 to 100"),
        (("up", "--caller", "ann"), "", 2, "--caller is 'ann'; write a number as E.164 (+14155550201)"),
        (("up", "--port", "99999"), "", 2, "--port is 99999; give 0 to 65535"),
        (("up", "--sandbox-port", "-1"), "", 2, "--sandbox-port is -1; give 0 to 65535"),
        (("up", "--board-port", "-1"), "", 2, "--board-port is -1; give 0 to 65535"),
        (("board", "--wait-target", "0"), "", 2, "--wait-target is 0.0; give 1 to 3600"),
        (("sandbox", "--port", "99999"), "", 2, "--port is 99999; give 0 to 65535"),
        (("sandbox", "--host", "192.0.2.1"), "", 2, "--host is '192.0.2.1', which is no address of this"),
        (("sandbox", "--host", "a..b"), "", 2, "--host is 'a..b', which is no address of this machine"),
        (("sandbox", "--host", "nosuch.invalid"), "", 2, "--host is 'nosuch.invalid', which is no address"),
        (("run", "primary"), "", 2, "WARMXFER_ROOM_ID is ''; give the room"),
        (("run", "gateway"), "", 2, "VIDEOSDK_API_KEY"),
        (("run", "coordinator", "--url", "http://x"), "", 2, "NATS_URL"),
        (("demo", "--scenario", "party"), "", 2, "--scenario is 'party'; use one of ready,"),
        (("up", "--scale", "gateway=x"), "", 2, "--scale contains 'gateway=x'; write ROLE=NUMBER"),
        (("sandbox", "--time-scale", "-1"), "", 2, "--time-scale is -1.0; give 0 to 100"),
    ],
)
def test_an_error_is_one_sentence_and_an_exit_code(
    in_process: InProcess, arguments: tuple[str, ...], stdin: str, code: int, sentence: str
) -> None:
    result = in_process(*arguments, stdin=stdin)
    assert (result.code, result.out) == (code, "")
    assert result.err.startswith("warmxfer: ")
    assert sentence in result.err
    assert len(result.err.splitlines()) == 1, result.err


@pytest.mark.parametrize("option", ["--port", "--sandbox-port", "--board-port"])
def test_a_port_in_use_is_reported_with_its_option(in_process: InProcess, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        ports = {"--port": "0", "--sandbox-port": "0", "--board-port": "0", option: str(port)}
        result = in_process("up", *(text for pair in ports.items() for text in pair))
    sentence = f"{option} is {port}, which is already in use; give another port, or 0 for any free port"
    assert (result.code, result.out) == (2, "")
    assert result.err == f"warmxfer: {sentence}\n"


def test_two_services_with_one_port_are_refused(in_process: InProcess) -> None:
    """Without the check the second one failed to start, with a sentence that named no option."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    result = in_process("up", "--port", port, "--sandbox-port", "0", "--board-port", port)
    sentence = f"--port is {port}, and so is --board-port; give another port, or 0 for any free port"
    assert (result.code, result.out, result.err) == (2, "", f"warmxfer: {sentence}\n")


async def test_wrong_usage_exits_with_2(warmxfer: Warmxfer) -> None:
    assert (await warmxfer("list", "--colour")).code == 2
    assert (await warmxfer("run", "butler")).code == 2


async def test_an_ended_transfer_is_watched_listed_and_shown_and_cannot_be_cancelled(
    warmxfer: Warmxfer, bus: Bus, coordinator: None, transfer_id: str
) -> None:
    body = {"config": {"command_timeout_s": 0.5, "summary_timeout_s": 0.5}}
    room = f"room-{transfer_id}"
    result = await warmxfer(
        "request", "-", *FLAGS, "--room", room, "--id", transfer_id, "--wait", stdin=json.dumps(body)
    )
    assert result.code == 1
    lines = result.out.splitlines()
    assert lines[0] == f"transfer {transfer_id}"
    assert lines[1].split()[:3] == ["✔", "started", "0"]
    assert any("✘ transfer_failed" in line for line in lines)
    assert "absent" in lines[-1]

    notice = TransferNotice(NoticeKind.ID_IN_USE, "see [/x] \x1b[31mred", {"phase": None}, 1.0)
    await bus.publish(subjects.notice(transfer_id), encode(notice))
    with_notice = await warmxfer("watch", transfer_id)
    assert "  notice: id_in_use  see [/x]  [31mred" in with_notice.out.splitlines()

    watched = await warmxfer("watch", transfer_id, "--json")
    assert watched.code == 1
    notices = [value for value in watched.values if value["type"] == "transfer_notice"]
    assert [each["detail"] for each in notices] == [notice.detail]
    *phases, ended = [value for value in watched.values if value not in notices]
    assert [phase["seq"] for phase in phases] == list(range(1, len(phases) + 1))
    assert (phases[-1]["phase"], ended["success"]) == ("transfer_failed", False)

    shown = await warmxfer("show", transfer_id, "--json")
    assert shown.values[0]["event"] == "transfer_requested"
    assert shown.values[-1]["stage"] == "failed"
    assert [line["n"] for line in shown.values] == list(range(1, len(shown.values) + 1))
    assert "+1415" not in (await warmxfer("show", transfer_id)).out
    (reported,) = (await warmxfer("report", transfer_id, "--json")).values
    assert reported["outcome"] == ended["outcome"]
    assert {each["kind"] for each in reported["commands"]} >= {"hold_caller", "create_room"}
    text = (await warmxfer("report", transfer_id)).out
    assert "ended by actor" in text
    assert "+1415" not in text

    listed = await warmxfer("list", "--json", "--limit", "50")
    row = next(each for each in listed.values if each["id"] == transfer_id)
    assert (row["phase"], row["outcome"]) == ("transfer_failed", ended["outcome"])

    cancelled = await warmxfer("cancel", transfer_id)
    assert cancelled.code == 2
    assert "has already ended (transfer_failed); only a running transfer can be cancelled" in cancelled.err


async def test_a_running_transfer_is_cancelled_with_its_reason(
    warmxfer: Warmxfer, bus: Bus, coordinator: None, transfer_id: str
) -> None:
    # The other actors are absent, so the transfer runs for 6 s. A command may take seconds to start.
    body = json.dumps({"config": {"command_timeout_s": 6}})
    room = f"room-{transfer_id}"
    await warmxfer("request", "-", *FLAGS, "--room", room, "--id", transfer_id, stdin=body)
    result = await warmxfer("cancel", transfer_id, "--reason", "second thoughts", "--json")
    assert (result.code, result.values) == (0, [{"id": transfer_id, "cancelled": True}])
    (stored,) = await bus.history(subjects.cancel(transfer_id), 10)
    assert read_cancel(stored.data).reason == "second thoughts"
    watched = await warmxfer("watch", transfer_id, "--json")
    assert watched.values[-1]["outcome"] == "cancelled"


async def test_doctor_names_the_missing_actors(warmxfer: Warmxfer, bus: Bus) -> None:
    result = await warmxfer("doctor", "--json")
    about = {each["about"]: each for each in result.values}
    assert about["nats"]["state"] == "ok"
    assert "start one with `warmxfer run briefing`" in about["briefing"]["sentence"]
    assert result.code == 3, "as every command that needs an actor and gets no reply"


def test_doctor_without_a_broker_exits_3(in_process: InProcess) -> None:
    result = in_process("doctor", "--url", NOWHERE)
    assert result.code == 3
    assert result.out.startswith(f"✘ nats         No NATS server answers at {NOWHERE}")


def test_watch_of_an_unknown_transfer_is_one_sentence(in_process: InProcess) -> None:
    result = in_process("watch", "nope")
    assert (result.code, result.err) == (
        2,
        "warmxfer: id is 'nope', but no transfer has this id; see `warmxfer list`\n",
    )


async def test_a_transfer_without_a_coordinator_is_reported_as_not_started_and_can_be_cancelled(
    warmxfer: Warmxfer, bus: Bus, transfer_id: str
) -> None:
    """A coordinator that starts within a minute would call the supervisor, so a cancel must be possible."""
    assert (await warmxfer("request", *FLAGS, "--id", transfer_id)).code == 0
    watched = await warmxfer("watch", transfer_id)
    sentence = "No coordinator replied within 5 s; start one with `warmxfer run coordinator`"
    assert (watched.code, watched.err) == (3, f"warmxfer: {sentence}\n")
    assert "`warmxfer run coordinator`" in watched.err
    shown = await warmxfer("show", transfer_id)
    assert shown.code == 3
    assert f"Transfer {transfer_id} was requested but has not started; see `warmxfer doctor`" in shown.err
    assert (await warmxfer("cancel", transfer_id)).code == 0
    assert len(await bus.history(subjects.cancel(transfer_id), 10)) == 1


async def test_control_characters_in_a_reason_do_not_reach_the_terminal(
    warmxfer: Warmxfer, bus: Bus, coordinator: None, transfer_id: str
) -> None:
    body = json.dumps({"config": {"command_timeout_s": 6}})
    await warmxfer("request", "-", *FLAGS, "--room", f"r-{transfer_id}", "--id", transfer_id, stdin=body)
    cancel = encode(CancelRequest("see [/x] [red]\x1b[31m\nred"))
    await bus.publish(subjects.cancel(transfer_id), cancel)
    watched = await warmxfer("watch", transfer_id)
    shown = await warmxfer("show", transfer_id)
    assert shown.code == 0, shown.err
    for result in (watched, shown):
        assert "see [/x] [red] [31m red" in result.out.splitlines()[-1]
        assert "\x1b" not in result.out


async def test_demo_lists_its_scenarios(warmxfer: Warmxfer) -> None:
    result = await warmxfer("demo", "--list")
    assert result.code == 0
    assert result.out.splitlines()[0].split()[0] == "ready"


async def test_transfers_of_a_newer_version_are_shown_watched_and_listed(
    warmxfer: Warmxfer, bus: Bus, transfer_id: str
) -> None:
    """Its words are shown as they are, and a record that cannot be read takes one line."""
    log = newer_path("stage").read_bytes().splitlines()
    for line in [*log, b"{cut"]:
        await bus.publish(subjects.log(transfer_id), line)
    now = time.time()  # Others on this broker are older, so the list begins with it.
    phase = {"type": "phase_changed", "phase": "transfer_failed", "data": {}, "timestamp": now, "seq": 1}
    await bus.publish(
        subjects.phase(transfer_id), json.dumps({**phase, "consultation_room_id": None}).encode()
    )
    outputs = json.loads(log[-1])["outbox"]
    (result,) = (each for each in outputs if each["type"] == "warm_transfer_result")
    newer = result | {"success": False, "outcome": "supervisor_asleep", "mood": 1}
    await bus.publish(subjects.result(transfer_id), json.dumps(newer).encode())

    shown = (await warmxfer("show", transfer_id, "--json")).values
    assert [line["n"] for line in shown] == list(range(1, len(log) + 2))
    assert "conferencing" in {line["stage"] for line in shown}
    assert shown[-1]["event"] == "(unreadable record)"
    text = await warmxfer("show", transfer_id)
    assert text.code == 0
    assert "outcome: complete" in text.out
    (reported,) = (await warmxfer("report", transfer_id, "--json")).values
    assert (reported["outcome"], reported["records"]) == ("complete", len(log))
    watched = await warmxfer("watch", transfer_id)
    assert watched.code == 1
    assert "outcome: supervisor_asleep" in watched.out
    assert "supervisor_asleep" in (await warmxfer("list", "--limit", "50")).out
