"""`warmxfer deploy`: create the streams and consumers of the broker, or upgrade them."""

from __future__ import annotations

import os

from .options import Json, Url
from .output import console, print_json, run_command

CONNECT_DEADLINE_S = 10.0


def deploy(url: Url = None, json: Json = False) -> None:
    """Create the streams and consumers, or upgrade them.

    Run it as the user `deploy` before the actors of a release start. It may be run again.
    """
    streams = run_command(lambda: _deploy(url))
    if json:
        print_json({"streams": streams})
    else:
        console().print(f"the streams {', '.join(streams)} and their consumers are in order")


async def _deploy(url: str | None) -> tuple[str, ...]:
    """Create or upgrade everything. Returns the names of the streams."""
    from warmxfer.bus import Bus, BusSettings, subjects

    settings = BusSettings.from_env({**os.environ, **({"NATS_URL": url} if url else {})})
    async with await Bus.connect(settings, name="warmxfer-deploy", deadline_s=CONNECT_DEADLINE_S) as bus:
        await bus.ensure()
    return subjects.STREAMS
