"""The client against a real broker. The test plays the coordinator with plain messages."""

from __future__ import annotations

import asyncio
import copy
import json
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, cast

import pytest

from tests.testkit.provider_sandbox import seen_late
from tests.testkit.stored import stored_of
from warmxfer.bus import Bus, LiveMessage, Unavailable, subjects
from warmxfer.client import (
    Client,
    IdInUse,
    NoCoordinator,
    NoSuchTransfer,
    NotStarted,
    StillRunning,
    TransferHandle,
    new_id,
    transfer_handle,
)
from warmxfer.client.transfer_handle import MAX_POLL_PAUSE_S
from warmxfer.schemas import (
    CancelRequest,
    InvalidRequest,
    NoticeKind,
    Outcome,
    PhaseChanged,
    RetryableError,
    SIPDestination,
    TransferNotice,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    WarmTransferResult,
    decode_as,
    encode,
    read_request,
)

STARTED = WarmTransferPhase.STARTED
HELD = WarmTransferPhase.CALLER_ON_HOLD
ROOM = WarmTransferPhase.CONSULTATION_ROOM_CREATED
CANCELLED = WarmTransferPhase.TRANSFER_CANCELLED
REQUEST = {
    "room_id": "room-1",
    "config": {
        "destination": {
            "routing_rule_id": "rule",
            "sip_call_to": "+14155550101",
            "sip_call_from": "+14155559999",
        }
    },
}


@pytest.fixture
async def client(nats_url: str, bus: Bus) -> AsyncIterator[Client]:
    async with Client.connect(nats_url) as client:
        yield client


async def publish_phase(bus: Bus, id: str, seq: int, phase: WarmTransferPhase) -> None:
    changed = PhaseChanged(phase=phase, data={}, timestamp=float(seq), consultation_room_id=None, seq=seq)
    await bus.publish(subjects.phase(id), encode(changed))


async def publish_end(bus: Bus, id: str, seq: int) -> WarmTransferResult:
    result = WarmTransferResult(
        success=False,
        phase=CANCELLED,
        outcome=Outcome.DECLINED,
        consultation_room_id=None,
        supervisor_call_id=None,
        switched_call_id=None,
        summary="",
        detail="Not now.",
    )
    await publish_phase(bus, id, seq, CANCELLED)
    await bus.publish(subjects.result(id), encode(result))
    return result


async def test_a_request_is_stored_under_its_id_and_once(client: Client, bus: Bus, transfer_id: str) -> None:
    for _ in range(2):
        assert (await client.request(REQUEST, id=transfer_id)).id == transfer_id
    (stored,) = await bus.history(subjects.request(transfer_id), 10)
    assert read_request(stored.data).config.destination.sip_call_to == "+14155550101"


async def test_another_request_with_the_same_id_is_refused_and_not_stored(
    client: Client, bus: Bus, transfer_id: str
) -> None:
    """Published under the id as message id, the broker drops it: the caller took it for requested."""
    await client.request(REQUEST, id=transfer_id)
    with pytest.raises(IdInUse) as refused:
        await client.request({**REQUEST, "room_id": "room-2"}, id=transfer_id)
    assert (str(refused.value), refused.value.phase, refused.value.field) == (
        f"id is '{transfer_id}', which belongs to another request (not started); "
        "give a new id, or send that request unchanged.",
        None,
        "id",
    )
    await publish_phase(bus, transfer_id, 1, STARTED)
    with pytest.raises(IdInUse, match=r"belongs to another request \(phase started\)"):
        await client.request({**REQUEST, "room_id": "room-2"}, id=transfer_id)
    (stored,) = await bus.history(subjects.request(transfer_id), 10)
    assert read_request(stored.data).room_id == "room-1"


async def test_the_first_of_two_concurrent_requests_owns_the_id(client: Client, transfer_id: str) -> None:
    requests = [client.request({**REQUEST, "room_id": f"room-{n}"}, id=transfer_id) for n in range(8)]
    outcomes = await asyncio.gather(*requests, return_exceptions=True)
    assert [type(each) for each in outcomes].count(TransferHandle) == 1
    assert [type(each) for each in outcomes].count(IdInUse) == 7


