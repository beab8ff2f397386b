"""Fresh attacks of the kinds that were found, on running processes: other roles, subjects and spellings."""

from __future__ import annotations

import asyncio
import json
import time
from typing import Any

import pytest

from tests.testkit.recorder import recording_server
from warmxfer.actors.runtime.exit_codes import INVALID
from warmxfer.bus import Bus, subjects
from warmxfer.bus.partition import partition_of
from warmxfer.bus.subject_table import CORE, IN, PUBLIC
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.schemas import Outcome, WarmTransferPhase, participant_ids

from ..programs import output_of
from ..stack_fixture import READY, RESULT_TIMEOUT_S, SILENT, Call, TransferDriver, request_for
from ..test_forged import newest_state
from .plain_user import plain_user
from .test_terminal import ACTED_ON, ESCAPES

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def briefed(driver: TransferDriver, **config: Any) -> Call:
    """Return a transfer whose supervisor is being briefed."""
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, SILENT, **config)
    await call.until(WarmTransferPhase.BRIEFING_STARTED)
    return call


def event_subject(id: str, role: str) -> str:
    return f"wx.{partition_of(id)}.{id}.event.{role}"


@pytest.mark.parametrize("user", ["agent", "gateway", "summarizer"])
async def test_an_actor_cannot_say_yes_or_no_for_the_supervisor_of_another(
    driver: TransferDriver, user: str
) -> None:
    """Finding 1, another role: each may write events of its own role, of any transfer of its tenant."""
    call = await briefed(driver)
    id = call.transfer.id
    role = "primary" if user == "agent" else user
    async with (
        await Bus.connect(driver.stack.settings(ROOT), name="look") as look,
        plain_user(driver.stack, user) as attacker,
    ):
        state = await newest_state(look, id)
        pending = next(iter(state["pending"]), f"{id}-{state['commands']}")
        room, supervisor = state["room_id"], participant_ids.supervisor(id, 1)
        forged: list[dict[str, Any]] = [
            {"type": "supervisor_ready", "command_id": pending},
            {"type": "supervisor_declined", "command_id": pending, "reason": "no"},
            {"type": "voicemail_detected", "command_id": pending},
            {"type": "consultation_left", "command_id": pending},
            {"type": "caller_switched", "command_id": pending},
        ]
        if user != "gateway":
            forged += [
                {"type": "supervisor_call_ended", "attempt": 1, "call_id": state["supervisor_call_id"]},
                {"type": "participant_left", "room_id": room, "participant_id": supervisor, "reason": "x"},
                {"type": "caller_call_ended", "call_id": state["caller_call_id"]},
                {"type": "command_failed", "command_id": pending, "failure": "broken", "detail": "x"},
            ]
        else:
            forged.remove({"type": "caller_switched", "command_id": pending})
        for each in forged:
            assert not await attacker.is_refused(event_subject(id, role), json.dumps(each).encode())
        dead = subjects.dead_letter(id)
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            while len(await look.history(dead, 100)) < len(forged):
                await asyncio.sleep(0.1)
        assert (await newest_state(look, id))["stage"] == "briefing"
    await call.transfer.cancel("enough")
    assert (await call.result()).outcome is Outcome.CANCELLED
    report = await call.assert_clean_end()
    assert report["switches"] == {"forward": 0, "back": 0}


async def test_an_observer_starts_and_ends_nothing(driver: TransferDriver) -> None:
    """Finding 1, another user: by requests, by the API, by dead letters, by the board's ways."""
    call = await briefed(driver)
    id = call.transfer.id
    body = json.dumps({"id": id, "reason": "x"}).encode()
    async with plain_user(driver.stack, "observer") as attacker:
        for subject in (
            f"warmxfer.{id}.request",
            f"warmxfer.{id}.cancel",
            f"warmxfer.{id}.result",
            f"warmxfer.{id}.dead",
            "warmxfer.api.v1.start",
            "warmxfer.api.v1.cancel",
            "warmxfer.api.v1.report",
            "warmxfer.ask.replay",
            "warmxfer.ask.erase",
            "warmxfer.ask.pulse",
            f"warmxfer.ask.history.{call.caller.room_id}",
            "wx.coordinator.presence",
            "wx.capacity.gateway",
            "$SRV.PING",
        ):
            inbox = attacker.client.new_inbox()
            assert await attacker.is_refused(subject, body, reply=inbox), subject
    await call.transfer.cancel("enough")
    assert (await call.result()).outcome is Outcome.CANCELLED
    await call.assert_clean_end()


