"""Finding 12, replayed on running processes: bombs in responses, limits, and secrets in the open."""

from __future__ import annotations

import asyncio
import stat
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.testkit.processes import command_line
from warmxfer.bus.subject_table import IN, USERS
from warmxfer.cli.local_stack.managed_process import ManagedProcess
from warmxfer.cli.local_stack.stack import ROLES, ROOT
from warmxfer.schemas import Outcome

from ..stack_fixture import TransferDriver, plain_client

pytestmark = pytest.mark.asyncio(loop_scope="session")

BOMB_BYTES = 200_000_000
MAX_GROWTH_KB = 60_000
"""A process that unpacked the bomb at once grew by 204 MB."""
NEEDS_PROC = pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="needs /proc")


ENCODINGS = {"gzip": zlib.MAX_WBITS | 16, "deflate": zlib.MAX_WBITS}
CONTENTS = {"zeros": b"\0", "deep nesting": b"["}


def bomb(encoding: str, content: str) -> bytes:
    compressor = zlib.compressobj(9, zlib.DEFLATED, ENCODINGS[encoding])
    piece = CONTENTS[content] * 1_000_000
    parts = [compressor.compress(piece) for _ in range(BOMB_BYTES // len(piece))]
    return b"".join([*parts, compressor.flush()])


@asynccontextmanager
async def bomb_server(
    encoding: str = "gzip", content: str = "zeros"
) -> AsyncIterator[tuple[str, list[bytes]]]:
    """Answer each request with the bomb. Returns the address, and the heads of what was asked."""
    body, asked = bomb(encoding, content), list[bytes]()
    head = f"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-encoding: {encoding}"

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            asked.append(await reader.readuntil(b"\r\n\r\n"))
            length = f"content-length: {len(body)}\r\nconnection: close"
            writer.write(f"{head}\r\n{length}\r\n\r\n".encode() + body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            return  # The client has hung up: it takes no more of the bomb.
        finally:
            writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked


def peak_kb(process: ManagedProcess) -> int:
    """Return the most memory that a process has had so far."""
    lines = Path(f"/proc/{process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmHWM:"))


@NEEDS_PROC
async def test_a_bomb_of_the_model_costs_a_summarizer_nothing_and_no_summary(driver: TransferDriver) -> None:
    """Finding 12: 200 kB cost the client of the model 115 MB."""
    (caller,) = await driver.callers(1)
    await driver.conversation(caller)
    usual = peak_kb(driver.stack.running("summarizer")[0])
    await driver.stack.stop("summarizer")
    async with bomb_server() as (url, asked):
        running = await driver.stack.start("summarizer", env={"WARMXFER_LLM_BASE_URL": f"{url}/v1"})
        call = await driver.begin(caller)
        result = await call.result()
        assert result.outcome is Outcome.COMPLETE
        assert "4417" in (result.summary or ""), "the call is quoted instead"
        assert asked
        assert peak_kb(running) - usual < MAX_GROWTH_KB
    await driver.stack.stop("summarizer")
    await driver.stack.start("summarizer")
    await call.assert_clean_end()


@NEEDS_PROC
@pytest.mark.parametrize(
    ("encoding", "content"), [("gzip", "zeros"), ("deflate", "zeros"), ("gzip", "deep nesting")]
)
async def test_a_bomb_of_the_provider_costs_a_gateway_nothing(
    driver: TransferDriver, encoding: str, content: str
) -> None:
    """Finding 12: 200 kB cost the client of the provider 204 MB. The gateway asks it at its start."""
    usual = peak_kb(driver.stack.running("gateway")[0])
    async with bomb_server(encoding, content) as (url, asked):
        running = await driver.stack.start("gateway", env={"VIDEOSDK_BASE_URL": url})
        try:
            assert asked
            assert peak_kb(running) - usual < MAX_GROWTH_KB
        finally:
            await running.stop()


@NEEDS_PROC
async def test_no_secret_is_in_an_argument_and_no_log_is_for_others(driver: TransferDriver) -> None:
    """Finding 12: each user of the machine could read the sandbox's secret, and the log files."""
    stack = driver.stack
    secrets = [stack.secret, *(stack.bus_env(user)["NATS_PASSWORD"] for user in (*USERS, ROOT))]
    pids = [process.pid for role in (*ROLES, "sandbox") for process in stack.running(role)]
    assert len(pids) == len(ROLES) + 1
    for pid in (*pids, stack.nats.pid):
        arguments = command_line(pid)
        assert arguments
        assert not [each for each in secrets if each in arguments]
    assert stat.S_IMODE(stack.directory.stat().st_mode) == 0o700
    files = [path for path in stack.directory.iterdir() if path.is_file()]
    assert len(files) > len(ROLES)
    assert {path.name: oct(stat.S_IMODE(path.stat().st_mode)) for path in files} == {
        path.name: "0o600" for path in files
    }


async def test_the_stream_of_requests_has_a_limit(driver: TransferDriver) -> None:
    """Finding 12: it had no `max_bytes`, so a client could fill the disk."""
    client = await plain_client(driver.stack, ROOT)
    try:
        info = await client.jetstream().stream_info(IN)
    finally:
        await client.close()
    assert 0 < (info.config.max_bytes or 0) <= 256_000_000
    assert info.config.discard == "new"
