"""The floor program: it runs, it sends the messages of its table, and its text is frozen."""

from __future__ import annotations

import asyncio
import hashlib
import json
import sys
from collections import Counter
from pathlib import Path

import nats
import pytest

from warmxfer.bus import EmbeddedServer
from warmxfer.cli.bench.floor import messages, program

FOLDER = Path(program.__file__).parent
FROZEN = {
    "messages.py": "fe5a2d5a0e181373757c45f943011a762d48cf57ba82bf6f1a929890dfe560ec",
    "program.py": "db17328bfdade4d872267b1335d3e69460ab4e4b51281162e4c8c98cf69c168d",
}
"""SHA-256 of each file. A changed floor makes the ratios of two versions incomparable: do not renew these."""
RUN_TIMEOUT_S = 60
TRANSFERS = 3


@pytest.mark.parametrize("file", FROZEN)
def test_the_floor_is_frozen(file: str) -> None:
    assert hashlib.sha256((FOLDER / file).read_bytes()).hexdigest() == FROZEN[file]


def test_the_table_has_the_counts_of_the_recorded_transfer() -> None:
    pulled = Counter(message.pulled_by for message in messages.MESSAGES)
    assert len(messages.MESSAGES) == 55
    assert pulled == {"": 33, "coordinator": 16, "gateway": 4, "summarizer": 1, "briefing": 1}
    assert len({message.name for message in messages.MESSAGES}) == 55
    triggers = {message.name for message in messages.MESSAGES if message.pulled_by == "coordinator"}
    assert messages.RECORDS.keys() < triggers
    sent = [name for outbox in messages.OUTBOXES for name in outbox.messages]
    written = {
        message.name
        for message in messages.MESSAGES
        if message.publisher == "coordinator" and not message.name.startswith("log.")
    }
    assert Counter(sent) == Counter(written - {"claim"})


async def test_the_floor_sends_its_messages() -> None:
    """Run the worker and the client. The stream then holds the table's messages, at the table's sizes."""
    async with asyncio.timeout(RUN_TIMEOUT_S), EmbeddedServer() as server:
        worker = await _start("worker", server.url)
        try:
            assert worker.stdout is not None
            assert await worker.stdout.readline() == b"ready\n"
            client = await _start("client", server.url, "--count", f"{TRANSFERS}")
            output, _ = await client.communicate()
            assert client.returncode == 0
            result = json.loads(output)
            stored = await _stored(server.url)
        finally:
            assert worker.stdin is not None
            worker.stdin.close()
            assert await worker.wait() == 0
    assert len(result["latencies_s"]) == TRANSFERS
    assert len(result["transitions_s"]) == TRANSFERS * len(messages.RECORDS)
    assert all(0 < took_s < RUN_TIMEOUT_S for took_s in result["transitions_s"])
    wanted = {message.name: (message.bytes, TRANSFERS) for message in messages.MESSAGES}
    # A newer timer replaces the one before, and the last record cancels it.
    assert stored == {name: each for name, each in wanted.items() if not name.startswith("timer.")}


async def _start(role: str, url: str, *arguments: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "warmxfer.cli.bench.floor.program", role, "--url", url, *arguments),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )


async def _stored(url: str) -> dict[str, tuple[int, int]]:
    """Return for each name the size of its bodies and how many there are."""
    client = await nats.connect(url)
    try:
        js = client.jetstream()
        while (info := await js.consumer_info(program.STREAM, "coordinator")).num_ack_pending:
            await asyncio.sleep(0.01)
        assert info.num_pending == 0
        state = (await js.stream_info(program.STREAM)).state
        found: dict[str, list[int]] = {}
        for seq in range(state.first_seq, state.last_seq + 1):
            try:
                message = await js.get_msg(program.STREAM, seq)
            except nats.js.errors.NotFoundError:
                continue
            assert message.data is not None
            number = int(message.data.split(b"|", 1)[0])
            found.setdefault(messages.MESSAGES[number].name, []).append(len(message.data))
        assert all(len(set(sizes)) == 1 for sizes in found.values())
        return {name: (sizes[0], len(sizes)) for name, sizes in found.items()}
    finally:
        await client.close()
