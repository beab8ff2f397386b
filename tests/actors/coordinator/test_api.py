"""The API of the coordinators, asked as a program in any language would ask."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from tests.testkit.secured_broker import secured_broker
from warmxfer.actors.common.dial_policy import DialPolicy
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.coordinator import run as run_coordinator
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.bus import Bus, Busy, InvalidRequest, NoReply, subjects
from warmxfer.bus.dead_letters import DeadLetterBody
from warmxfer.bus.subject_table import BOARD, CLIENT, COORDINATOR, DEPLOY, SUBJECTS
from warmxfer.client import Client, IdInUse, NoCoordinator, NoSuchTransfer
from warmxfer.schemas import AnyCommand, AnyEvent, DialSupervisor, Outcome, WarmTransferPhase, encode

from .coordinator_fixture import PATIENCE_S, until_waiting
from .fake_actors import FakeActors, answers

TIMEOUT_S = 30.0
REQUEST: dict[str, Any] = {
    "room_id": "room-1",
    "config": {
        "destination": {
            "routing_rule_id": "rule",
            "sip_call_to": "+14155550101",
            "sip_call_from": "+14155550100",
        },
        "command_timeout_s": 0.5,
    },
}
VERBS = tuple(row.name.removeprefix("api.") for row in SUBJECTS if row.name.startswith("api."))


def request_for(transfer_id: str) -> dict[str, Any]:
    """A request whose caller no other test transfers."""
    return {**REQUEST, "room_id": transfer_id}


def patient_request_for(transfer_id: str) -> dict[str, Any]:
    """A request whose commands do not time out during a test."""
    return {**request_for(transfer_id), "config": {**REQUEST["config"], "command_timeout_s": 60.0}}


async def serving(bus: Bus, settings: CoordinatorSettings) -> AsyncIterator[None]:
    """Run a coordinator without the other actors: every transfer fails."""
    ready = asyncio.Event()
    task = asyncio.create_task(run_coordinator(bus, settings, ready=ready.set))
    async with asyncio.timeout(TIMEOUT_S):
        await ready.wait()
    yield
    task.cancel()
    await asyncio.wait([task], timeout=TIMEOUT_S)


@pytest.fixture
async def coordinator(bus: Bus) -> AsyncIterator[None]:
    async for _ in serving(bus, CoordinatorSettings()):
        yield


@pytest.fixture
async def strict_coordinator(fresh_bus: Bus) -> AsyncIterator[None]:
    """A coordinator that allows calls to Germany only."""
    policy = DialPolicy.from_env({"WARMXFER_DIAL_REGIONS": "DE"})
    async for _ in serving(fresh_bus, CoordinatorSettings(policy=policy)):
        yield


async def ask(bus: Bus, verb: str, query: Any = None) -> Any:
    data = b"" if query is None else json.dumps(query).encode()
    return json.loads(await bus.request(subjects.api(verb), data, TIMEOUT_S))


async def served(bus: Bus, verb: str, query: Any) -> Any:
    """Return the reply, or None while the broker has not connected the two accounts yet."""
    try:
        return await ask(bus, verb, query)
    except (Busy, NoReply):
        return None


async def cancelled(bus: Bus, transfer_id: str) -> None:
    """Start a transfer and cancel it while a phone rings. No record follows its end."""

    def script(command: AnyCommand) -> list[AnyEvent]:
        return [] if isinstance(command, DialSupervisor) else answers(command)

    query = {"id": transfer_id, "request": patient_request_for(transfer_id)}
    actors = FakeActors(bus, transfer_id, script)
    ending = asyncio.create_task(actors.run_transfer(json.dumps(query["request"]).encode()))
    await until_waiting(bus, transfer_id, Stage.RINGING, DialSupervisor)
    await ask(bus, "start", query)
    assert await ask(bus, "cancel", {"id": transfer_id, "reason": "no need"}) == {"id": transfer_id}
    assert (await asyncio.wait_for(ending, PATIENCE_S)).outcome is Outcome.CANCELLED


async def ended(client: Client, transfer_id: str) -> None:
    async with asyncio.timeout(60):
        await client.transfer(transfer_id).result()


@pytest.mark.usefixtures("coordinator")
async def test_validate_returns_the_request_with_its_defaults_and_stores_nothing(
    bus: Bus, transfer_id: str
) -> None:
    reply = await ask(bus, "validate", request_for(transfer_id))
    assert reply["request"]["room_id"] == transfer_id
    assert reply["request"]["config"]["bridge_guard_s"] == 5.0
    with pytest.raises(InvalidRequest, match=r"^room_id is 'a b'; use 1 to 64"):
        await ask(bus, "validate", {**REQUEST, "room_id": "a b"})
    with pytest.raises(NoSuchTransfer):
        await Client(bus).status(transfer_id)


@pytest.mark.usefixtures("strict_coordinator")
async def test_validate_says_what_the_dial_policy_forbids(fresh_bus: Bus) -> None:
    with pytest.raises(InvalidRequest, match="DIAL_REGIONS"):
        await ask(fresh_bus, "validate", REQUEST)
    with pytest.raises(InvalidRequest, match="DIAL_REGIONS"):
        await Client(fresh_bus).validate(REQUEST)


@pytest.mark.usefixtures("coordinator")
async def test_start_answers_the_same_for_the_same_id(bus: Bus, transfer_id: str) -> None:
    query = {"id": transfer_id, "request": request_for(transfer_id)}
    first = await ask(bus, "start", query)
    assert first == {
        "id": transfer_id,
        "phase_subject": f"warmxfer.{transfer_id}.phase",
        "result_subject": f"warmxfer.{transfer_id}.result",
    }
    assert await ask(bus, "start", query) == first
    await ended(Client(bus), transfer_id)
    assert await ask(bus, "start", query) == first
    assert len(await bus.history(subjects.request(transfer_id), 10)) == 1
    with pytest.raises(InvalidRequest, match="belongs to another request"):
        await ask(bus, "start", {**query, "request": {**query["request"], "session": "other"}})


@pytest.mark.usefixtures("coordinator")
@pytest.mark.parametrize(
    ("query", "sentence"),
    [
        ({"request": REQUEST}, "id is missing; use 1 to 64 of A-Z a-z 0-9 _ -."),
        ({"id": "a.b", "request": REQUEST}, "id is 'a.b'; use 1 to 64 of A-Z a-z 0-9 _ -."),
        ({"id": "a"}, "request is missing; give an object with room_id, config."),
        ({"id": "a", "request": {**REQUEST, "rom": 1}}, "the message has the unknown field 'rom'"),
        ({"id": "a", "request": REQUEST, "idd": 1}, "the message has the unknown field 'idd'"),
        ([], "the message is []; "),
    ],
)
async def test_start_refuses_a_wrong_query_with_a_sentence(bus: Bus, query: Any, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        await ask(bus, "start", query)
    assert str(caught.value).startswith(sentence)


@pytest.mark.usefixtures("coordinator")
async def test_status_list_and_report_tell_of_a_transfer(bus: Bus, transfer_id: str) -> None:
    client = Client(bus)
    await cancelled(bus, transfer_id)
    status = await ask(bus, "status", {"id": transfer_id})
    assert (status["id"], status["phase"], status["ended"]) == (transfer_id, "transfer_cancelled", True)
    assert status["result"]["outcome"] == "cancelled"
    listed = await ask(bus, "list", {"limit": 5})
    assert next(each for each in listed["transfers"] if each["id"] == transfer_id)["outcome"] == "cancelled"
    assert (await ask(bus, "list"))["transfers"], "an empty body is a query without fields"
    report = await ask(bus, "report", {"id": transfer_id})
    assert (report["transfer_id"], report["outcome"]) == (transfer_id, "cancelled")
    made = await client.report(transfer_id)
    assert (made.transfer_id, made.outcome, made.records) == (
        transfer_id,
        "cancelled",
        report["records"],
    )
    assert (await client.status(transfer_id)).phase is WarmTransferPhase.TRANSFER_CANCELLED


@pytest.mark.usefixtures("coordinator")
async def test_cancel_ends_a_transfer_and_refuses_one_that_has_ended(bus: Bus, transfer_id: str) -> None:
    await cancelled(bus, transfer_id)
    result = (await Client(bus).status(transfer_id)).result
    assert result is not None
    assert (result.outcome, result.detail) == ("cancelled", "no need")
    with pytest.raises(InvalidRequest, match=r"has already ended \(transfer_cancelled\)"):
        await ask(bus, "cancel", {"id": transfer_id})


@pytest.mark.usefixtures("coordinator")
async def test_outline_and_timeline_show_a_transfer_without_its_numbers(bus: Bus, transfer_id: str) -> None:
    await cancelled(bus, transfer_id)
    client = Client(bus)
    outline, timeline = await client.outline(transfer_id), await client.timeline(transfer_id)
    assert (outline.destination, outline.supervisor) == ("+•••••••••01", "Supervisor")
    assert (outline.id, outline.room_id) == (transfer_id, transfer_id)
    assert timeline.entries[0].event == "transfer_requested"
    assert timeline.entries[0].at <= outline.started_at, "a request may wait before it starts"
    assert "started" in timeline.entries[0].phases
    assert timeline.entries[-1].stage == "cancelled"
    assert len(timeline.entries) == (await client.report(transfer_id)).records
    assert "4155550101" not in json.dumps(await ask(bus, "timeline", {"id": transfer_id}))


@pytest.mark.usefixtures("strict_coordinator")
async def test_a_board_reads_dead_letters_by_a_coordinator(fresh_bus: Bus) -> None:
    client = Client(fresh_bus)
    assert await client.shown_dead_letters() == []
    body = DeadLetterBody("wx.1.t-1.do.gateway", 7, "broken", 20, "gateway", subjects.CORE)
    stored = [await fresh_bus.publish(subjects.dead_letter(f"t-{number}"), encode(body)) for number in (1, 2)]
    shown = await client.shown_dead_letters(1)
    assert [(each.id, each.cause, each.consumer, each.tries, each.count) for each in shown] == [
        ("t-2", "broken", "gateway", 20, 1)
    ]
    assert len(await client.shown_dead_letters()) == len(stored)


@pytest.mark.usefixtures("coordinator")
@pytest.mark.parametrize("verb", ["status", "cancel", "report", "outline", "timeline"])
async def test_a_transfer_that_does_not_exist_is_named(bus: Bus, transfer_id: str, verb: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^id is '{transfer_id}', but no transfer has this id"):
        await ask(bus, verb, {"id": transfer_id})


@pytest.mark.usefixtures("coordinator")
async def test_a_list_has_a_limit(bus: Bus) -> None:
    with pytest.raises(InvalidRequest, match=r"^limit is 101; give a number from 1 to 100"):
        await ask(bus, "list", {"limit": 101})


@pytest.mark.usefixtures("coordinator")
async def test_every_verb_of_the_table_is_served_and_counted(bus: Bus) -> None:
    assert set(VERBS) == {
        *("validate", "start", "status", "list", "cancel", "report"),
        *("outline", "timeline", "dead_letters"),
    }
    for verb in VERBS:
        endpoint = bus.endpoints.by_name[f"api-{verb}"]
        before = endpoint.requests
        if verb in ("list", "dead_letters"):
            await ask(bus, verb)
        else:
            with pytest.raises(InvalidRequest):
                await ask(bus, verb, {"wrong": 1})
        assert endpoint.requests == before + 1


async def test_start_and_cancel_work_under_the_permissions_of_a_deployment(transfer_id: str) -> None:
    """The coordinator stores what it is asked to start or cancel, as a user of the broker with few rights."""
    async with secured_broker() as broker, AsyncExitStack() as open:

        async def connected(user: str) -> Bus:
            return await open.enter_async_context(await Bus.connect(broker.settings(user), name=user))

        await (await connected(DEPLOY)).ensure()
        client, board = await connected(CLIENT), await connected(BOARD)
        coordinator = await connected(COORDINATOR)
        await open.enter_async_context(asynccontextmanager(serving)(coordinator, CoordinatorSettings()))
        query = {"id": transfer_id, "request": patient_request_for(transfer_id)}
        async with asyncio.timeout(TIMEOUT_S):
            while await served(client, "start", query) is None:
                await asyncio.sleep(0.05)
        assert await ask(board, "cancel", {"id": transfer_id, "reason": "no need"}) == {"id": transfer_id}
        async with asyncio.timeout(TIMEOUT_S):
            while not await coordinator.history(subjects.cancel(transfer_id), 1):
                await asyncio.sleep(0.05)


async def test_without_a_coordinator_the_client_says_so(fresh_bus: Bus, transfer_id: str) -> None:
    client = Client(fresh_bus)
    with pytest.raises(NoReply):
        await ask(fresh_bus, "list")
    with pytest.raises(NoCoordinator):
        await client.validate(REQUEST)
    await client.request(REQUEST, transfer_id)
    status = await client.status(transfer_id)
    assert (status.phase, status.ended, status.result) == (None, False, None)
    with pytest.raises(NoCoordinator):
        await client.report(transfer_id)
    with pytest.raises(NoSuchTransfer):
        await client.report("nothing")
    with pytest.raises(NoSuchTransfer):
        await client.cancel("nothing")
    with pytest.raises(IdInUse):
        await client.request({**REQUEST, "session": "other"}, transfer_id)
    await client.cancel(transfer_id, "early")
    assert len(await fresh_bus.history(subjects.cancel(transfer_id), 10)) == 1
