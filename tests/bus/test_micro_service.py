"""A process as a NATS micro service, read as the library of NATS reads it."""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator
from typing import Any

import pytest
from nats.aio.client import Client
from nats.errors import NoRespondersError
from nats.micro.service import ServiceInfo, ServicePing, ServiceStats
from structlog.testing import capture_logs

from warmxfer.bus import Bus, Delivery, InvalidRequest, LiveMessage, Worker, subjects
from warmxfer.bus.micro_service import REQUEST, WORK_QUEUE, Endpoints


@pytest.fixture
def name() -> str:
    return f"test-{secrets.token_hex(4)}"


@pytest.fixture
async def raw(nats_url: str) -> AsyncIterator[Client]:
    """A client that knows nothing of warmxfer."""
    client = Client()
    await client.connect(nats_url)
    yield client
    await client.close()


async def ask(raw: Client, subject: str) -> dict[str, Any]:
    """Return the answer to a question. A subscription of another connection takes a moment to exist."""
    async with asyncio.timeout(10):
        while True:
            try:
                return json.loads((await raw.request(subject, b"", timeout=5)).data)
            except NoRespondersError:
                await asyncio.sleep(0.01)


async def echo(request: LiveMessage) -> bytes:
    return request.data


async def test_a_ping_is_answered_on_each_of_the_three_subjects(bus: Bus, raw: Client, name: str) -> None:
    await bus.register_service(name, "1.2.3", "a test", {"fact": "one"})
    ping = ServicePing.from_dict(await ask(raw, f"$SRV.PING.{name}"))
    assert (ping.name, ping.version, ping.metadata) == (name, "1.2.3", {"fact": "one"})
    assert (await ask(raw, f"$SRV.PING.{name}.{ping.id}"))["id"] == ping.id
    inbox = raw.new_inbox()
    answers = await raw.subscribe(inbox)
    await raw.publish("$SRV.PING", b"", reply=inbox)
    while json.loads((await answers.next_msg(5)).data)["id"] != ping.id:
        pass


async def test_two_processes_have_one_name_and_two_ids(bus: Bus, raw: Client, name: str) -> None:
    for _ in range(2):
        await bus.register_service(name, "1.2.3", "a test")
    await ask(raw, f"$SRV.STATS.{name}")
    inbox = raw.new_inbox()
    answers = await raw.subscribe(inbox)
    await raw.publish(f"$SRV.PING.{name}", b"", reply=inbox)
    first, second = [json.loads((await answers.next_msg(5)).data) for _ in range(2)]
    assert first["name"] == second["name"]
    assert first["id"] != second["id"]


async def test_info_lists_what_is_served(bus: Bus, raw: Client, name: str) -> None:
    await bus.register_service(name, "1.2.3", "a test")
    async with bus.serve(subjects.ask_history("a"), echo), bus.serve(subjects.ASK_LIVENESS, echo, queue="q"):
        info = ServiceInfo.from_dict(await ask(raw, f"$SRV.INFO.{name}"))
    assert info.description == "a test"
    shown = {each.name: (each.subject, each.queue_group, each.metadata) for each in info.endpoints}
    assert shown == {
        "ask-history": ("warmxfer.ask.history.*", "", {"kind": REQUEST}),
        "ask-pulse": ("warmxfer.ask.pulse", "q", {"kind": REQUEST}),
    }


