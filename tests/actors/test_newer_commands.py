"""Commands of a newer version: workers leave them to newer workers, and sessions reply that they failed."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.actors.primary.fake_session import RecordingSession
from tests.testkit.sent_log import store_in_log
from tests.testkit.stored import events_of
from warmxfer.actors.briefing import brief_here
from warmxfer.actors.briefing.actor import BriefingActor
from warmxfer.actors.briefing.consult_commands import ConsultCommands
from warmxfer.actors.briefing.reply.classifier import ReplyClassifier
from warmxfer.actors.common.log_check import LogCheck
from warmxfer.actors.gateway import at_most_once
from warmxfer.actors.gateway.at_most_once import ClaimRecord, EffectClaims
from warmxfer.actors.primary import attach
from warmxfer.actors.summarizer.actor import Summarizer
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import BrokerClock, Bus, Delivery, NewerVersionNeeded, Worker, newer_retries, subjects
from warmxfer.bus.polling import REREAD_PAUSES_S
from warmxfer.schemas import CommandFailed, CreateRoom, FailureKind, LeaveConsultation, decode_event, encode

SESSION = "room-1"
NEWER = {"type": "play_music", "command_id": "t-7", "deadline_at": 1.0, "fence": 9, "tune": "waltz"}
NEWER_TO_SESSION = NEWER | {"transfer_id": "t"}
UNREADABLE = NEWER | {"type": "summarize", "session": ["another shape"]}
PATIENCE_S = 10.0


@pytest.fixture(autouse=True)
def short_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(newer_retries, "NEWER_RETRY_MIN_S", 0.01)
    monkeypatch.setattr(newer_retries, "NEWER_RETRY_MAX_S", 0.03)


async def failures(bus: Bus, id: str, count: int) -> list[CommandFailed]:
    """Return the failures that were replied in transfer `id`, once there are `count`."""
    async with asyncio.timeout(PATIENCE_S):
        while len(stored := await events_of(bus, id)) < count:
            await asyncio.sleep(0.02)
    return [each for message in stored if isinstance(each := decode_event(message.data), CommandFailed)]


def handlers(bus: Bus, role: str) -> tuple[Callable[[Delivery], Awaitable[None]], Any]:
    actor: Summarizer | BriefingActor = Summarizer(bus, None)
    if role == "briefing":
        actor = BriefingActor(bus, RoomSettings(), ReplyClassifier(None))
    return actor.handle, actor.on_dead_letter


@pytest.mark.parametrize("role", ["summarizer", "briefing"])
@pytest.mark.parametrize("command", [NEWER, UNREADABLE])
async def test_a_worker_leaves_a_newer_command_to_a_newer_worker(
    fresh_bus: Bus, role: str, command: dict[str, Any]
) -> None:
    """It is left to them more often than a command may fail: it is no dead letter before they start."""
    left: list[Delivery] = []
    taken: list[Delivery] = []

    async def newer(delivery: Delivery) -> None:
        taken.append(delivery)

    async def older(delivery: Delivery) -> None:
        left.append(delivery)
        await handlers(fresh_bus, role)[0](delivery)

    await store_in_log(fresh_bus, "t", json.dumps(command).encode())
    await fresh_bus.publish(subjects.work_queue("t", role), json.dumps(command).encode())
    async with Worker(fresh_bus, role, older, jobs=1), asyncio.timeout(PATIENCE_S):
        while len(left) <= fresh_bus.settings.max_deliver:
            await asyncio.sleep(0.02)
    async with Worker(fresh_bus, role, newer, jobs=1), asyncio.timeout(PATIENCE_S):
        while not taken:
            await asyncio.sleep(0.02)
    assert await fresh_bus.get_last(subjects.dead_letter("t")) is None


@pytest.mark.parametrize("role", ["summarizer", "briefing"])
@pytest.mark.parametrize("command", [NEWER, UNREADABLE])
async def test_a_newer_command_that_no_worker_takes_fails(
    fresh_bus: Bus, role: str, command: dict[str, Any]
) -> None:
    handle, on_dead_letter = handlers(fresh_bus, role)
    async with Worker(fresh_bus, role, handle, jobs=1, on_dead_letter=on_dead_letter):
        await store_in_log(fresh_bus, "t", json.dumps(command).encode())
        await fresh_bus.publish(subjects.work_queue("t", role), json.dumps(command).encode())
        (failed,) = await failures(fresh_bus, "t", 1)
    assert (failed.command_id, failed.failure) == ("t-7", FailureKind.BROKEN)
    letter = await fresh_bus.get_last(subjects.dead_letter("t"))
    assert letter is not None
    assert json.loads(letter.data)["tries"] == newer_retries.NEWER_TRIES


async def test_a_handler_that_needs_a_newer_version_is_logged_once(
    fresh_bus: Bus, capsys: pytest.CaptureFixture[str]
) -> None:
    async def handle(_: Delivery) -> None:
        raise NewerVersionNeeded("too new")

    async with Worker(fresh_bus, "summarizer", handle, jobs=1):
        await fresh_bus.publish(subjects.work_queue("t", "summarizer"), b"{}")
        async with asyncio.timeout(PATIENCE_S):
            while await fresh_bus.get_last(subjects.dead_letter("t")) is None:
                await asyncio.sleep(0.02)
    lines = [line for line in capsys.readouterr().out.splitlines() if "too new" in line]
    assert [next(word for word in line.split() if word.startswith("message_")) for line in lines][:1] == [
        "message_left_to_newer_version"
    ]
    assert len(lines) <= 2


async def test_a_session_replies_once_that_it_does_not_know_a_command(fresh_bus: Bus) -> None:
    subject = subjects.session_commands(SESSION)
    async with attach(fresh_bus, RecordingSession(SESSION), lease_s=1.0):
        await store_in_log(fresh_bus, "t", json.dumps(NEWER_TO_SESSION).encode(), session=SESSION)
        await fresh_bus.publish(subject, json.dumps(NEWER_TO_SESSION).encode())
        (failed,) = await failures(fresh_bus, "t", 1)
        await asyncio.sleep(3 * REREAD_PAUSES_S[0])  # it reads the newest command again
        assert len(await failures(fresh_bus, "t", 1)) == 1
    assert (failed.command_id, failed.failure) == ("t-7", FailureKind.BROKEN)
    assert failed.detail == (
        "This primary session is of an older version and does not know the command; upgrade it."
    )


async def test_a_consultation_replies_that_it_does_not_know_a_command_and_goes_on(fresh_bus: Bus) -> None:
    async with ConsultCommands(fresh_bus, LogCheck(fresh_bus), "t", fence=0, role="briefing") as commands:
        await store_in_log(fresh_bus, "t", json.dumps(NEWER).encode())
        await fresh_bus.publish(subjects.consult("t"), json.dumps(NEWER).encode())
        (failed,) = await failures(fresh_bus, "t", 1)
        leave = LeaveConsultation(command_id="t-8", deadline_at=0.0, fence=8)
        await store_in_log(fresh_bus, "t", leave)
        await fresh_bus.publish(subjects.consult("t"), encode(leave))
        async with asyncio.timeout(PATIENCE_S):
            assert await commands.leave == leave
    assert failed.command_id == "t-7"
    assert len(await failures(fresh_bus, "t", 1)) == 1


async def test_a_session_with_in_session_briefing_replies_that_it_does_not_know_a_command(
    fresh_bus: Bus,
) -> None:
    async with brief_here(fresh_bus, SESSION, RoomSettings()):
        await store_in_log(fresh_bus, "t", json.dumps(NEWER_TO_SESSION).encode(), session=SESSION)
        await fresh_bus.publish(subjects.session_briefing(SESSION), json.dumps(NEWER_TO_SESSION).encode())
        (failed,) = await failures(fresh_bus, "t", 1)
    assert failed.command_id == "t-7"


# ── claims of a newer version ────────────────────────────────────────────────────────────────────────

COMMAND = CreateRoom(command_id="t-1", deadline_at=1e12, key="t")


@pytest.mark.parametrize(
    "stored", [b"{", b"[]", b'{"owner": "another shape"}', b'{"command_id": 5, "token": ""}']
)
async def test_a_claim_that_cannot_be_read_still_excludes_every_other(fresh_bus: Bus, stored: bytes) -> None:
    """Before, a gateway failed at such a claim again and again, and its effect was never looked up."""
    await fresh_bus.publish(subjects.effect_claim("t", "dial-1"), stored)
    claims = EffectClaims(fresh_bus, BrokerClock(), timeout_s=1.0, settle_s=1.0)
    claim = await claims.claim("t", "dial-1", COMMAND)
    assert (claim.granted, claim.forbidden, claim.end_kind) == (False, False, None)
    forbidden = await claims.forbid("t", "dial-1", COMMAND)
    assert not forbidden.forbidden


@pytest.mark.parametrize("end", [b"{", b'{"outcome": "half_done", "token": "a"}', b'{"outcome": 5}'])
async def test_an_end_that_cannot_be_read_leaves_the_outcome_unknown(fresh_bus: Bus, end: bytes) -> None:
    record = ClaimRecord(command_id="t-0", token="a")
    await fresh_bus.publish(subjects.effect_claim("t", "dial-1"), encode(record))
    await fresh_bus.publish(subjects.effect_claim("t", at_most_once._end_effect("dial-1")), end)
    claims = EffectClaims(fresh_bus, BrokerClock(), timeout_s=1.0, settle_s=1.0)
    claim = await claims.claim("t", "dial-1", COMMAND)
    assert (claim.granted, claim.end_kind) == (False, "doubtful")
