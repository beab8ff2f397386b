"""The commands against a real broker: what they print, where, and the code they exit with."""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import socket
import sys
from collections.abc import AsyncIterator

import pytest
import typer

from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as coordinate
from warmxfer.bus import Bus, subjects
from warmxfer.cli.app import app
from warmxfer.schemas import CancelRequest, encode, read_cancel, read_request

from .conftest import InProcess, Warmxfer

FLAGS = ("--room", "room-1", "--to", "+14155550101", "--from", "+14155550100", "--rule", "rule")
NOWHERE = "nats://127.0.0.1:1"


@pytest.fixture
async def coordinator(bus: Bus) -> AsyncIterator[None]:
    """A coordinator and nobody else: every transfer fails, for want of the others."""
    task = asyncio.create_task(coordinate(bus, CoordinatorSettings()))
    yield
    task.cancel()
    await asyncio.wait([task], timeout=10.0)


async def test_help_names_every_command(warmxfer: Warmxfer) -> None:
    said = await warmxfer("--help")
    assert said.code == 0
    for command in (
        "demo",
        "up",
        "run",
        "request",
        "watch",
        "show",
        "list",
        "cancel",
        "sandbox",
        "doctor",
    ):
        assert f"  {command} " in said.out


def test_the_version_is_that_of_the_package(in_process: InProcess) -> None:
    said = in_process("--version")
    assert (said.code, said.out) == (0, f"warmxfer {importlib.metadata.version('warmxfer')}\n")


def test_every_command_takes_json() -> None:
    cli = typer.main.get_command(app)
    assert isinstance(cli, typer.core.TyperGroup)
    without = [
        name for name, each in cli.commands.items() if all("--json" not in o.opts for o in each.params)
    ]
    assert without == []


@pytest.mark.parametrize(("flags", "is_json"), [((), False), (("--json",), True)])
async def test_an_actor_run_with_json_logs_json_lines_to_a_terminal_too(
    flags: tuple[str, ...], is_json: bool
) -> None:
    ours, terminal = os.openpty()
    command = (sys.executable, "-m", "warmxfer.cli", "run", "coordinator", "--url", NOWHERE, *flags)
    try:
        process = await asyncio.create_subprocess_exec(*command, stderr=terminal)
        async with asyncio.timeout(30):
            line = await asyncio.to_thread(os.read, ours, 4_096)
            process.terminate()
            assert await process.wait() == 0
    finally:
        os.close(ours)
        os.close(terminal)
    assert b"actor_connects" in line
    assert line.startswith(b'{"') is is_json


async def test_a_request_from_flags_is_stored(warmxfer: Warmxfer, bus: Bus, transfer_id: str) -> None:
    said = await warmxfer("request", *FLAGS, "--id", transfer_id, "--json")
    assert (said.code, said.values) == (0, [{"id": transfer_id}])
    (stored,) = await bus.history(subjects.request(transfer_id), 10)
    assert read_request(stored.data).config.destination.routing_rule_id == "rule"