@pytest.mark.parametrize(
    "first_line",
    [
        b'INFO {"server_id":"X","version":"2.15.1","tls_required":true,"auth_required":true}\r\n',
        b"-ERR 'TLS is switched off here'\r\n",
        b'+OK\r\nINFO {"server_id":"X","version":"2.15.1","auth_required":true}\r\n',
    ],
    ids=["a handshake that never comes", "an error first", "an OK first"],
)
async def test_a_broker_that_plays_with_the_handshake_gets_no_secret(
    driver: TransferDriver, first_line: bytes
) -> None:
    """Finding 2, other first lines; the second server of the list is in plain text."""
    async with recording_server(first_line) as wire:
        env = {"NATS_URL": f"tls://127.0.0.1:{wire.port},nats://127.0.0.1:{wire.port}"}
        gateway = driver.stack.actor_env("gateway") | env
        code, output = await output_of(gateway, "warmxfer.cli", "doctor")
        assert code not in (0, None)
        assert not wire.holds(gateway["NATS_PASSWORD"], driver.stack.secret, "CONNECT", "gateway")
        assert gateway["NATS_PASSWORD"] not in output


async def test_advisories_other_inboxes_and_reads_in_disguise_give_nothing(driver: TransferDriver) -> None:
    """Finding 3: the broker's own subjects, an inbox guess, a read that asks for another."""
    call = await briefed(driver)
    async with plain_user(driver.stack, "summarizer") as attacker:
        for subject in (
            "$SYS.>",
            "$JS.EVENT.>",
            "$SRV.>",
            "_INBOX.client.>",
            "_INBOX.*.>",
            "*.*.*",
            "wx.*.*.log",
        ):
            attacker.violations.clear()
            await attacker.client.subscribe(subject)
            await attacker.sent()
            is_own = subject in ("$SRV.>", "wx.*.*.log")
            assert bool(attacker.violations) != is_own, subject
        own = f"$JS.API.DIRECT.GET.{CORE}.wx.{partition_of(call.transfer.id)}.{call.transfer.id}.log"
        for asked in (
            {"seq": 1},
            {"next_by_subj": "wx.session.>", "seq": 1},
            {"last_by_subj": "wx.session.>"},
            {"multi_last": [">"], "batch": 100},
            {"seq": 1, "batch": 100},
        ):
            reply = await attacker.client.request(own, json.dumps(asked).encode(), timeout=5)
            subject = (reply.headers or {}).get("Nats-Subject", "")
            assert subject in ("", own.partition(f"{CORE}.")[2]), asked
        for subject in (f"{IN}.wx.*.*.request", f"{CORE}.wx.*.*.do.gateway", f"{CORE}.wx.session.*.primary"):
            assert await attacker.is_refused(
                f"$JS.API.DIRECT.GET.{subject}", b"", attacker.client.new_inbox()
            )
        assert await attacker.is_refused(f"$JS.API.STREAM.INFO.{PUBLIC}", b"", attacker.client.new_inbox())
    await call.transfer.cancel("enough")
    await call.result()
    await call.assert_clean_end()


