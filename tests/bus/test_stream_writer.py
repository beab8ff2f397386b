"""A write is stored once and in order, or its writer gets a precise error."""

from __future__ import annotations

import time

import pytest

from tests.testkit.nats_server import ConfiguredServer
from tests.testkit.stored import stored_of
from warmxfer.bus import (
    Bus,
    BusSettings,
    InternalError,
    InvalidRequest,
    LiveMessage,
    Outgoing,
    StaleWrite,
    Unavailable,
    subjects,
)


async def test_what_is_published_is_read_back(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id, "gateway")
    assert await bus.get_last(subject) is None
    seq = await bus.publish(subject, b"one", msg_id=f"{transfer_id}.1", headers={"X-A": "b"})
    stored = await bus.get_last(subject)
    assert stored is not None
    assert (stored.subject, stored.seq, stored.data) == (subject, seq, b"one")
    assert (stored.msg_id, stored.headers["X-A"]) == (f"{transfer_id}.1", "b")
    assert abs(stored.at - time.time()) < 5


async def test_a_repeat_is_stored_once(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id, "gateway")
    first = await bus.publish(subject, b"one", msg_id=f"{transfer_id}.1")
    assert await bus.publish(subject, b"one", msg_id=f"{transfer_id}.1") == first
    assert len(await bus.history(subject, 10)) == 1


async def test_a_message_id_used_on_another_subject_is_an_internal_error(bus: Bus, transfer_id: str) -> None:
    await bus.publish(subjects.consult(transfer_id), b"one", msg_id=transfer_id)
    with pytest.raises(InternalError, match=r"was used on wx\..*\.do\.consult before"):
        await bus.publish(subjects.log(transfer_id), b"two", msg_id=transfer_id, expect_last=0)