async def test_flags_override_a_request_from_stdin(warmxfer: Warmxfer, bus: Bus, transfer_id: str) -> None:
    body = {"room_id": "room-1", "config": {"briefing_timeout_s": 9, "destination": {"routing_rule_id": "r"}}}
    said = await warmxfer(
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
    assert said.code == 0
    assert f"warmxfer watch {transfer_id}" in said.out
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
        (("request", "/nowhere.json"), "", 2, "FILE is '/nowhere.json', which cannot be read"),
        (("show", "nobody"), "", 2, "id is 'nobody', but no transfer has this id; see `warmxfer list`"),
        (("show", "a.b"), "", 2, "id is 'a.b'; use 1 to 64 of"),
        (("cancel", "nobody"), "", 2, "id is 'nobody', but no transfer has this id"),
        (("list", "--limit", "0"), "", 2, "limit is 0; give 1 to 1000"),
        (("list", "--url", NOWHERE), "", 3, f"No NATS server answers at {NOWHERE}"),
        (("list", "--url", "nats://127.0.0.1:99999"), "", 2, "NATS_URL has a port that is not 1 to 65535"),
        (("demo", "--keep", "/proc/x"), "", 2, "--keep is '/proc/x', which cannot be written in ("),
        (("up", "--keep", __file__), "", 2, f"--keep is '{__file__}', which cannot be written in ("),
        (("demo", "--pace", "-1"), "", 2, "--pace is -1.0; give 0 to 100"),
        (("up", "--pace", "nan"), "", 2, "--pace is nan; give 0 to 100"),
        (("up", "--port", "99999"), "", 2, "--port is 99999; give 0 to 65535"),
        (("up", "--sandbox-port", "-1"), "", 2, "--sandbox-port is -1; give 0 to 65535"),
        (("sandbox", "--port", "99999"), "", 2, "--port is 99999; give 0 to 65535"),
        (("sandbox", "--host", "192.0.2.1"), "", 2, "--host is '192.0.2.1', which is no address of this"),
        (("sandbox", "--host", "a..b"), "", 2, "--host is 'a..b', which is no address of this machine"),
        (("sandbox", "--host", "nosuch.invalid"), "", 2, "--host is 'nosuch.invalid', which is no address"),
        (("run", "primary"), "", 2, "WARMXFER_ROOM_ID is ''; give the room"),
        (("run", "gateway"), "", 2, "VIDEOSDK_API_KEY"),
        (("run", "coordinator", "--url", "http://x"), "", 2, "NATS_URL"),
        (("demo", "--scenario", "party"), "", 2, "--scenario is 'party'; use one of ready,"),
        (("up", "--scale", "gateway=x"), "", 2, "--scale has 'gateway=x'; write role=number"),
        (("sandbox", "--time-scale", "-1"), "", 2, "time_scale is -1.0"),
    ],
)
def test_what_cannot_be_done_is_one_sentence_and_a_code(
    in_process: InProcess, arguments: tuple[str, ...], stdin: str, code: int, sentence: str
) -> None:
    said = in_process(*arguments, stdin=stdin)
    assert (said.code, said.out) == (code, "")
    assert said.err.startswith("warmxfer: ")
    assert sentence in said.err
    assert len(said.err.splitlines()) == 1, said.err


