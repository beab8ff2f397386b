"""Where a room is, asked of a cloud that answers slowly, wrongly or never: a real one, over TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from videosdk import room_client

from warmxfer.adapters.rooms.videosdk import server_lookup
from warmxfer.schemas import RetryableError

from .consultation_fixture import servers

LOCALHOST = "127.0.0.1"

Answer = Callable[[], Awaitable[tuple[int, bytes]]]


async def well() -> tuple[int, bytes]:
    return 200, json.dumps(servers("rtc.example")).encode()


async def slowly() -> tuple[int, bytes]:
    await asyncio.sleep(0.3)
    return await well()


async def never() -> tuple[int, bytes]:
    await asyncio.Event().wait()
    return await well()


async def no() -> tuple[int, bytes]:
    return 401, b"{}"


class Cloud:
    """Answers every request with what `answer` says; keeps what it was asked."""

    def __init__(self) -> None:
        self.answer: Answer = well
        self.asked: list[bytes] = []
        self.host = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            self.asked.append(head + await reader.readexactly(int(length.split(b":")[1])))
            status, body = await self.answer()
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
            await writer.drain()
        except asyncio.IncompleteReadError:
            self.asked.append(b"hung up")
        finally:
            writer.close()


@pytest.fixture
async def cloud(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cloud]:
    cloud = Cloud()
    async with _listening(cloud, _certificate(tmp_path)):
        trusting = ssl.create_default_context(cafile=str(tmp_path / "cloud.pem"))
        monkeypatch.setattr(server_lookup, "_certificates", trusting)
        yield cloud


@asynccontextmanager
async def _listening(cloud: Cloud, certificate: Path) -> AsyncIterator[None]:
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate)
    server = await asyncio.start_server(cloud.serve, LOCALHOST, 0, ssl=tls)
    cloud.host = f"{LOCALHOST}:{server.sockets[0].getsockname()[1]}"
    try:
        yield
    finally:
        server.close()


def _certificate(folder: Path) -> Path:
    """Certificate and key of nobody but us, in one file."""
    key, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "cloud")])
    certificate = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address(LOCALHOST))]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem, plain = serialization.Encoding.PEM, serialization.NoEncryption()
    secret = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, plain)
    file = folder / "cloud.pem"
    file.write_bytes(certificate.public_bytes(pem) + secret)
    return file


async def test_h18_a_cloud_that_is_slow_keeps_no_loop_waiting_and_takes_no_thread(cloud: Cloud) -> None:
    cloud.answer, threads, stalls = slowly, threading.active_count(), list[float]()

    async def watch() -> None:
        while True:
            before = time.monotonic()
            await asyncio.sleep(0.01)
            stalls.append(time.monotonic() - before)

    watching = asyncio.create_task(watch())
    await server_lookup.prefetch_servers("room-1", "token", cloud.host)
    watching.cancel()
    assert max(stalls) < 0.2
    assert threading.active_count() == threads


async def test_the_library_reads_the_answer_and_asks_nobody_itself(cloud: Cloud) -> None:
    await server_lookup.prefetch_servers("room-1", "token", cloud.host)
    told = room_client.get_server_config("room-1", "token", cloud.host)
    assert (told["base_url"], told["ice_servers"]) == ("rtc.example", [])
    (asked,) = cloud.asked
    head, _, body = asked.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /infra/v1/meetings/server-init-config HTTP/1.1")
    assert b"authorization: token" in head.lower()
    assert json.loads(body) == {"roomId": "room-1"}


@pytest.mark.parametrize(("answer", "why"), [(never, "TimeoutError"), (no, "HTTPStatusError")])
async def test_a_cloud_that_does_not_say_is_asked_again_later(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, answer: Answer, why: str
) -> None:
    monkeypatch.setattr(server_lookup, "ASK_TIMEOUT_S", 0.2)
    cloud.answer = answer
    with pytest.raises(RetryableError, match=rf"The servers of room room-1 could not be looked up \({why}\)"):
        await server_lookup.prefetch_servers("room-1", "token", cloud.host)


async def test_h19_however_many_hang_the_next_one_is_answered(cloud: Cloud) -> None:
    """A thread that waits without a deadline is lost for good; eight were all there were."""
    cloud.answer = never
    for _ in range(9):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await server_lookup.prefetch_servers("room-1", "token", cloud.host)
    cloud.answer = well
    async with asyncio.timeout(2):
        await server_lookup.prefetch_servers("room-1", "token", cloud.host)