def hostile_texts() -> list[bytes]:
    """Return texts of nearly as many bytes as a stream takes, each expensive for some reader."""
    size = 100_000
    return [
        b"[" * size,
        b'{"a":' * (size // 5),
        b'{"type":"cancel","reason":' + b"1" * size + b"}",
        b'{"type":"end_call","deadline_at":' + b"9" * size + b"}",
        b'{"reason":"' + b"\\u202e" * (size // 6) + b'"}',
        b'{"reason":"' + b"sip:+1" * (size // 6) + b'"}',
        b'{"reason":"' + b"4111 " * (size // 5) + b'"}',
        b'{"reason":"' + b"one " * (size // 4) + b'"}',
        b'{"room_id":"' + b"a@" * (size // 2) + b'","config":{}}',
        b"\xff" * size,
    ]


async def test_no_text_of_100_kb_delays_a_transfer(driver: TransferDriver) -> None:
    """Finding 4, other texts on other subjects: numbers of 100,000 digits, deep nesting, words for digits."""
    (caller,) = await driver.callers(1)
    async with await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus:
        for place, text in enumerate(hostile_texts()):
            id = f"hostile-{place}"
            for subject in (
                subjects.request(id),
                subjects.cancel(id),
                subjects.event(id, "gateway"),
                subjects.timeout(id),
                *(subjects.work_queue(id, role) for role in subjects.ROLES),
            ):
                await bus.publish(subject, text)
        began = time.monotonic()
        call = await driver.begin(caller, READY)
        assert (await call.result()).outcome is Outcome.COMPLETE
        took = time.monotonic() - began
    assert took < RESULT_TIMEOUT_S / 2, f"{took:.1f} s"
    logs = {path.name: path.stat().st_size for path in driver.stack.directory.glob("*.log")}
    assert max(logs.values()) < 5_000_000, logs
    await call.assert_clean_end()


SPOKEN_NUMBERS = (
    "".join(chr(ord(each) + 0x630) for each in "4111111111111111"),  # Arabic-Indic digits
    "".join(chr(ord(each) + 0xFEE0) for each in "4111111111111111"),  # fullwidth digits
    "4\u200b1\u200b1\u200b1 1111-1111_1111/1111",
    "vier eins eins eins eins eins eins eins eins eins eins eins eins eins eins eins",
    "quatre un un un un un un un un un un un un un un un",
    "double four triple one, double one, triple seven, double nine",
    "DE89 3704 0044 0532 0130 00",
)


async def test_no_number_in_another_script_or_language_is_read_out(driver: TransferDriver) -> None:
    """Finding 8, other spellings of a card and an account, and a reason of the supervisor with a card."""
    (caller,) = await driver.callers(1)
    await driver.conversation(caller, lines=2)
    for text in SPOKEN_NUMBERS:
        said = f"It is {text}, thank you."
        await driver.stack.post(f"/sandbox/people/{caller.participant_id}/say", {"text": said})
    async with asyncio.timeout(RESULT_TIMEOUT_S):
        while not any(SPOKEN_NUMBERS[-1] in each["text"] for each in await speech(driver, caller.room_id)):
            await asyncio.sleep(0.05)
    call = await driver.begin(caller, SILENT)
    await call.until(WarmTransferPhase.BRIEFING_STARTED)
    supervisor = participant_ids.supervisor(call.transfer.id, 1)
    for words in ("Hello?", "No, I am paying with 4111 1111 1111 1111 right now."):
        before = await questions(driver, call)
        await driver.stack.post(f"/sandbox/people/{supervisor}/say", {"text": words})
        if words == "Hello?":
            async with asyncio.timeout(RESULT_TIMEOUT_S):
                while await questions(driver, call) == before:
                    await asyncio.sleep(0.05)
    result = await call.result()
    assert result.outcome is Outcome.DECLINED
    assert "1111" not in f"{result.detail} {result.summary} {result.evidence}"
    heard = " ".join(each["text"] for each in await speech(driver, result.consultation_room_id or ""))
    for text in SPOKEN_NUMBERS:
        assert text not in heard
        assert text not in (result.summary or "")
    await call.assert_clean_end()


async def speech(driver: TransferDriver, room_id: str) -> list[dict[str, Any]]:
    return await driver.stack.ledger(room=room_id, kind="speech")


async def questions(driver: TransferDriver, call: Call) -> int:
    """Return how often the briefing agent has asked something."""
    agent = participant_ids.agent(call.transfer.id)
    entries = await driver.stack.ledger(kind="speech")
    return sum(each["participantId"] == agent and "?" in each["text"] for each in entries)


def poisons(record: dict[str, Any]) -> list[bytes]:
    """Return log records that can be read and make no sense, made from a good one."""
    return [
        b"{}",
        b"[1,2,3]",
        json.dumps({"machine_version": 10**9, "min_machine_version": 10**9}).encode(),
        json.dumps(record | {"state": record["state"] | {"id": "another"}}).encode(),
    ]


async def test_no_log_record_that_another_wrote_loops_or_leaves_a_leg(driver: TransferDriver) -> None:
    """Finding 9, other records: empty, of another shape, of a far version, of another transfer."""
    callers = await driver.callers(4)
    calls = [await driver.begin(caller, SILENT, briefing_timeout_s=5.0) for caller in callers]
    async with await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus:
        for place, call in enumerate(calls):
            await call.until(WarmTransferPhase.BRIEFING_STARTED)
            stored = await bus.get_last(subjects.log(call.transfer.id))
            assert stored is not None
            await bus.publish(subjects.log(call.transfer.id), poisons(json.loads(stored.data))[place])
        for call in calls:
            result = await call.transfer.result(2 * RESULT_TIMEOUT_S)
            assert not result.success
        for call in calls:
            report = await call.assert_clean_end()
            assert report["supervisorLegsUp"] == 0
            assert len(await bus.history(subjects.dead_letter(call.transfer.id), 1_000)) < 20
        assert await bus.history(f"wx.{partition_of('another')}.another.>", 10, stream=CORE) == []


async def test_a_subject_with_escapes_and_a_reason_with_lines_forge_no_output(driver: TransferDriver) -> None:
    """Finding 10: escapes in a subject, line breaks in a reason, a service that announces escapes."""
    odd = "R\x1b]0;pwned\x07\x1b[2J\x9b31m"
    forged_line = (
        'x\n{"event":"transfer_ended","level":"info","outcome":"complete"}\r\n\u2028{"event":"forged"}'
    )
    call = await briefed(driver)
    async with (
        await Bus.connect(driver.stack.settings(ROOT), name="attacker") as bus,
        plain_user(driver.stack, "agent") as agent,
    ):

        async def announce(message: Any) -> None:
            answer = {
                "type": "io.nats.micro.v1.ping_response",
                "name": f"warmxfer-{ESCAPES}",
                "version": ESCAPES,
            }
            answer |= {
                "id": "x",
                "metadata": {"webhooks": ESCAPES, "deployment": ESCAPES, "health_port": ESCAPES},
            }
            await agent.client.publish(message.reply, json.dumps(answer).encode())

        await agent.client.subscribe("$SRV.PING", cb=announce)
        await agent.sent()
        for subject in (f"warmxfer.{odd}.request", f"warmxfer.{odd}.cancel", f"wx.0.{odd}.event.gateway"):
            await bus._connection.client.publish(subject, json.dumps(request_for(call.caller)).encode())
        await bus._connection.client.flush()
        await bus.publish(subjects.cancel(call.transfer.id), json.dumps({"reason": forged_line}).encode())
        assert (await call.result()).outcome is Outcome.CANCELLED
        env = driver.stack.actor_env("operator")
        lines = [
            ("doctor",),
            ("doctor", "--json"),
            ("list",),
            ("dead-letters",),
            ("dead-letters", "--json"),
            ("show", call.transfer.id),
            ("report", call.transfer.id),
        ]
        printed = [await output_of(env, "warmxfer.cli", *line) for line in lines]
    for line, (_, output) in zip(lines, printed, strict=True):
        assert output.strip(), line
        assert ACTED_ON.findall(output) == [], line
        assert '\n{"event"' not in output, line
    for path in driver.stack.directory.glob("*.log"):
        for line in path.read_text(errors="replace").splitlines():
            assert ACTED_ON.findall(line) == [], path.name
            if line.startswith("{"):
                assert json.loads(line)["event"] not in ("forged",), path.name
    await call.assert_clean_end()


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost.evil.example/v1",
        "http://2130706433/v1",
        "http://0x7f000001/v1",
        "http://evil\u3002example/v1",
        "http://127.0.0.1.evil.example/v1",
        "http://[::ffff:203.0.113.7]/v1",
        "ftp://127.0.0.1/v1",
        "http://127.0.0.1@evil.example/v1",
    ],
)
async def test_no_spelling_of_another_host_gets_the_key_in_clear(driver: TransferDriver, url: str) -> None:
    """Finding 11, other spellings, also of the provider's address."""
    env = driver.stack.actor_env("summarizer") | {"WARMXFER_LLM_BASE_URL": url}
    code, output = await output_of(env, "warmxfer.actors", "summarizer")
    assert code == INVALID
    assert "WARMXFER_LLM_BASE_URL" in output
    gateway = driver.stack.actor_env("gateway") | {"VIDEOSDK_BASE_URL": url.removesuffix("/v1")}
    code, output = await output_of(gateway, "warmxfer.actors", "gateway")
    assert code == INVALID
    assert "VIDEOSDK_BASE_URL is" in output
    assert driver.stack.secret not in output
