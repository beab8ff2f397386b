"""A voice-agent process that briefs by itself: the AI of one room, and the consultations of its transfers.

python agent_process.py NATS_URL ROOM_ID      prints `ready` once the AI is in its room; runs until stopped
"""

import asyncio
import os
import signal
import sys

from warmxfer.actors.briefing import brief_here
from warmxfer.actors.primary import PrimarySettings, run
from warmxfer.actors.runtime.runner import READY_FD
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.bus import Bus, BusSettings


def ready() -> None:
    os.write(int(os.environ[READY_FD]), b"ready\n")


async def main(url: str, room_id: str) -> None:
    serving = asyncio.current_task()
    assert serving is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, serving.cancel)
    async with (
        await Bus.connect(BusSettings.from_env({**os.environ, "NATS_URL": url}), name="agent") as bus,
        brief_here(bus, room_id, RoomSettings()),
    ):
        await run(bus, PrimarySettings(room_ids=(room_id,)), ready=ready)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
