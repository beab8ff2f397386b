"""The same transfer id with another request: refused with a notice. The same request again: no effect.

Reverted fixes that fail here: a coordinator that ignores the second request without a notice; one that lets
a later request start the transfer while an earlier one waits; a dead-lettered repeat that ends the transfer.
"""

from __future__ import annotations

import asyncio
import json

import pytest

from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.state_machine import Stage
from warmxfer.bus import Bus, RetryableError, Stored, subjects
from warmxfer.client import Client
from warmxfer.schemas import NoticeKind, Outcome, TransferNotice, decode_notice, decode_result
from warmxfer.schemas.id_in_use import IdInUse

from .coordinator_fixture import (
    SHORT_WINDOW_S,
    delivery_of,
    records,
    request,
    running_coordinators,
    shorten_duplicate_window,
    until_all_handled,
    until_stored,
)
from .fake_actors import FakeActors
from .test_stale_reads import StaleReplicaBus

ID = "t-owned"


async def handle(bus: Bus, message: Stored, coordinator: Coordinator | None = None) -> None:
    """Deliver one stored request to a coordinator of its own."""
    await (coordinator or Coordinator(bus)).handle(delivery_of(message, 1))


async def publish_requests(bus: Bus, *bodies: bytes) -> list[Stored]:
    """Store requests with the same id; return them as stored."""
    for body in bodies:
        await bus.publish(subjects.request(ID), body)
    stored = await bus.history(subjects.request(ID), 10)
    assert len(stored) == len(bodies)
    return stored


async def notices(bus: Bus) -> list[TransferNotice]:
    return [decode_notice(each.data) for each in await bus.history(subjects.notice(ID), 10)]


def sentence(state: str) -> str:
    return (
        f"id is '{ID}', which belongs to another request ({state}); "
        "give a new id, or send that request unchanged."
    )


async def test_another_request_is_refused_while_the_transfer_runs_and_the_transfer_goes_on(
    fresh_bus: Bus,
) -> None:
    async with running_coordinators(fresh_bus, processes=2):
        actors = FakeActors(fresh_bus, ID)
        running = asyncio.create_task(actors.run_transfer(request("room-a")))
        await until_stored(fresh_bus, subjects.log(ID))
        await fresh_bus.publish(subjects.request(ID), request("room-b"))
        (notice,) = [decode_notice((await until_stored(fresh_bus, subjects.notice(ID))).data)]
        assert (await asyncio.wait_for(running, 30)).outcome is Outcome.COMPLETE
        await until_all_handled(fresh_bus)
    assert notice.notice is NoticeKind.ID_IN_USE
    phase = notice.data["phase"]
    assert phase in {each.phase.value for each in actors.phases}
    assert notice.detail == sentence(f"phase {phase}")
    assert {each.state.request.room_id for each in await records(fresh_bus, ID) if each.state.request} == {
        "room-a"
    }
    assert len(await notices(fresh_bus)) == 1


