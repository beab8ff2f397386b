"""An event is accepted only from the actor that may say it."""

from __future__ import annotations

import asyncio
import json
from typing import get_args

import pytest

from warmxfer.actors.coordinator.event_writers import EVENT_WRITERS, why_not_accepted, why_wrong_role
from warmxfer.actors.coordinator.inbound_events import INTERNAL_EVENTS, TriggerReader
from warmxfer.actors.coordinator.state_machine import PendingCommand, Stage, Transfer
from warmxfer.bus import Bus, DeadLetter, Delivery, subjects
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    AudioStreamEnabled,
    BriefSupervisor,
    CommandFailed,
    FailureKind,
    ParticipantLeft,
    SupervisorDeclined,
    SupervisorReady,
    VoicemailDetected,
    encode,
    read_request,
    with_defaults,
)

from .coordinator_fixture import request, running_coordinators, until_stored
from .fake_actors import FakeActors, answers

DECISIONS = (SupervisorReady(), SupervisorDeclined(), VoicemailDetected())


def transfer(brief_by: str = "briefing", **pending: str) -> Transfer:
    """Return a transfer with a consultation room, in which the commands `pending` are awaited."""
    body = json.loads(request("primary-room"))
    body["config"]["brief_by"] = brief_by
    state = Transfer(id="t", stage=Stage.BRIEFING, started_at=0.0)
    state.request = with_defaults(read_request(encode(body)))
    state.room_id = "consultation-room"
    state.pending = {id: PendingCommand(kind, 60.0) for id, kind in pending.items()}
    return state


def accepted(state: Transfer, event: AnyEvent) -> set[str]:
    """Return the roles from which `state` accepts `event`."""
    return {
        role for role in (*subjects.WRITERS, "coordinator", "") if not why_not_accepted(state, event, role)
    }


def test_each_event_of_an_actor_has_writers_and_no_other_event_has() -> None:
    assert set(EVENT_WRITERS) == set(get_args(AnyEvent)) - set(INTERNAL_EVENTS)
    for writers in EVENT_WRITERS.values():
        assert writers
        assert set(writers) <= set(subjects.WRITERS)


@pytest.mark.parametrize("event", DECISIONS, ids=lambda event: type(event).__name__)
def test_a_decision_is_accepted_only_from_who_was_given_the_briefing(event: AnyEvent) -> None:
    assert accepted(transfer("briefing"), event) == {"briefing"}
    assert accepted(transfer("session"), event) == {"primary"}


def test_a_participant_is_accepted_from_the_actors_of_that_room() -> None:
    heard = AudioStreamEnabled(room_id="consultation-room", participant_id="wxs-t-1")
    assert accepted(transfer("briefing"), heard) == {"gateway", "briefing"}
    assert accepted(transfer("session"), heard) == {"gateway", "primary"}
    left = ParticipantLeft(room_id="primary-room", participant_id="caller-1")
    assert accepted(transfer(), left) == {"gateway", "primary"}


@pytest.mark.parametrize(
    ("command", "by"),
    [
        ("hold_caller", "primary"),
        ("release_caller", "primary"),
        ("summarize", "summarizer"),
        ("dial_supervisor", "gateway"),
        ("end_call", "gateway"),
        ("check_legs", "gateway"),
        ("join_consultation", "briefing"),
        ("brief_supervisor", "briefing"),
    ],
)
def test_a_failure_is_accepted_from_who_was_asked(command: str, by: str) -> None:
    failed = CommandFailed(command_id="t-1", failure=FailureKind.REFUSED)
    assert accepted(transfer(**{"t-1": command}), failed) == {by}
    session = accepted(transfer("session", **{"t-1": command}), failed)
    assert session == {"primary" if by == "briefing" else by}


def test_the_sentence_names_event_and_writers() -> None:
    assert why_wrong_role(SupervisorReady(), "summarizer") == (
        "SupervisorReady is accepted from briefing or primary, and not from 'summarizer'"
    )
    assert why_wrong_role(SupervisorReady(), "briefing") is None


@pytest.mark.parametrize("role", ["summarizer", "gateway", "coordinator", "", "a.b"])
def test_a_foreign_event_is_unreadable_on_arrival(role: str) -> None:
    delivery = Delivery("t", "event", role, "", encode(SupervisorReady()), 1, 0.0, 1, {})
    error = TriggerReader().check(delivery)
    assert isinstance(error, DeadLetter)
    assert "SupervisorReady is accepted from briefing or primary" in str(error)


@pytest.mark.parametrize("liar", ["summarizer", "gateway", "primary"])
async def test_a_forged_ready_moves_no_caller_and_ends_no_transfer(fresh_bus: Bus, liar: str) -> None:
    """The supervisor never spoke. The forged event is dead-lettered, and the true one still counts."""
    forged = asyncio.Event()

    def script(command: AnyCommand) -> list[AnyEvent]:
        if isinstance(command, BriefSupervisor):
            forged.set()
            return []
        return answers(command)

    actors = FakeActors(fresh_bus, "t-forged", script)
    async with running_coordinators(fresh_bus):
        running = asyncio.create_task(actors.run_transfer(request("room-a")))
        await asyncio.wait_for(forged.wait(), 30)
        await fresh_bus.publish(subjects.event("t-forged", liar), encode(SupervisorReady()))
        dead = json.loads((await until_stored(fresh_bus, subjects.dead_letter("t-forged"))).data)
        assert "accepted from" in dead["cause"]
        assert "SwitchCaller" not in actors.command_names
        assert not running.done()
        await actors.publish(SupervisorReady())
        result = await asyncio.wait_for(running, 30)
    assert result.success
    assert actors.command_names.count("SwitchCaller") == 1
