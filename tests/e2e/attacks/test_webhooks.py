"""Finding 6, replayed on a running gateway that takes signed webhooks: forged, replayed and endless ones."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Iterable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import httpx
import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa

from tests.testkit.recorder import Recorder, recording_proxy
from warmxfer.actors.gateway.call_marks import call_metadata
from warmxfer.actors.runtime.limited_protocol import HEAD_TIMEOUT_S
from warmxfer.bus import Bus, subjects
from warmxfer.bus.free_ports import free_ports
from warmxfer.cli.local_stack.stack import ROOT
from warmxfer.schemas import Outcome, WarmTransferPhase, participant_ids

from ..stack_fixture import SILENT, Call, TransferDriver

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = "/webhooks/videosdk"
SIGNATURE = "videosdk-signature"
CLOSED_S = HEAD_TIMEOUT_S + 15.0
HALF_HEADS = 100


@dataclass(frozen=True)
class Webhook:
    """One webhook of the cloud, as someone on the network saw it."""

    signature: str
    body: bytes


@asynccontextmanager
async def signed_gateway(driver: TransferDriver) -> AsyncIterator[tuple[str, Recorder]]:
    """Run the stack with a gateway that takes signed webhooks only, and record what it gets."""
    (port,) = free_ports(1)
    async with recording_proxy(port) as wire:
        env = {
            "WARMXFER_WEBHOOK_PORT": str(port),
            "WARMXFER_WEBHOOK_URL": f"http://127.0.0.1:{wire.port}{PATH}",
            "WARMXFER_WEBHOOK_PUBLIC_KEY": "fetch",
        }
        await driver.stack.stop("gateway")
        await driver.stack.start("gateway", env=env)
        try:
            yield f"http://127.0.0.1:{port}{PATH}", wire
        finally:
            await driver.stack.stop("gateway")
            await driver.stack.start("gateway")


def webhooks_in(wire: Recorder) -> Iterator[Webhook]:
    """Return the whole webhooks that were recorded."""
    for stream in wire.streams:
        rest = bytes(stream)
        while b"\r\n\r\n" in rest:
            head, _, rest = rest.partition(b"\r\n\r\n")
            headers = httpx.Headers(
                [tuple(line.split(": ", 1)) for line in head.decode().split("\r\n")[1:]]  # pyright: ignore[reportArgumentType]
            )
            length = int(headers["content-length"])
            yield Webhook(headers[SIGNATURE], rest[:length])
            rest = rest[length:]


async def post(url: str, body: bytes, signature: str = "") -> tuple[int, str]:
    headers = {SIGNATURE: signature} if signature else {}
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        response = await http.post(url, content=body, headers=headers)
    return response.status_code, response.json()["status"]


def hang_up(call: Call, call_id: str, **more: str) -> bytes:
    """Return what the cloud would send when the supervisor of `call` hangs up."""
    metadata = call_metadata(call.transfer.id, 1)
    data = {"callId": call_id, "type": "outbound", "status": "ended", "metadata": metadata, **more}
    return json.dumps({"webhookType": "call-hangup", "data": data}).encode()


def signed_by_attacker(body: bytes) -> str:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return base64.b64encode(key.sign(body, padding.PKCS1v15(), hashes.SHA256())).decode()


async def half_head(url: str) -> asyncio.StreamReader:
    """Open a connection and begin a request that is never completed."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\nX-Slow: ".encode())
    await writer.drain()
    return reader


async def is_ended(reader: asyncio.StreamReader) -> bool:
    try:
        return await reader.read(100) == b""
    except ConnectionError:
        return True


async def dripped(url: str, head: str, pieces: Iterable[bytes], pause_s: float) -> bytes:
    """Send a request piece by piece. Returns the first line of the response; b"" if there is none."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(parts.hostname, parts.port)
    answer = asyncio.create_task(reader.readline())
    try:
        writer.write(f"POST {PATH} HTTP/1.1\r\nHost: x\r\n{head}\r\n\r\n".encode())
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
            await asyncio.sleep(pause_s)
            if answer.done():
                break
        return await asyncio.wait_for(answer, CLOSED_S)
    except ConnectionError:
        return b""
    finally:
        writer.close()


async def test_no_shape_of_a_request_takes_a_gateways_time_or_memory(driver: TransferDriver) -> None:
    """Siblings of finding 6: a body that drips, one without an end, odd signatures, two lengths."""
    async with signed_gateway(driver) as (url, _):
        dripping, endless, two_lengths = await asyncio.gather(
            dripped(url, "Content-Length: 1000", (b"x" for _ in range(100)), 0.2),
            dripped(
                url, "Transfer-Encoding: chunked", (b"1000\r\n" + b"x" * 4096 + b"\r\n" for _ in range(64)), 0
            ),
            dripped(url, "Content-Length: 2\r\nContent-Length: 30", (b"{}",), 0),
        )
        assert b"408" in dripping
        assert b"413" in endless or endless == b""
        assert b"400" in two_lengths or two_lengths == b""
        for signature in ("A", "=" * 2_000, "A" * 4_000, base64.b64encode(bytes(256)).decode()):
            code, status = await post(url, b'{"webhookType":"participant-left","data":{}}', signature)
            assert (code, status) == (401, "forged")
        (caller,) = await driver.callers(1)
        call = await driver.begin(caller)
        assert (await call.result()).outcome is Outcome.COMPLETE
        await call.assert_clean_end()


async def test_a_transfer_ends_by_the_cloud_and_not_by_a_webhook_of_an_attacker(
    driver: TransferDriver,
) -> None:
    """Finding 6: a forged hang-up ended a transfer, a replay was stored, half heads shut all others out."""
    async with signed_gateway(driver) as (url, wire):
        slow = [await half_head(url) for _ in range(HALF_HEADS)]
        (caller,) = await driver.callers(1)
        await driver.conversation(caller, lines=2)
        call = await driver.begin(caller, SILENT)
        await call.until(WarmTransferPhase.BRIEFING_STARTED)
        async with await Bus.connect(driver.stack.settings(ROOT), name="look") as bus:
            state = json.loads((await bus.get_last(subjects.log(call.transfer.id))).data)["state"]  # type: ignore[union-attr]
            seen = list(webhooks_in(wire))
            assert seen, "the cloud reached the gateway beside the half heads"
            before = await bus.history(subjects.event(call.transfer.id, "gateway"), 100)
            forged = hang_up(call, state["supervisor_call_id"])
            assert await post(url, forged) == (401, "forged")
            assert await post(url, forged, signed_by_attacker(forged)) == (401, "forged")
            assert await post(url, forged, seen[-1].signature) == (401, "forged")
            replies = [await post(url, each.body, each.signature) for each in seen]
            assert {code for code, _ in replies} == {200}
            assert {status for _, status in replies} <= {"repeated", "ignored"}
            assert "repeated" in {status for _, status in replies}
            after = await bus.history(subjects.event(call.transfer.id, "gateway"), 100)
            assert [each.seq for each in after] == [each.seq for each in before]
        supervisor = participant_ids.supervisor(call.transfer.id, 1)
        await driver.stack.post(f"/sandbox/people/{supervisor}/hangup", {})
        assert (await call.result()).outcome is Outcome.SUPERVISOR_DISCONNECTED
        await call.assert_clean_end()
        async with asyncio.timeout(CLOSED_S):
            assert all(await asyncio.gather(*(is_ended(reader) for reader in slow)))