async def test_another_request_after_the_end_is_refused_with_the_final_phase(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        await asyncio.wait_for(FakeActors(fresh_bus, ID).run_transfer(request("room-a")), 30)
        await shorten_duplicate_window(fresh_bus)
        await asyncio.sleep(SHORT_WINDOW_S)
        await fresh_bus.publish(subjects.request(ID), request("room-b"))
        await until_stored(fresh_bus, subjects.notice(ID))
    (notice,) = await notices(fresh_bus)
    assert notice.detail == sentence("phase transfer_complete")
    assert notice.data == {"phase": "transfer_complete"}
    assert len(await fresh_bus.history(subjects.result(ID), 10)) == 1


@pytest.mark.parametrize("running", [True, False], ids=["running", "not started"])
@pytest.mark.parametrize("second", ["equal", "default written out", "keys in another order", "number as 8"])
async def test_the_same_request_in_other_bytes_is_the_same_request(
    fresh_bus: Bus, second: str, running: bool
) -> None:
    first = request("room-a", summary_timeout_s=8.0)
    raw = json.loads(first)
    if second == "default written out":
        raw["config"]["record"] = False
    elif second == "number as 8":
        raw["config"]["summary_timeout_s"] = 8
    elif second == "keys in another order":
        raw = dict(reversed(raw.items()))
    again = first if second == "equal" else json.dumps(raw, indent=1).encode()
    assert (again == first) is (second == "equal")
    one, other = await publish_requests(fresh_bus, first, again)
    await handle(fresh_bus, one if running else other)
    await handle(fresh_bus, other if running else one)
    assert [each.state.stage for each in await records(fresh_bus, ID)] == [Stage.PREPARING]
    assert await notices(fresh_bus) == []


async def test_a_refused_request_leaves_the_stream_so_the_author_of_the_first_may_repeat_it(
    fresh_bus: Bus,
) -> None:
    """A user may read only the newest request with an id. Before, it was the one that was refused."""
    first, second = await publish_requests(fresh_bus, request("room-a"), request("room-b"))
    await handle(fresh_bus, first)
    with pytest.raises(IdInUse):
        await Client(fresh_bus).transfer(ID).check_same_request(first.data)
    await handle(fresh_bus, second)
    assert len(await notices(fresh_bus)) == 1
    assert [each.seq for each in await fresh_bus.history(subjects.request(ID), 10)] == [first.seq]
    await Client(fresh_bus).transfer(ID).check_same_request(first.data)


async def test_a_later_request_waits_for_the_earlier_one_and_does_not_start(fresh_bus: Bus) -> None:
    """The coordinator that took the first request may have died; another one handles the second first."""
    first, second = await publish_requests(fresh_bus, request("room-a"), request("room-b"))
    await handle(fresh_bus, second)
    assert await records(fresh_bus, ID) == []
    (notice,) = await notices(fresh_bus)
    assert notice.detail == sentence("not started")
    assert notice.data == {"phase": None}
    await handle(fresh_bus, first)
    (record,) = await records(fresh_bus, ID)
    assert record.state.request is not None
    assert record.state.request.room_id == "room-a"
    await handle(fresh_bus, second)  # redelivered: the same notice, stored once
    assert len(await notices(fresh_bus)) == 1


async def test_a_stale_replica_does_not_let_the_later_request_start(fresh_bus: Bus) -> None:
    first, second = await publish_requests(fresh_bus, request("room-a"), request("room-b"))
    stale = StaleReplicaBus(fresh_bus, first.seq - 1)
    with pytest.raises(RetryableError):
        await handle(stale, second, Coordinator(stale))
    assert await records(fresh_bus, ID) == []


@pytest.mark.parametrize("second", [b"{", b'{"room_id": "room-a"}', b"{} "], ids=["no json", "invalid", "{}"])
async def test_an_invalid_request_owns_its_id_too(fresh_bus: Bus, second: bytes) -> None:
    invalid, same, other = await publish_requests(fresh_bus, second, second, request("room-a"))
    for each in (invalid, same, other):
        await handle(fresh_bus, each)
    (notice,) = await notices(fresh_bus)
    assert notice.detail == sentence("phase transfer_failed")
    assert len(await records(fresh_bus, ID)) == 1


async def test_an_invalid_second_request_is_refused_and_leaves_the_transfer_alone(fresh_bus: Bus) -> None:
    first, second = await publish_requests(fresh_bus, request("room-a"), b"{")
    await handle(fresh_bus, first)
    await handle(fresh_bus, second)
    assert len(await notices(fresh_bus)) == 1
    assert [each.state.stage for each in await records(fresh_bus, ID)] == [Stage.PREPARING]


async def test_the_request_of_the_first_record_owns_the_id_even_if_an_older_one_is_stored(
    fresh_bus: Bus,
) -> None:
    """A coordinator of an earlier version may have started the transfer with the later request."""
    first, second, again = await publish_requests(
        fresh_bus, request("room-a"), request("room-b"), request("room-b")
    )
    await fresh_bus._connection.api("STREAM.MSG.DELETE.WARMXFER_IN", {"seq": first.seq})
    await handle(fresh_bus, second)
    await handle(fresh_bus, again)
    assert await notices(fresh_bus) == []
    await handle(fresh_bus, first)
    (notice,) = await notices(fresh_bus)
    assert notice.timestamp == first.at


async def test_an_id_whose_request_has_expired_is_compared_with_the_log(fresh_bus: Bus) -> None:
    (first,) = await publish_requests(fresh_bus, request("room-a"))
    await handle(fresh_bus, first)
    await fresh_bus._connection.api("STREAM.MSG.DELETE.WARMXFER_IN", {"seq": first.seq})
    same, other = await publish_requests(fresh_bus, request("room-a"), request("room-b"))
    await handle(fresh_bus, same)
    assert await notices(fresh_bus) == []
    await handle(fresh_bus, other)
    assert [each.timestamp for each in await notices(fresh_bus)] == [other.at]


@pytest.mark.parametrize("second", [request("room-a"), request("room-b")], ids=["same", "other"])
async def test_a_dead_lettered_second_request_does_not_end_the_transfer(
    fresh_bus: Bus, second: bytes
) -> None:
    coordinator = Coordinator(fresh_bus)
    first, repeat = await publish_requests(fresh_bus, request("room-a"), second)
    await handle(fresh_bus, first, coordinator)
    await coordinator.on_dead_letter(delivery_of(repeat, 5), "it failed")
    assert [each.state.stage for each in await records(fresh_bus, ID)] == [Stage.PREPARING]


async def test_a_request_that_was_refused_at_admission_stays_refused(fresh_bus: Bus) -> None:
    """The limit of zero running transfers refuses the first; the same request again changes nothing."""
    first, again = await publish_requests(fresh_bus, request("room-a"), request("room-a"))
    await handle(fresh_bus, first, Coordinator(fresh_bus, max_transfers=0))
    await handle(fresh_bus, again)
    (result,) = await fresh_bus.history(subjects.result(ID), 10)
    assert decode_result(result.data).outcome is Outcome.TOO_BUSY
    assert len(await records(fresh_bus, ID)) == 1
    assert await notices(fresh_bus) == []


@pytest.mark.parametrize("garbage", [b"{", b"null", b"\xff", b'{"trigger": true}', b'{"trigger": "first"}'])
async def test_a_first_record_that_is_garbage_names_no_owner_and_the_first_request_is_it(
    fresh_bus: Bus, garbage: bytes
) -> None:
    """Without the fix `on_dead_letter` of a request raised for ever, so the transfer never ended."""
    first, other = await publish_requests(fresh_bus, request("room-a"), request("room-b"))
    await fresh_bus.publish(subjects.log(ID), garbage, expect_last=0)
    coordinator = Coordinator(fresh_bus)
    for each in (other, first):
        assert await fresh_bus.get_last(subjects.result(ID)) is None
        await coordinator.on_dead_letter(delivery_of(each, 20), "it cannot be continued")
    (result,) = await fresh_bus.history(subjects.result(ID), 10)
    assert decode_result(result.data).outcome is Outcome.BROKEN


async def test_a_first_record_that_is_garbage_without_a_stored_request_has_no_owner(fresh_bus: Bus) -> None:
    (expired,) = await publish_requests(fresh_bus, request("room-a"))
    await fresh_bus._connection.api("STREAM.MSG.DELETE.WARMXFER_IN", {"seq": expired.seq})
    await fresh_bus.publish(subjects.log(ID), b"{", expect_last=0)
    await Coordinator(fresh_bus).on_dead_letter(delivery_of(expired, 20), "it cannot be continued")
    assert await fresh_bus.get_last(subjects.result(ID)) is None


async def test_a_request_that_is_delivered_as_new_changes_no_transfer_of_another_coordinator(
    fresh_bus: Bus,
) -> None:
    """A coordinator that knows no record of it tries to append the first one, and reads the log then."""
    (first, again) = await publish_requests(fresh_bus, request("room-a"), request("room-a"))
    await handle(fresh_bus, first)
    log = await fresh_bus.history(subjects.log(ID), 10)
    commands = await fresh_bus.history(subjects.session_commands("room-a"), 10)
    for each in (again, first):
        fresh = Coordinator(fresh_bus)
        await handle(fresh_bus, each, fresh)
        assert not fresh.admission._limits.is_starting(ID)
    assert await fresh_bus.history(subjects.log(ID), 10) == log
    assert await fresh_bus.history(subjects.session_commands("room-a"), 10) == commands
    assert await notices(fresh_bus) == []