async def test_a_request_of_another_program_owns_its_id(client: Client, bus: Bus, transfer_id: str) -> None:
    """It has other bytes than ours: fields with defaults, a number as an integer, blanks."""
    body = copy.deepcopy(REQUEST)
    body["config"] |= {"briefing_timeout_s": 180, "record": False}
    await bus.publish(subjects.request(transfer_id), json.dumps(body, indent=2).encode(), msg_id=transfer_id)
    assert (await client.request(REQUEST, id=transfer_id)).id == transfer_id
    with pytest.raises(IdInUse):
        await client.request({**REQUEST, "session": "call-1"}, id=transfer_id)
    assert len(await bus.history(subjects.request(transfer_id), 10)) == 1


@pytest.mark.parametrize("id", [uuid.uuid4(), 4417, b"t-1", None])
async def test_an_id_that_is_no_text_is_refused(client: Client, id: Any) -> None:
    with pytest.raises(InvalidRequest, match=r"^id is .*; use 1 to 64 of A-Z a-z 0-9 _ -$") as error:
        client.transfer(id)
    assert error.value.field == "id"


@pytest.mark.parametrize("value", [object(), "half a pair \ud83d", Path("x")])
async def test_a_request_that_is_no_json_is_refused(client: Client, value: Any) -> None:
    for call in (client.request, client.validate):
        with pytest.raises(InvalidRequest, match=r"^The request cannot be written as JSON \(.*\); give text"):
            await call({**REQUEST, "session": value})


async def test_a_word_that_no_list_has_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match=r"^only is 'ended'; use one of running, all$"):
        await client.list(only=cast("Any", "ended"))


async def test_an_empty_id_is_refused(client: Client) -> None:
    with pytest.raises(InvalidRequest, match="id is ''; use 1 to 64"):
        await client.request(REQUEST, id="")


async def test_a_request_may_be_a_struct(client: Client, bus: Bus, transfer_id: str) -> None:
    destination = SIPDestination("rule", "sip:dana@example.com", "+14155559999")
    request = WarmTransferRequest(room_id="room-1", config=WarmTransferConfig(destination))
    transfer = await client.request(request, id=transfer_id)
    (stored,) = await bus.history(subjects.request(transfer.id), 10)
    assert read_request(stored.data) == request


async def test_an_invalid_request_is_refused_with_one_sentence_and_not_published(
    client: Client, bus: Bus, transfer_id: str
) -> None:
    bad = copy.deepcopy(REQUEST)
    bad["config"]["destination"]["sip_call_to"] = "5550101"
    with pytest.raises(
        InvalidRequest, match=r"^config\.destination\.sip_call_to is .*; write a number as E\.164"
    ):
        await client.request(bad, id=transfer_id)
    with pytest.raises(InvalidRequest, match=r"^id is 'a\.b'; use 1 to 64 of"):
        await client.request(REQUEST, id="a.b")
    assert await stored_of(bus, transfer_id) == []


async def test_phases_are_yielded_from_the_start_in_order_without_repeats(
    client: Client, bus: Bus, transfer_id: str
) -> None:
    await publish_phase(bus, transfer_id, 1, STARTED)
    await publish_phase(bus, transfer_id, 2, HELD)
    seqs: list[int] = []
    async with asyncio.timeout(5):
        async for phase in client.transfer(transfer_id).phases():
            seqs.append(phase.seq)
            if phase.seq == 2:
                await publish_phase(bus, transfer_id, 2, HELD)
                await publish_phase(bus, transfer_id, 3, ROOM)
                await publish_phase(bus, transfer_id, 4, CANCELLED)
    assert seqs == [1, 2, 3, 4]


async def test_phases_received_out_of_order_are_yielded_in_order(
    client: Client, bus: Bus, transfer_id: str
) -> None:
    """Phase 3 is received before phase 2 is stored."""
    await publish_phase(bus, transfer_id, 1, STARTED)
    seqs: list[int] = []
    async with asyncio.timeout(5):
        async for phase in client.transfer(transfer_id).phases():
            seqs.append(phase.seq)
            if phase.seq == 1:
                await publish_phase(bus, transfer_id, 3, CANCELLED)
                await publish_phase(bus, transfer_id, 2, HELD)
    assert seqs == [1, 2, 3]


async def test_a_missing_phase_is_skipped_after_a_wait(client: Client, bus: Bus, transfer_id: str) -> None:
    await publish_phase(bus, transfer_id, 1, STARTED)
    await publish_phase(bus, transfer_id, 3, CANCELLED)
    async with asyncio.timeout(5):
        assert [phase.seq async for phase in client.transfer(transfer_id).phases()] == [1, 3]


