"""A session whose process lives on while the broker loses its disk. It creates nothing and waits."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path

from warmxfer.actors.primary import attach
from warmxfer.bus import Bus, BusSettings, EmbeddedServer, subjects
from warmxfer.schemas import CallerHeld, CallerReleased, encode

from .conftest import Boss, until
from .fake_session import RecordingSession


async def test_a_session_obeys_and_replies_after_the_broker_lost_its_disk(tmp_path: Path, room: str) -> None:
    """It obeys nothing while there is no log, and obeys again once a coordinator has created the streams."""
    session, store = RecordingSession(room), tmp_path / "store"
    async with EmbeddedServer(store_dir=store) as server:
        settings = BusSettings(url=server.url)
        async with (
            await Bus.connect(settings, name="session") as bus,
            await Bus.connect(settings, name="coordinator") as coordinator_bus,
        ):
            await coordinator_bus.ensure()
            async with (
                attach(bus, session, lease_s=60.0),
                coordinator_bus.subscribe(subjects.event("t-new", "primary")) as events,
            ):
                boss = Boss(coordinator_bus, room, "t-new", events)
                await server.stop(kill=True)
                await asyncio.to_thread(shutil.rmtree, store)
                await server.start()
                await until(lambda: bus.connected and coordinator_bus.connected)
                live_only = coordinator_bus._connection.client.publish
                await live_only(subjects.session_commands(room), encode(boss.hold("Not in any log.")))
                await coordinator_bus.ensure()
                await boss.send(boss.hold())
                await until(lambda: session.muted)
                async with asyncio.timeout(10):
                    while await coordinator_bus.get_last(subjects.event("t-new", "primary")) is None:
                        await asyncio.sleep(0.02)
                assert isinstance(await boss.hears(), CallerHeld)
                assert not any("Not in any log." in each for each in session.done)
                await boss.send(boss.release())
                while not isinstance(reply := await boss.hears(), CallerReleased):
                    assert isinstance(reply, CallerHeld), "only repeats of the reply may come first"
                assert not session.muted
