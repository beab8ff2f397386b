"""Erasing: of an ended transfer only its id is kept, and no byte of its text is on a disk of the broker.

The tests search the files of an unencrypted store. Reverted fixes that fail here: an erased id that starts a
second transfer; a purge instead of overwriting; a last record that holds the request; an archived record that
the stream's own limit removes.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.testkit.store_search import files_with
from warmxfer.actors.coordinator import Coordinator, CoordinatorSettings, run
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, InvalidRequest, subjects
from warmxfer.bus.archive import line_of, read_archived
from warmxfer.cli.bench.broker_cluster import BrokerCluster
from warmxfer.client import Client, ErasedTransfer, IdInUse, NotArchived
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    BriefSupervisor,
    NoticeKind,
    RetryableError,
    Summarize,
    SummaryReady,
    SupervisorDeclined,
    decode_as,
    decode_notice,
)
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.personal_data import KINDS

from .coordinator_fixture import (
    PATIENCE_S,
    let_archive_timer_fire,
    request,
    running_coordinators,
    until_all_handled,
)
from .fake_actors import FakeActors, answers
from .test_archive import archiving_trigger

ID, OTHER = "t-erased", "t-other"
AFTER_S = 0.1
NUMBER, SHOWN, DIGITS, HEADER = "+14155550142", "+14155550143", "86428642", "canary-header"
SUMMARY, REASON = "Ann Canary wants her 49 dollars back.", "I am at the canary dentist"
CANARIES = (NUMBER, SHOWN, DIGITS, HEADER, SUMMARY, REASON)
SETTINGS = CoordinatorSettings(archive_after_s=AFTER_S, archive_overwrites=True)


def body(number: str = NUMBER) -> bytes:
    return request(
        "room-a",
        command_timeout_s=15,
        bridge_guard_s=0,
        destination={
            "routing_rule_id": "rr_1",
            "sip_call_to": number,
            "sip_call_from": SHOWN,
            "extra_options": {"dtmf": DIGITS, "headers": {"X-Ticket": HEADER}},
        },
    )


def script(command: AnyCommand) -> list[AnyEvent]:
    """Reply as a supervisor does who declines."""
    match command:
        case Summarize():
            return [SummaryReady(command_id=command.command_id, summary=SUMMARY, source="model")]
        case BriefSupervisor():
            return [SupervisorDeclined(reason=REASON)]
        case _:
            return answers(command)


@asynccontextmanager
async def coordinator(bus: Bus, settings: CoordinatorSettings = SETTINGS) -> AsyncIterator[None]:
    ready = asyncio.Event()
    task = asyncio.create_task(run(bus, settings, ready=ready.set))
    try:
        await asyncio.wait_for(ready.wait(), PATIENCE_S)
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until_archived(bus: Bus, id: str = ID) -> None:
    """Archive transfer `id` now. Return when all that it wrote was handled and removed."""
    await until_all_handled(bus)
    await let_archive_timer_fire(bus, id)
    async with asyncio.timeout(PATIENCE_S):
        while await read_archived(bus, id) is None:
            await asyncio.sleep(0.05)
    await until_all_handled(bus)


async def run_transfer(bus: Bus, id: str = ID) -> None:
    await asyncio.wait_for(FakeActors(bus, id, script).run_transfer(body()), PATIENCE_S)


async def line(bus: Bus, id: str = ID) -> ArchivedTransfer:
    found = await read_archived(bus, id)
    assert found is not None
    return decode_as(ArchivedTransfer, line_of(found.data))


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[tuple[Path, Bus]]:
    """The directory of an unencrypted store, and a bus."""
    async with (
        EmbeddedServer(store_dir=tmp_path) as server,
        await Bus.connect(BusSettings(url=server.url), name="test") as bus,
    ):
        await bus.ensure()
        yield tmp_path, bus


async def test_no_byte_of_an_erased_transfer_is_on_the_disk(store: tuple[Path, Bus]) -> None:
    directory, bus = store
    async with coordinator(bus):
        # A message of another transfer keeps each block, so no block leaves with its file.
        for stream, subject in (
            (subjects.IN, subjects.request(OTHER)),
            (subjects.EVENTS, subjects.dead_letter(OTHER)),
        ):
            assert subjects.place_of(subject).stream == stream
            await bus.publish(subject, b"{}")
        await run_transfer(bus)
        before = files_with(directory, CANARIES)
        assert {text for held in before.values() for text in held} == set(CANARIES)
        await until_archived(bus)
        reply = await Client(bus).erase(ID)
        assert reply.messages >= 1
        assert files_with(directory, CANARIES) == {}
        kept = await line(bus)
        assert kept.erased
        assert (kept.id, kept.result) == (ID, None)


async def test_a_purge_leaves_the_text_on_the_disk_and_overwriting_does_not(
    store: tuple[Path, Bus],
) -> None:
    """Why a transfer is erased message by message."""
    directory, bus = store
    stays = await bus.publish(subjects.dead_letter(OTHER), b"{}")
    for text, overwrite in (("canary-purged", False), ("canary-overwritten", True)):
        await bus.publish(subjects.event(ID, "gateway"), text.encode())
        if overwrite:
            assert await bus.overwrite(subjects.EVENTS, subjects.for_actors(ID)) == 1
        else:
            assert await bus.purge(subjects.EVENTS, subjects.for_actors(ID)) == 1
        assert bool(files_with(directory, [text])) is not overwrite
    assert await bus.get_by_number(subjects.EVENTS, stays) is not None


async def test_the_archive_alone_keeps_text_while_it_is_not_erased(store: tuple[Path, Bus]) -> None:
    """The archive is compressed, so it is read: what it holds is what a search of files cannot find."""
    _, bus = store
    async with coordinator(bus):
        await run_transfer(bus)
        await until_archived(bus)
        log = await Client(bus).log(ID)
        assert all(any(text.encode() in each.data for each in log) for text in CANARIES)


async def test_an_erased_id_stays_known_and_starts_no_transfer(store: tuple[Path, Bus]) -> None:
    _, bus = store
    async with coordinator(bus):
        await run_transfer(bus)
        await until_archived(bus)
        client = Client(bus)
        await client.erase(ID)
        for number in (NUMBER, "+14155550199"):
            with pytest.raises(IdInUse, match="was erased; give a new id"):
                await client.request(json.loads(body(number)), ID)
        await bus.publish(subjects.request(ID), body(), msg_id="again")
        async with asyncio.timeout(PATIENCE_S):
            while (notice := await bus.get_last(subjects.notice(ID))) is None:
                await asyncio.sleep(0.02)
        assert decode_notice(notice.data).notice is NoticeKind.ID_IN_USE
        assert "was erased" in decode_notice(notice.data).detail
        await until_all_handled(bus)
        assert await bus.get_last(subjects.request(ID)) is None
        with pytest.raises(ErasedTransfer, match="only its id is kept"):
            await client.status(ID)
        with pytest.raises(ErasedTransfer):
            await client.report(ID)
        assert await client.log(ID) == []


async def test_erasing_again_changes_nothing(store: tuple[Path, Bus]) -> None:
    _, bus = store
    async with coordinator(bus):
        await run_transfer(bus)
        await until_archived(bus)
        assert (await Client(bus).erase(ID)).messages > 0
        kept = await line(bus)
        assert (await Client(bus).erase(ID)).messages == 0
        assert await line(bus) == kept


async def test_a_transfer_that_runs_is_refused(fresh_bus: Bus) -> None:
    def silent(command: AnyCommand) -> list[AnyEvent]:
        return [] if isinstance(command, BriefSupervisor) else answers(command)

    async with running_coordinators(fresh_bus):
        running = asyncio.create_task(FakeActors(fresh_bus, ID, silent).run_transfer(body()))
        async with asyncio.timeout(PATIENCE_S):
            while await fresh_bus.get_last(subjects.phase(ID)) is None:
                await asyncio.sleep(0.02)
        with pytest.raises(InvalidRequest, match="running; cancel it first"):
            await Client(fresh_bus).erase(ID)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_a_transfer_that_is_not_archived_yet_is_refused(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        await run_transfer(fresh_bus)
        with pytest.raises(NotArchived, match="not archived yet"):
            await Client(fresh_bus).erase(ID)
        assert await fresh_bus.get_last(subjects.request(ID)) is not None


async def test_an_unknown_id_is_refused(fresh_bus: Bus) -> None:
    async with running_coordinators(fresh_bus):
        with pytest.raises(InvalidRequest, match="no transfer with this id was archived"):
            await Client(fresh_bus).erase("t-none")


async def test_what_the_archive_leaves_out_is_a_setting(fresh_bus: Bus) -> None:
    settings = CoordinatorSettings(archive_after_s=AFTER_S, archive_without=KINDS)
    async with coordinator(fresh_bus, settings):
        await run_transfer(fresh_bus)
        await until_archived(fresh_bus)
        client = Client(fresh_bus)
        found = await read_archived(fresh_bus, ID)
        assert found is not None
        texts = [line_of(found.data), *(each.data for each in await client.log(ID))]
        assert [text for text in CANARIES if any(text.encode() in each for each in texts)] == []
        # All that reads an archived transfer still reads it.
        result = await client.transfer(ID).result()
        assert (result.outcome.value, result.summary) == ("declined", "")
        assert [each.phase.value for each in await client.history(ID)][-1] == "transfer_cancelled"
        assert (await client.report(ID)).outcome == "declined"
        # The same request is known as such, also by another name of its number.
        await client.request(json.loads(body()), ID)
        with pytest.raises(IdInUse):
            await client.request({"room_id": "room-b", "config": {"destination": {"name": "desk"}}}, ID)


@pytest.mark.timeout(120)
async def test_no_replica_of_a_cluster_has_a_byte_of_an_erased_transfer() -> None:
    async with BrokerCluster(sync_interval="always") as brokers:
        settings = BusSettings(url=brokers.url, replicas=3)
        async with await Bus.connect(settings, name="test") as bus, coordinator(bus):
            await run_transfer(bus)
            for each in stores(brokers):
                assert files_with(each, CANARIES)
            await until_archived(bus)
            await Client(bus).erase(ID)
        # The replication log of a server has messages until its next snapshot. It takes one every two or
        # three minutes, and when it stops.
        async with asyncio.timeout(3 * PATIENCE_S):
            while any(files_with(each, CANARIES) for each in stores(brokers)):
                for server in brokers.servers:
                    await until_in_sync(settings)
                    await server.stop()
                    await server.start()


async def until_in_sync(settings: BusSettings) -> None:
    """Return when each replica of each stream has caught up. Its caller limits the time."""
    while True:
        try:
            async with await Bus.connect(settings, name="test") as bus:
                for stream in subjects.STREAMS:
                    info = await bus._connection.api(f"STREAM.INFO.{stream}")
                    replicas = info["cluster"].get("replicas") or []
                    if len(replicas) != 2 or not all(each.get("current") for each in replicas):
                        break
                else:
                    return
        except RetryableError:
            pass  # No leader replies yet; ask again.
        await asyncio.sleep(0.2)


def stores(brokers: BrokerCluster) -> list[Path]:
    """Return the directory of each server's store."""
    found = [server.store_dir for server in brokers.servers]
    return [each for each in found if each is not None]


async def test_a_coordinator_that_dies_while_it_archives_leaves_nothing(store: tuple[Path, Bus]) -> None:
    directory, bus = store
    async with coordinator(bus, CoordinatorSettings(archive_after_s=AFTER_S)):
        accepts = FakeActors(bus, ID)
        await asyncio.wait_for(accepts.run_transfer(body()), PATIENCE_S)
        await until_all_handled(bus)
    trigger = await archiving_trigger(bus, ID)
    dying = Coordinator(bus, archive_after_s=AFTER_S, archive_overwrites=True)

    async def die(*_: object) -> None:
        raise RetryableError("killed")

    dying._archive.remove = die  # pyright: ignore[reportAttributeAccessIssue]
    with pytest.raises(RetryableError, match="killed"):
        await dying.handle(trigger)
    assert files_with(directory, [NUMBER]) != {}
    await Coordinator(bus, archive_after_s=AFTER_S, archive_overwrites=True).handle(trigger)
    assert files_with(directory, CANARIES) == {}