async def test_from_start_false_yields_only_later_phases(client: Client, bus: Bus, transfer_id: str) -> None:
    await publish_phase(bus, transfer_id, 1, STARTED)
    phases = client.transfer(transfer_id).phases(from_start=False)
    waiting = asyncio.create_task(anext(phases))
    await asyncio.sleep(0.1)
    await publish_phase(bus, transfer_id, 2, HELD)
    assert (await asyncio.wait_for(waiting, 5)).seq == 2
    await phases.aclose()


async def test_an_ended_transfer_has_no_later_phases(client: Client, bus: Bus, transfer_id: str) -> None:
    await publish_phase(bus, transfer_id, 1, CANCELLED)
    assert [phase async for phase in client.transfer(transfer_id).phases(from_start=False)] == []


def notice(number: int) -> TransferNotice:
    return TransferNotice(NoticeKind.ID_IN_USE, f"notice {number}", {"number": number}, float(number))


async def test_notices_are_yielded_once_in_order_and_may_come_after_the_result(
    client: Client, bus: Bus, transfer_id: str
) -> None:
    transfer, subject = client.transfer(transfer_id), subjects.notice(transfer_id)
    assert [each async for each in transfer.notices(follow=False)] == []
    await bus.publish(subject, encode(notice(1)))
    await bus.publish(subject, b"{")
    received: list[TransferNotice] = []
    async with asyncio.timeout(10):
        async for each in transfer.notices():
            received.append(each)
            if len(received) == 1:
                await publish_phase(bus, transfer_id, 1, STARTED)
                await publish_end(bus, transfer_id, 2)
                await bus.publish(subject, encode(notice(2)))
            elif len(received) == 2:
                break
    assert received == [notice(1), notice(2)]
    assert [each async for each in transfer.notices(follow=False)] == received


async def test_the_notices_of_every_transfer_are_received_with_their_ids(
    client: Client, bus: Bus, transfer_id: str
) -> None:
    notices = client.all_notices()
    waiting = asyncio.ensure_future(anext(notices))
    async with asyncio.timeout(10):
        while not waiting.done():
            await bus.publish(subjects.notice(transfer_id), encode(notice(1)))
            await asyncio.wait({waiting}, timeout=0.1)
    assert await waiting == (transfer_id, notice(1))
    await notices.aclose()


@pytest.mark.parametrize("when", ["before", "after"])
async def test_the_result_is_returned_before_and_after_the_end(
    client: Client, bus: Bus, transfer_id: str, when: str
) -> None:
    await publish_phase(bus, transfer_id, 1, STARTED)
    waiting = asyncio.create_task(client.transfer(transfer_id).result(5.0))
    if when == "before":
        await asyncio.sleep(0.1)
    expected = await publish_end(bus, transfer_id, 2)
    assert await waiting == expected
    assert await client.transfer(transfer_id).result(5.0) == expected


