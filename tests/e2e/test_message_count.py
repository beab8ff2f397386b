"""What one transfer without a fault costs the broker: stored messages and reads, by kind.

Run it with `-s` to see the tables. The targets are 45 stored messages and 6 reads, with a cloud that answers
at once and sends no webhooks. The sandbox sends webhooks, and its phones ring. It took 63 and 17 on a
quiet machine. A busy one adds a leg check (4 messages) and some polls. Nine reads more are those of the log:
one before each checked command, and one for the token of the briefing agent.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from nats.aio.client import Client as NatsClient
from nats.aio.msg import Msg

from warmxfer.cli.local_stack.stack import ROOT, LocalStack
from warmxfer.client import new_id

from .stack_fixture import TransferDriver, plain_client

pytestmark = pytest.mark.asyncio(loop_scope="session")

MAX_STORED = 67
MAX_READS = 24 + 9
END_S = 60.0
READ_VERBS = ("DIRECT.GET", "STREAM.MSG.GET")
API = "$JS.API."


class Meter:
    """Counts the stored messages and the reads of one transfer. `names` are the words that it is known by."""

    def __init__(self, connection: NatsClient, names: tuple[str, ...]) -> None:
        self._connection = connection
        self._names = names
        self.reads: Counter[str] = Counter()

    async def on_request(self, msg: Msg) -> None:
        """Count a read of this transfer. Reads carry the subject in their own subject or in their body."""
        verb = msg.subject.removeprefix(API)
        text = f"{verb} {msg.data.decode()}"
        if verb.startswith(READ_VERBS) and any(name in text for name in self._names):
            for name in self._names:
                text = text.replace(name, "<id>")
            subject = next((word for word in text.split('"') if "<id>" in word), text)
            method = next(each for each in READ_VERBS if verb.startswith(each))
            self.reads[f"{method} {subject.split('warmxfer.', 1)[-1]}"] += 1

    async def stored(self) -> Counter[str]:
        """Return the number of stored messages of the transfer, by what follows its id in their subjects."""
        found: Counter[str] = Counter()
        stream_names = json.loads((await self._connection.request(f"{API}STREAM.NAMES", timeout=5)).data)
        for stream in stream_names["streams"]:
            body = json.dumps({"subjects_filter": ">"}).encode()
            info = await self._connection.request(f"{API}STREAM.INFO.{stream}", body, timeout=5)
            for subject, count in (json.loads(info.data)["state"].get("subjects") or {}).items():
                if name := next((each for each in self._names if each in subject.split(".")), None):
                    found[subject.split(f"{name}.", 1)[-1].replace(self._names[-1], "<session>")] += count
        return found


@asynccontextmanager
async def metering(stack: LocalStack, *names: str) -> AsyncIterator[Meter]:
    connection = await plain_client(stack, ROOT)
    try:
        meter = Meter(connection, names)
        await connection.subscribe(f"{API}>", cb=meter.on_request)
        await connection.flush()
        yield meter
    finally:
        await connection.close()


def table(title: str, counts: Counter[str]) -> str:
    """Return the counts as text, the most frequent first."""
    lines = [f"{count:4} {name}" for name, count in counts.most_common()]
    return "\n".join([f"{title}: {counts.total()}", *lines])


async def test_a_transfer_stores_and_reads_no_more_than_it_did(driver: TransferDriver) -> None:
    (caller,) = await driver.callers(1)
    await driver.conversation(caller)
    id = new_id()
    async with metering(driver.stack, id, caller.room_id) as meter:
        await driver.begin(caller, id=id, bridge_guard_s=0)
        async with asyncio.timeout(END_S):
            while not (stored := await meter.stored())["result"]:
                await asyncio.sleep(0.1)
        reads = meter.reads.copy()
    print(f"\n{table('stored', stored)}\n{table('reads', reads)}")
    assert 0 < stored.total() <= MAX_STORED
    assert 0 < reads.total() <= MAX_READS
