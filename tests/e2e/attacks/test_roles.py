"""Finding 3, replayed on running processes: what a user of one role gets of the others beside a transfer."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from nats.aio.msg import Msg

from warmxfer.bus import subjects
from warmxfer.bus.partition import partition_of
from warmxfer.bus.subject_table import CORE, EVENTS, IN, PUBLIC
from warmxfer.client import new_id
from warmxfer.schemas import Outcome

from ..stack_fixture import READY, TransferDriver
from .plain_user import plain_user

pytestmark = pytest.mark.asyncio(loop_scope="session")

OVERHEARD = (
    "_INBOX.>",
    "_INBOX.briefing.>",
    "_INBOX.*.*",
    "_R_.>",
    "_GR_.>",
    "$JS.>",
    ">",
    "wx.>",
    "warmxfer.>",
)
"""Where replies, room tokens, commands and events pass by."""


def stored_events(id: str) -> str:
    return f"wx.{partition_of(id)}.{id}.event"


def forged_yes(id: str) -> bytes:
    return json.dumps({"type": "supervisor_ready", "command_id": f"{id}-9", "at": time.time()}).encode()


@pytest.mark.parametrize("user", ["summarizer", "client"])
async def test_one_role_hears_reads_and_writes_nothing_of_another(driver: TransferDriver, user: str) -> None:
    """Finding 3: it heard a room token in `_INBOX.>`, read the request by direct get, wrote any event."""
    (caller,) = await driver.callers(1)
    await driver.conversation(caller, lines=2)
    heard: list[Msg] = []

    async def keep(message: Msg) -> None:
        heard.append(message)

    id = new_id()
    place = subjects.place_of(subjects.request(id))
    async with plain_user(driver.stack, user) as attacker:
        for subject in OVERHEARD:
            attacker.violations.clear()
            await attacker.client.subscribe(subject, cb=keep)
            await attacker.sent()
            assert any("permissions violation" in each.lower() for each in attacker.violations), subject
        call = await driver.begin(caller, READY, id=id)
        refused: list[tuple[str, Any]] = [
            # A client may read what a client wrote.
            *([] if user == "client" else [(f"$JS.API.DIRECT.GET.{place.stream}.{place.subject}", None)]),
            *((f"$JS.API.DIRECT.GET.{stream}", {"seq": 1}) for stream in (IN, EVENTS, CORE)),
            *((f"$JS.API.STREAM.MSG.GET.{stream}", {"seq": 1}) for stream in (IN, EVENTS, CORE)),
            *((f"$JS.API.CONSUMER.CREATE.{stream}", {"stream_name": stream}) for stream in (IN, PUBLIC)),
            (f"$JS.API.CONSUMER.CREATE.{EVENTS}.mine.>", {"stream_name": EVENTS}),
            (f"$JS.API.CONSUMER.DURABLE.CREATE.{CORE}.mine", {"stream_name": CORE}),
            (f"$JS.API.CONSUMER.MSG.NEXT.{CORE}.gateway", None),
            (f"$JS.API.CONSUMER.DELETE.{CORE}.gateway", None),
            *((f"$JS.API.STREAM.{verb}.{CORE}", None) for verb in ("DELETE", "PURGE", "UPDATE", "SNAPSHOT")),
            *((f"{stored_events(id)}.{role}", None) for role in ("briefing", "gateway", "primary")),
        ]
        for subject, body in refused:
            data = (
                forged_yes(id) if ".event." in subject else b"" if body is None else json.dumps(body).encode()
            )
            inbox = attacker.client.new_inbox()
            assert await attacker.is_refused(subject, data, reply=inbox), f"{user} may publish {subject}"
        assert (await call.result()).outcome is Outcome.COMPLETE
        await attacker.sent()
    assert heard == []
    await call.assert_clean_end()
