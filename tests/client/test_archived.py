"""What a user reads of an archived transfer is what they read of it before."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest
import pytest_asyncio

from tests.actors.coordinator.coordinator_fixture import last_delivery
from tests.actors.coordinator.test_archive import (
    BODY,
    ID,
    archiving_trigger,
    coordinator,
    left_of,
    run_transfer,
)
from tests.e2e.programs import output_of
from warmxfer.actors.common.dial_policy import DialPolicy
from warmxfer.actors.coordinator.api import Api
from warmxfer.bus import Bus, DeadLetterBody, Stored, subjects
from warmxfer.bus.archive import compact, pack
from warmxfer.client import Client
from warmxfer.client.archived import newest_archived
from warmxfer.schemas import NoticeKind, Outcome, TransferNotice, WarmTransferPhase, encode, read_request
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.id_in_use import IdInUse
from warmxfer.schemas.timeline import TransferOutline

PATIENCE_S = 30.0


@pytest_asyncio.fixture
async def client(fresh_bus: Bus) -> AsyncIterator[Client]:
    async with Client.connect(fresh_bus.settings.url) as client:
        yield client


async def archive(bus: Bus) -> None:
    await coordinator(bus).handle(await archiving_trigger(bus))
    assert await left_of(bus) == [subjects.log(ID)]


async def outline_of(client: Client, id: str) -> TransferOutline:
    """Return what a coordinator says of a transfer, and a board shows."""
    async with Api(client._bus, DialPolicy()):
        outline = await client.outline(id)
    assert outline.room_id
    return outline


async def everything_of(client: Client, id: str) -> list[object]:
    transfer = client.transfer(id)
    return [
        await client.history(id),
        [phase async for phase in transfer.phases()],
        await outline_of(client, id),
        [notice async for notice in transfer.notices(follow=False)],
        await transfer.result(PATIENCE_S),
        await transfer.exists(),
        [(each.data, each.msg_id) for each in await client.log(id)],
        await client.list(),
        await client.list(only="running"),
    ]


async def test_a_user_reads_the_same_before_and_after_the_archiving(fresh_bus: Bus, client: Client) -> None:
    await run_transfer(fresh_bus)
    before = await everything_of(client, ID)
    await archive(fresh_bus)
    *after, log, listed, running = await everything_of(client, ID)
    *expected, log_before, listed_before, _ = before
    assert after == expected
    assert (listed, running) == (listed_before, [])
    assert isinstance(log, list)
    assert isinstance(log_before, list)
    assert log[:-1] == log_before
    await fresh_bus.purge(subjects.CORE, subjects.log(ID))
    assert (await everything_of(client, ID))[6] == log


async def test_the_dead_letters_of_an_archived_transfer_are_read_in_the_archive(
    fresh_bus: Bus, client: Client
) -> None:
    body = DeadLetterBody(subjects.cancel(ID), 7, "reason is 5", 1, "requests-6", "WARMXFER_IN")
    for data in (b'{"cause": 5}', encode(body)):
        await fresh_bus.publish(subjects.dead_letter(ID), data)
    await run_transfer(fresh_bus)
    assert [each.body.cause for each in await client.dead_letters()] == ["reason is 5"]
    assert await client.archived_dead_letters(ID) == []
    await archive(fresh_bus)
    assert await client.dead_letters() == []
    assert await client.archived_dead_letters(ID) == [body]
    code, output = await output_of({"NATS_URL": fresh_bus.settings.url}, "warmxfer.cli", "show", ID)
    assert code == 0
    assert "dead letter: message 7 on" in output
    assert "reason is 5" in output
    _, output = await output_of({"NATS_URL": fresh_bus.settings.url}, "warmxfer.cli", "dead-letters")
    assert output.strip().endswith("show ID")


async def test_a_follower_that_was_away_gets_the_final_phase_from_the_archive(
    fresh_bus: Bus, client: Client
) -> None:
    await run_transfer(fresh_bus)
    await archive(fresh_bus)
    phases = [each async for each in client.transfer(ID).phases(from_start=False)]
    assert phases == []
    followed = [each.phase async for each in client.transfer(ID).phases()]
    assert followed[-1] is WarmTransferPhase.TRANSFER_COMPLETE


async def test_a_request_with_an_archived_id_is_not_published(fresh_bus: Bus, client: Client) -> None:
    await run_transfer(fresh_bus)
    await archive(fresh_bus)
    transfer = await client.request(read_request(BODY), ID)
    assert (await transfer.result(PATIENCE_S)).outcome is Outcome.COMPLETE
    with pytest.raises(IdInUse, match="phase transfer_complete"):
        await client.request(read_request(BODY.replace(b"room-a", b"room-b")), ID)
    assert await fresh_bus.get_last(subjects.request(ID)) is None


async def test_a_list_has_live_and_archived_transfers_newest_first(fresh_bus: Bus, client: Client) -> None:
    await run_transfer(fresh_bus)
    await archive(fresh_bus)
    await fresh_bus.publish(subjects.request("t-live"), BODY)
    await coordinator(fresh_bus).handle(await last_delivery(fresh_bus, subjects.request("t-live"), 1))
    listed = await client.list()
    assert [(each.id, each.outcome) for each in listed] == [("t-live", None), (ID, Outcome.COMPLETE)]
    assert [each.id for each in await client.list(1)] == ["t-live"]
    assert [each.id for each in await client.list(only="running")] == ["t-live"]


def archived_line(id: str, at: float) -> bytes:
    phase = WarmTransferPhase.TRANSFER_FAILED
    return encode(ArchivedTransfer(id=id, phase=phase, seq=3, at=at))


def notice_at(at: float) -> TransferNotice:
    return TransferNotice(NoticeKind.CALLER_ALONE, "The caller is alone.", {}, at)


async def test_a_follower_gets_the_notices_of_a_transfer_that_was_archived_meanwhile(
    fresh_bus: Bus, client: Client
) -> None:
    """Each one once: two of one step, read before the archiving, and two that only the archive has."""
    first = notice_at(1.0)
    second = TransferNotice(first.notice, "The caller is still alone.", {}, first.timestamp)
    archived = [TransferNotice(each.notice, "(left out)", {}, each.timestamp) for each in (first, second)]
    missed = notice_at(2.0)
    record = encode({"outbox": [*archived, missed, missed]})
    compacted, _ = compact(ID, b"{}", [Stored(subjects.log(ID), 1, 2.0, record)], [])
    for each in (first, second):
        await fresh_bus.publish(subjects.notice(ID), encode(each))
    async with aclosing(client.transfer(ID).notices()) as notices, asyncio.timeout(PATIENCE_S):
        assert [await anext(notices), await anext(notices)] == [first, second]
        await fresh_bus.publish(subjects.archived(ID), pack(archived_line(ID, 2.0), compacted))
        await fresh_bus.purge(subjects.PUBLIC, subjects.notice(ID))
        assert [await anext(notices), await anext(notices)] == [missed, missed]


async def test_a_list_reads_about_as_many_archived_records_as_it_shows(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    compacted, _ = compact("t", b"{}", [], [])
    for number in range(300):
        id = f"t-{number % 150}"
        await fresh_bus.publish(subjects.archived(id), pack(archived_line(id, number), compacted))
    read: list[int] = []
    history = fresh_bus.history

    async def counted(*args: object, **options: object) -> list[Stored]:
        found = await history(*args, **options)  # type: ignore[arg-type]
        read.append(len(found))
        return found

    monkeypatch.setattr(fresh_bus, "history", counted)
    assert [each.id for each in await newest_archived(fresh_bus, 20)] == [f"t-{n}" for n in range(130, 150)]
    assert read == [20]
    assert len(await newest_archived(fresh_bus, 1_000)) == 150