async def test_statistics_count_requests_errors_and_time(bus: Bus, raw: Client, name: str) -> None:
    session = secrets.token_hex(8)

    async def refuse_or_wait(request: LiveMessage) -> bytes:
        if request.data == b"+14155550123":
            raise InvalidRequest(f"data is {request.data!r}")
        await asyncio.sleep(0.01)
        return b""

    await bus.register_service(name, "1.2.3", "a test")
    async with bus.serve(subjects.ask_history(session), refuse_or_wait):
        await bus.request(subjects.ask_history(session), b"", 5)
        with pytest.raises(InvalidRequest):
            await bus.request(subjects.ask_history(session), b"+14155550123", 5)
    answer = await ask(raw, f"$SRV.STATS.{name}")
    (statistics,) = ServiceStats.from_dict(
        {**answer, "endpoints": [{**each, "data": None} for each in answer["endpoints"]]}
    ).endpoints
    assert (statistics.num_requests, statistics.num_errors) == (2, 1)
    assert statistics.last_error == "InvalidRequest", "and no data of the request"
    assert statistics.processing_time >= 10_000_000
    assert statistics.average_processing_time == statistics.processing_time // 2
    assert answer["started"].endswith("Z")


async def test_a_worker_shows_its_queue_and_what_it_handled(fresh_bus: Bus, name: str) -> None:
    handled = asyncio.Event()

    async def handle(_: Delivery) -> None:
        handled.set()

    async with Worker(fresh_bus, "gateway", handle, jobs=1):
        endpoint = fresh_bus.endpoints.by_name["gateway"]
        assert (endpoint.subject, endpoint.kind) == ("wx.*.*.do.gateway", WORK_QUEUE)
        assert endpoint.requests == 0
        await fresh_bus.publish(subjects.work_queue(name, "gateway"), b"{}")
        async with asyncio.timeout(10):
            await handled.wait()
            while endpoint.requests == 0:
                await asyncio.sleep(0.01)
    assert (endpoint.requests, endpoint.errors) == (1, 0)


def test_all_sessions_and_all_partitions_are_one_endpoint_each() -> None:
    endpoints = Endpoints()
    for number in range(3):
        endpoints.of_subject(subjects.ask_history(f"session-{number}"), None)
        endpoints.of_consumer(f"events-{number}")
    assert [(each.name, each.subject) for each in endpoints.by_name.values()] == [
        ("ask-history", "warmxfer.ask.history.*"),
        ("events", "wx.*.*.event.*"),
    ]


@pytest.mark.parametrize("verb", ["PING", "INFO", "STATS"])
async def test_no_answer_goes_to_a_subject_of_ours(bus: Bus, raw: Client, name: str, verb: str) -> None:
    """The author of a question chooses the reply subject, and must not write a log through an actor."""
    await bus.register_service(name, "1.2.3", "a test")
    await ask(raw, f"$SRV.PING.{name}")
    with capture_logs() as logs:
        await raw.publish(f"$SRV.{verb}.{name}", b"", reply=subjects.log(name))
        await ask(raw, f"$SRV.PING.{name}")  # answered in order, so the one before was handled
    assert [each["event"] for each in logs] == ["reply_refused"]
    assert await bus.get_last(subjects.log(name)) is None


async def test_no_reply_goes_to_a_subject_of_ours(bus: Bus, raw: Client, name: str) -> None:
    subject = subjects.ask_history(name)
    with capture_logs() as logs:
        async with bus.serve(subject, echo):
            assert await bus.request(subject, b"first", 5) == b"first"  # it is subscribed
            await raw.publish(subject, b"forged", reply=subjects.log(name))
            await raw.request(subject, b"last", timeout=5)  # the forged one came before it
    assert [each["event"] for each in logs] == ["reply_refused"]
    assert await bus.get_last(subjects.log(name)) is None


@pytest.mark.parametrize(
    ("subject", "allowed"),
    [
        ("_INBOX.abc.1", True),
        ("_R_.abc", True),
        ("mine.replies", True),
        ("warmxfer.a.result", False),
        ("wx.3.a.log", False),
        ("$JS.API.STREAM.DELETE.WARMXFER_CORE", False),
        ("warmxferx.a", True),
    ],
)
def test_a_reply_address_is_no_subject_of_ours_or_of_the_broker(subject: str, allowed: bool) -> None:
    assert subjects.is_reply_address(subject) is allowed
