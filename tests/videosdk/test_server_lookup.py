"""Server look-up at a cloud that replies slowly, wrongly or never, over real TLS."""

from __future__ import annotations

import asyncio
import json
import ssl
import threading
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

from .event_loop_stalls import StallWatcher
from .room_fixture import servers

LOCALHOST = "127.0.0.1"

Reply = Callable[[], Awaitable[tuple[int, bytes]]]


async def reply_well() -> tuple[int, bytes]:
    return 200, json.dumps(servers("rtc.example")).encode()


async def reply_slowly() -> tuple[int, bytes]:
    await asyncio.sleep(0.3)
    return await reply_well()


async def never_reply() -> tuple[int, bytes]:
    await asyncio.Event().wait()
    return await reply_well()


async def refuse() -> tuple[int, bytes]:
    return 401, b"{}"


class Cloud:
    """Replies to each request with `reply`; keeps the requests."""

    def __init__(self) -> None:
        self.reply: Reply = reply_well
        self.requests: list[bytes] = []
        self.host = ""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            length = next(line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length"))
            self.requests.append(head + await reader.readexactly(int(length.split(b":")[1])))
            status, body = await self.reply()
            writer.write(b"HTTP/1.1 %d X\r\nContent-Length: %d\r\n\r\n" % (status, len(body)) + body)
            await writer.drain()
        except asyncio.IncompleteReadError:
            self.requests.append(b"hung up")
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
    """Return a file with a self-signed certificate and its key."""
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


async def test_h18_a_slow_cloud_does_not_stall_the_loop_and_uses_no_thread(cloud: Cloud) -> None:
    cloud.reply = reply_slowly
    async with StallWatcher() as stalls:
        threads = threading.active_count()
        await server_lookup.prefetch_servers("room-1", "token", cloud.host)
        assert threading.active_count() == threads
    assert stalls.worst_warmxfer.warmxfer_s < 0.2


async def test_the_library_parses_the_response_and_sends_no_request(cloud: Cloud) -> None:
    await server_lookup.prefetch_servers("room-1", "token", cloud.host)
    config = room_client.get_server_config("room-1", "token", cloud.host)
    assert (config["base_url"], config["ice_servers"]) == ("rtc.example", [])
    (requests,) = cloud.requests
    head, _, body = requests.partition(b"\r\n\r\n")
    assert head.startswith(b"POST /infra/v1/meetings/server-init-config HTTP/1.1")
    assert b"authorization: token" in head.lower()
    assert json.loads(body) == {"roomId": "room-1"}


@pytest.mark.parametrize(("reply", "cause"), [(never_reply, "TimeoutError"), (refuse, "HTTPStatusError")])
async def test_a_cloud_without_a_usable_response_raises_a_retryable_error(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, reply: Reply, cause: str
) -> None:
    monkeypatch.setattr(server_lookup, "ASK_TIMEOUT_S", 0.2)
    cloud.reply = reply
    with pytest.raises(
        RetryableError, match=rf"The servers of room room-1 could not be looked up \({cause}\)"
    ):
        await server_lookup.prefetch_servers("room-1", "token", cloud.host)


async def test_h19_a_look_up_succeeds_after_nine_that_hang(cloud: Cloud) -> None:
    """A thread that waits without a deadline is lost; the pool had eight."""
    cloud.reply = never_reply
    for _ in range(9):
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.05):
                await server_lookup.prefetch_servers("room-1", "token", cloud.host)
    cloud.reply = reply_well
    async with asyncio.timeout(15):
        await server_lookup.prefetch_servers("room-1", "token", cloud.host)