async def test_phases_and_result_that_are_stored_late_are_found_by_polling(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    await publish_phase(bus, transfer_id, 1, STARTED)
    expected = await publish_end(bus, transfer_id, 2)
    seen_late(bus, monkeypatch)
    transfer = Client(bus).transfer(transfer_id)
    async with asyncio.timeout(MAX_POLL_PAUSE_S / 2):
        assert [phase.seq async for phase in transfer.phases()] == [1, 2]
        assert await transfer.result() == expected


async def test_a_missing_result_raises_still_running(client: Client, bus: Bus, transfer_id: str) -> None:
    await publish_phase(bus, transfer_id, 1, STARTED)
    with pytest.raises(StillRunning, match=rf"^Transfer {transfer_id} has not ended within 0\.2 s$"):
        await client.transfer(transfer_id).result(0.2)


async def test_without_a_coordinator_the_error_names_the_command_to_start(
    client: Client, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(transfer_handle, "START_TIMEOUT_S", 0.2)
    with pytest.raises(NoSuchTransfer, match="id is 'unknown', but no transfer has this id"):
        await anext(client.transfer("unknown").phases())
    transfer = await client.request(REQUEST, id=transfer_id)
    sentence = r"^No coordinator replied within 0\.2 s; start one with `warmxfer run coordinator`$"
    with pytest.raises(NoCoordinator, match=sentence):
        await anext(transfer.phases())
    with pytest.raises(NoCoordinator, match=sentence):
        await transfer.result()


@pytest.mark.parametrize(
    "answered", [InvalidRequest("no transfer has this id"), RetryableError("64 requests are in progress")]
)
async def test_a_request_that_waits_for_a_free_place_is_waited_for(
    client: Client, bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch, answered: Exception
) -> None:
    """Before, its user was told that there is no coordinator, and the transfer began seconds later."""
    monkeypatch.setattr(transfer_handle, "START_TIMEOUT_S", 1.0)
    asked = asyncio.Event()

    async def answer(_: LiveMessage) -> bytes:
        asked.set()
        raise answered

    async with bus.serve(subjects.api("status"), answer):
        transfer = await client.request(REQUEST, id=transfer_id)
        first = asyncio.ensure_future(anext(transfer.phases()))
        await asyncio.wait_for(asked.wait(), 5.0)
        await publish_phase(bus, transfer_id, 1, STARTED)
        assert (await asyncio.wait_for(first, 5.0)).phase is STARTED
        monkeypatch.setattr(transfer_handle, "MAX_START_WAIT_S", 0.1)
        other = await client.request(REQUEST, id=f"{transfer_id}-2")
        with pytest.raises(NotStarted, match="was requested but has not started"):
            await anext(other.phases())


async def test_without_a_broker_the_error_names_the_url() -> None:
    with pytest.raises(Unavailable, match=r"No NATS server answers at nats://127\.0\.0\.1:1 "):
        async with Client.connect("nats://127.0.0.1:1"):
            raise AssertionError("connected")


async def test_a_cancel_carries_a_validated_reason(client: Client, bus: Bus, transfer_id: str) -> None:
    await client.transfer(transfer_id).cancel("The caller changed their mind.")
    (stored,) = await bus.history(subjects.cancel(transfer_id), 10)
    assert decode_as(CancelRequest, stored.data).reason == "The caller changed their mind."
    with pytest.raises(InvalidRequest, match="reason"):
        await client.transfer(transfer_id).cancel("x" * 501)


async def test_history_is_ordered_and_empty_for_an_unknown_id(
    client: Client, bus: Bus, transfer_id: str
) -> None:
    for seq, phase in ((1, STARTED), (2, HELD), (2, HELD), (3, CANCELLED)):
        await publish_phase(bus, transfer_id, seq, phase)
    assert [each.seq for each in await client.history(transfer_id)] == [1, 2, 3]
    assert await client.history("unknown") == []


async def test_the_log_is_returned_as_stored(client: Client, bus: Bus, transfer_id: str) -> None:
    await bus.publish(subjects.log(transfer_id), b'{"n":1}')
    await bus.publish(subjects.log(transfer_id), b'{"n":2}')
    assert [each.data for each in await client.log(transfer_id)] == [b'{"n":1}', b'{"n":2}']


async def test_the_list_shows_the_latest_transfers_and_their_outcomes(fresh_bus: Bus) -> None:
    client = Client(fresh_bus)
    assert await client.list() == []
    for number, id in enumerate(("a", "b", "c")):
        await publish_phase(fresh_bus, id, 1 + number, STARTED)
    await publish_end(fresh_bus, "a", 9)
    assert [(each.id, each.phase, each.outcome) for each in await client.list()] == [
        ("a", CANCELLED, Outcome.DECLINED),
        ("c", STARTED, None),
        ("b", STARTED, None),
    ]
    assert [each.id for each in await client.list(1, only="running")] == ["c"]
    with pytest.raises(InvalidRequest, match="limit is 0; give 1 to 1000"):
        await client.list(0)


async def test_undecodable_phases_are_skipped(fresh_bus: Bus) -> None:
    """They are the reply to a request with an invalid id, and messages of foreign publishers."""
    client, received = Client(fresh_bus), asyncio.Queue[tuple[str, int]]()

    async def collect() -> None:
        async for id, phase in client.all_phases():
            received.put_nowait((id, phase.seq))

    collecting = asyncio.create_task(collect())
    await asyncio.sleep(0.1)
    refused = PhaseChanged(phase=CANCELLED, data={}, timestamp=1.0, consultation_room_id=None, seq=1)
    await fresh_bus.publish("warmxfer.bad!id.phase", encode(refused))
    for garbage in (b"\xff", b"[]", b'{"type": "phase_changed"}'):
        await fresh_bus.publish(subjects.phase("t"), garbage)
    await publish_phase(fresh_bus, "t", 1, STARTED)
    await fresh_bus.publish(subjects.phase("t"), b"{")
    assert [each.id for each in await client.list()] == ["t"]
    assert [each.seq for each in await client.history("t")] == [1]
    assert await asyncio.wait_for(anext(client.transfer("t").phases(from_start=False)), 5)
    await publish_end(fresh_bus, "t", 2)
    async with asyncio.timeout(5):
        assert [await received.get() for _ in range(2)] == [("t", 1), ("t", 2)]
    collecting.cancel()


async def test_undecodable_notices_are_skipped(fresh_bus: Bus) -> None:
    """Without a check of the subject, a notice on a foreign one ends a reader of all notices."""
    client = Client(fresh_bus)
    notices = client.all_notices()
    waiting = asyncio.ensure_future(anext(notices))
    async with asyncio.timeout(10):
        while not waiting.done():
            await fresh_bus.publish(subjects.notice("t"), encode(notice(1)))
            await asyncio.wait({waiting}, timeout=0.1)
        await fresh_bus.publish("warmxfer.bad!id.notice", encode(notice(2)))
        for garbage in (b"\xff", b"[]", b'{"type": "transfer_notice"}'):
            await fresh_bus.publish(subjects.notice("t"), garbage)
        await fresh_bus.publish(subjects.notice("t"), encode(notice(3)))
        while (received := await anext(notices)) == ("t", notice(1)):
            pass
    assert received == ("t", notice(3))
    assert [each async for each in client.transfer("t").notices(follow=False)][-1] == notice(3)
    await notices.aclose()


async def test_the_list_reads_further_back_until_it_has_enough(fresh_bus: Bus) -> None:
    client = Client(fresh_bus)
    await publish_phase(fresh_bus, "old", 1, STARTED)
    for seq in range(2, 140):
        await publish_phase(fresh_bus, "busy", seq, HELD)
    assert [each.id for each in await client.list(2)] == ["busy", "old"]


def test_new_ids_are_unique_sort_by_time_and_fit_a_subject() -> None:
    ids = [new_id() for _ in range(3)]
    assert all(subjects.check_token(id) == id for id in ids)
    assert new_id()[:12] >= ids[0][:12]
    assert len(set(ids)) == 3


async def test_closing_the_client_ends_a_running_phase_stream(nats_url: str, bus: Bus) -> None:
    async with Client.connect(nats_url) as client:
        transfer = await client.request(REQUEST)
        await publish_phase(bus, transfer.id, 1, STARTED)
        phases = transfer.phases()
        assert (await anext(phases)).phase is STARTED
        following = asyncio.ensure_future(anext(phases))
        await asyncio.sleep(0)
    # Regression: the phase stream polled a closed connection in a loop, and froze its process.
    with pytest.raises(RetryableError, match="The connection was closed while the phases of transfer"):
        await asyncio.wait_for(following, 5)


# ── phases and results of a newer version ────────────────────────────────────────────────────────────


async def publish_newer_end(bus: Bus, id: str) -> None:
    """Publish a phase and an outcome that this version does not know, with unknown fields."""
    await publish_phase(bus, id, 1, STARTED)
    newer = {
        "type": "phase_changed",
        "phase": "caller_asked",
        "data": {},
        "timestamp": 2.0,
        "seq": 2,
        "mood": 1,
    }
    await bus.publish(subjects.phase(id), encode({**newer, "consultation_room_id": None}))
    await publish_end(bus, id, 3)
    result = await bus.get_last(subjects.result(id))
    assert result is not None
    newer = json.loads(result.data) | {"outcome": "supervisor_asleep", "mood": {"of": "caller"}}
    await bus.publish(subjects.result(id), json.dumps(newer).encode())


async def test_words_of_a_newer_version_are_shown_as_they_are(fresh_bus: Bus) -> None:
    client = Client(fresh_bus)
    await publish_newer_end(fresh_bus, "t-1")
    transfer = client.transfer("t-1")
    phases = [phase.phase.value async for phase in transfer.phases()]
    assert phases == ["started", "caller_asked", "transfer_cancelled"]
    assert [each.phase.value for each in await client.history("t-1")] == phases
    assert (await transfer.result()).outcome.value == "supervisor_asleep"
    (listed,) = await client.list()
    assert listed.outcome is not None
    assert listed.outcome.value == "supervisor_asleep"


async def test_a_result_that_cannot_be_read_hides_no_other_transfer(fresh_bus: Bus) -> None:
    await publish_end(fresh_bus, "readable", 1)
    await publish_end(fresh_bus, "unreadable", 2)
    await fresh_bus.publish(subjects.result("unreadable"), b'{"type": "warm_transfer_result"}')
    listed = [(each.id, each.phase, each.outcome) for each in await Client(fresh_bus).list()]
    assert listed == [("unreadable", CANCELLED, None), ("readable", CANCELLED, Outcome.DECLINED)]