async def test_a_write_with_a_lost_acknowledgement_finds_its_own_message(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The acknowledgement of the first attempt is lost.

    The second attempt is rejected because of the first.
    """
    subject, inbox = subjects.log(transfer_id), bus._connection.inbox
    real_call, calls = inbox.call, []

    async def lossy_call(to: str, *rest: object) -> object:
        reply = await real_call(to, *rest)  # type: ignore[arg-type]
        calls.append(to)
        if calls == [subject]:
            raise TimeoutError
        return reply

    monkeypatch.setattr(inbox, "call", lossy_call)
    seq = await bus.publish(subject, b"mine", msg_id=f"{transfer_id}.1", expect_last=0)
    assert calls.count(subject) == 2
    assert [(s.seq, s.data) for s in await bus.history(subject, 10)] == [(seq, b"mine")]


async def test_an_acknowledgement_without_a_number_stored_nothing(bus: Bus, transfer_id: str) -> None:
    """A process other than the broker answered. A number of 0 would look like a message that was stored."""

    async def answer(_: LiveMessage) -> bytes:
        return b"{}"

    subject = subjects.ask_history(transfer_id)
    async with bus.serve(subject, answer):
        with pytest.raises(InternalError, match=f"{subject} without its number"):
            await bus.publish(subject, b"one")


@pytest.mark.parametrize("their_id", ["2", "1"], ids=["another id", "the same id"])
async def test_a_write_with_a_lost_acknowledgement_that_was_second_is_stale(
    bus: Bus, transfer_id: str, monkeypatch: pytest.MonkeyPatch, their_id: str
) -> None:
    """The same id: found by simulation.

    Two coordinators decided differently on one request, because the second found that it had waited too long.
    The first took the refusal for its own record, and started the refused transfer.
    """
    subject, inbox = subjects.log(transfer_id), bus._connection.inbox
    real_call, calls = inbox.call, []

    async def lossy_call(to: str, *rest: object) -> object:
        calls.append(to)
        if calls == [subject]:
            await real_call(subject, b"theirs", {"Nats-Msg-Id": f"{transfer_id}.{their_id}"}, 2.0)
            raise TimeoutError
        return await real_call(to, *rest)  # type: ignore[arg-type]

    monkeypatch.setattr(inbox, "call", lossy_call)
    with pytest.raises(StaleWrite):
        await bus.publish(subject, b"mine", msg_id=f"{transfer_id}.1", expect_last=0)
    assert [s.data for s in await bus.history(subject, 10)] == [b"theirs"]


async def test_many_messages_are_stored_in_the_order_given(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id, "gateway")
    numbers = await bus.publish_all([Outgoing(subject, b"%d" % n) for n in range(300)])
    assert numbers == sorted(numbers)
    history = await bus.history(subject, 1_000)
    assert [stored.seq for stored in history] == numbers
    assert [stored.data for stored in history] == [b"%d" % n for n in range(300)]
    assert [stored.data for stored in await bus.history(subject, 3)] == [b"0", b"1", b"2"]


async def test_a_rejected_message_does_not_delay_the_others(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id, "gateway")
    large = Outgoing(subject, b"x" * 200_000)
    with pytest.raises(InvalidRequest, match="too large; the stream takes 131072 bytes"):
        await bus.publish_all([Outgoing(subject, b"before"), large, Outgoing(subject, b"after")])
    assert [stored.data for stored in await bus.history(subject, 10)] == [b"before", b"after"]


async def test_a_long_history_of_large_messages_is_complete(bus: Bus, transfer_id: str) -> None:
    subject = subjects.event(transfer_id, "gateway")
    body = b"x" * 100_000
    await bus.publish_all([Outgoing(subject, body) for _ in range(30)])
    assert [len(stored.data) for stored in await bus.history(subject, 100)] == [100_000] * 30


async def test_the_streams_together_store_what_is_said_of_a_transfer(bus: Bus, transfer_id: str) -> None:
    written = [
        subjects.request(transfer_id),
        subjects.log(transfer_id),
        subjects.event(transfer_id, "gateway"),
    ]
    await bus.publish_all([Outgoing(subject, b"") for subject in written])
    written[0] = subjects.place_of(written[0]).subject
    assert sorted(s.subject for s in await stored_of(bus, transfer_id)) == sorted(written)


async def test_a_subject_outside_the_stream_is_unavailable_at_the_deadline(bus: Bus) -> None:
    started = time.monotonic()
    with pytest.raises(
        Unavailable,
        match=r"has no stream that stores warmxfer\.ask\.token: its stream does not exist, has other",
    ):
        await bus.publish("warmxfer.ask.token", b"", deadline_s=0.3)
    assert time.monotonic() - started < 4, "the deadline of a write is 5 s if none is given"


async def test_the_slower_of_two_writers_with_the_same_id_is_stale(bus: Bus, transfer_id: str) -> None:
    """Found by simulation.

    The slower of two coordinators took the other's record for its own: both were stored under the id of the
    trigger that both had. It then sent everything to the caller and the supervisor a second time.
    """
    subject, msg_id = subjects.log(transfer_id), f"{transfer_id}:3"
    theirs = await bus.publish(subject, b"theirs", msg_id=msg_id, expect_last=0)
    with pytest.raises(StaleWrite):
        await bus.publish(subject, b"ours", msg_id=msg_id, expect_last=theirs)
    assert await bus.publish(subject, b"theirs", msg_id=msg_id, expect_last=theirs) == theirs
    assert len(await bus.history(subject, 10)) == 1


async def test_a_full_broker_makes_a_write_unavailable_and_not_invalid(
    transfer_id: str,
) -> None:
    """Found by a chaos run.

    An account without free space turned every write into an internal error. The release of a caller became a
    dead letter after five tries, seconds before space became free.
    """
    share = "accounts { a { users: [{ user: a, password: a }], jetstream { max_file: 1MB } } }"
    subject, large = subjects.event(transfer_id, "gateway"), bytes(100_000)
    async with (
        ConfiguredServer(extra=f"{share}\nno_auth_user: a") as server,
        await Bus.connect(BusSettings(url=server.url), name="full") as bus,
    ):
        await bus.ensure()
        await bus.publish_all([Outgoing(subject, large)] * 10)
        with pytest.raises(Unavailable, match="resource limits exceeded for account"):
            await bus.publish(subject, large, deadline_s=0.3)