@pytest.mark.parametrize("option", ["--port", "--sandbox-port"])
def test_a_port_that_somebody_has_is_named_by_its_option(in_process: InProcess, option: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        other = {"--port": "--sandbox-port", "--sandbox-port": "--port"}[option]
        said = in_process("up", option, str(port), other, "0")
    sentence = f"{option} is {port}, which is not to be had (Address already in use); give another, or 0"
    assert (said.code, said.out) == (2, "")
    assert said.err == f"warmxfer: {sentence} for any free one\n"


async def test_wrong_usage_exits_2(warmxfer: Warmxfer) -> None:
    assert (await warmxfer("list", "--colour")).code == 2
    assert (await warmxfer("run", "butler")).code == 2


async def test_a_transfer_is_followed_listed_shown_and_not_cancelled_after_its_end(
    warmxfer: Warmxfer, bus: Bus, coordinator: None, transfer_id: str
) -> None:
    body = {"config": {"command_timeout_s": 0.5, "summary_timeout_s": 0.5}}
    room = f"room-{transfer_id}"
    said = await warmxfer(
        "request", "-", *FLAGS, "--room", room, "--id", transfer_id, "--wait", stdin=json.dumps(body)
    )
    assert said.code == 1
    lines = said.out.splitlines()
    assert lines[0] == f"transfer {transfer_id}"
    assert lines[1].split()[:3] == ["✔", "started", "0"]
    assert any("✘ transfer_failed" in line for line in lines)
    assert "absent" in lines[-1]

    watched = await warmxfer("watch", transfer_id, "--json")
    assert watched.code == 1
    *phases, result = watched.values
    assert [phase["seq"] for phase in phases] == list(range(1, len(phases) + 1))
    assert (phases[-1]["phase"], result["success"]) == ("transfer_failed", False)

    shown = await warmxfer("show", transfer_id, "--json")
    assert shown.values[0]["event"] == "transfer_requested"
    assert shown.values[-1]["stage"] == "failed"
    assert [line["n"] for line in shown.values] == list(range(1, len(shown.values) + 1))
    assert "+1415" not in (await warmxfer("show", transfer_id)).out

    listed = await warmxfer("list", "--json", "--limit", "50")
    mine = next(each for each in listed.values if each["id"] == transfer_id)
    assert (mine["phase"], mine["outcome"]) == ("transfer_failed", result["outcome"])

    cancelled = await warmxfer("cancel", transfer_id)
    assert cancelled.code == 2
    assert "has ended (transfer_failed); there is nothing left to cancel" in cancelled.err


async def test_a_running_transfer_is_cancelled_with_its_reason(
    warmxfer: Warmxfer, bus: Bus, coordinator: None, transfer_id: str
) -> None:
    # Nobody answers: so long the transfer runs, and a command of ours may take seconds to start.
    body = json.dumps({"config": {"command_timeout_s": 6}})
    room = f"room-{transfer_id}"
    await warmxfer("request", "-", *FLAGS, "--room", room, "--id", transfer_id, stdin=body)
    said = await warmxfer("cancel", transfer_id, "--reason", "second thoughts", "--json")
    assert (said.code, said.values) == (0, [{"id": transfer_id, "cancelled": True}])
    (stored,) = await bus.history(subjects.cancel(transfer_id), 10)
    assert read_cancel(stored.data).reason == "second thoughts"
    watched = await warmxfer("watch", transfer_id, "--json")
    assert watched.values[-1]["outcome"] == "cancelled"


async def test_doctor_tells_who_is_missing(warmxfer: Warmxfer, bus: Bus) -> None:
    said = await warmxfer("doctor", "--json")
    about = {each["about"]: each for each in said.values}
    assert about["nats"]["state"] == "ok"
    assert "start one with `warmxfer run briefing`" in about["briefing"]["sentence"]
    assert said.code == 1


def test_doctor_without_a_broker_exits_3(in_process: InProcess) -> None:
    said = in_process("doctor", "--url", NOWHERE)
    assert said.code == 3
    assert said.out.startswith(f"✘ nats         No NATS server answers at {NOWHERE}")


def test_watching_what_nobody_asked_for(in_process: InProcess) -> None:
    said = in_process("watch", "nobody")
    sentence = "id is 'nobody', but no transfer has this id; see `warmxfer list`"
    assert (said.code, said.err) == (2, f"warmxfer: {sentence}\n")


async def test_what_was_asked_for_and_not_begun_is_told_so_and_can_be_cancelled(
    warmxfer: Warmxfer, bus: Bus, transfer_id: str
) -> None:
    """A coordinator that came within a minute would ring the supervisor."""
    assert (await warmxfer("request", *FLAGS, "--id", transfer_id)).code == 0
    watched = await warmxfer("watch", transfer_id)
    sentence = "No coordinator replied within 5 s; start one with `warmxfer run coordinator`"
    assert (watched.code, watched.err) == (3, f"warmxfer: {sentence}\n")
    shown = await warmxfer("show", transfer_id)
    assert shown.code == 3
    assert f"Transfer {transfer_id} was requested but has not started; start a coordinator" in shown.err
    assert (await warmxfer("cancel", transfer_id)).code == 0
    assert len(await bus.history(subjects.cancel(transfer_id), 10)) == 1


async def test_peoples_words_do_nothing_to_a_terminal(
    warmxfer: Warmxfer, bus: Bus, coordinator: None, transfer_id: str
) -> None:
    body = json.dumps({"config": {"command_timeout_s": 6}})
    await warmxfer("request", "-", *FLAGS, "--room", f"r-{transfer_id}", "--id", transfer_id, stdin=body)
    cancel = encode(CancelRequest("see [/x] [red]\x1b[31m\nred"))
    await bus.publish(subjects.cancel(transfer_id), cancel)
    watched = await warmxfer("watch", transfer_id)
    shown = await warmxfer("show", transfer_id)
    assert shown.code == 0, shown.err
    for said in (watched, shown):
        assert "see [/x] [red] [31m red" in said.out.splitlines()[-1]
        assert "\x1b" not in said.out


async def test_the_scenarios_are_listed(warmxfer: Warmxfer) -> None:
    said = await warmxfer("demo", "--list")
    assert said.code == 0
    assert said.out.splitlines()[0].split()[0] == "ready"
