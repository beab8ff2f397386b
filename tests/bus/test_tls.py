"""TLS of the broker: a connection without it is refused by one sentence, and no byte of a secret is sent.

`Recorder.sent` holds what someone on the network sees. nats-py reads the first line of the server in plain
text, and upgrades to TLS only if that line requires it.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import uvloop

from tests.testkit.certificates import HOST, Authority
from tests.testkit.recorder import recording_proxy, recording_server
from tests.testkit.waiting import until
from warmxfer.bus import (
    Bus,
    BusSettings,
    EmbeddedServer,
    InvalidRequest,
    Unavailable,
    UnsupportedServer,
    subjects,
)
from warmxfer.bus.server_tls import ServerTls

USER, PASSWORD = "gateway", "hunter2-of-the-gateway"
DEADLINE_S = 20.0
ACCOUNTS = f"""
accounts {{
  A {{ jetstream: enabled, users: [{{user: {USER}, password: {PASSWORD}}}] }}
}}
"""


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


def secured(tls: ServerTls) -> EmbeddedServer:
    return EmbeddedServer(accounts=ACCOUNTS, tls=tls)


def settings(authority: Authority, port: int, host: str = HOST, **changes: Any) -> BusSettings:
    """Return settings with the authority and a client certificate."""
    mine = authority.certificate("gateway.example")
    wanted: dict[str, Any] = {"ca": authority.ca, "cert": mine.cert, "key": mine.key}
    return BusSettings(url=f"tls://{host}:{port}", user=USER, password=PASSWORD, **(wanted | changes))


def port_of(server: EmbeddedServer) -> int:
    return int(server.url.rpartition(":")[2])


def greeting(info: dict[str, Any]) -> bytes:
    """Return the first line of a server."""
    return b"INFO " + json.dumps(info).encode() + b"\r\n"


async def connect(wanted: BusSettings) -> Bus:
    return await Bus.connect(wanted, name="test", deadline_s=DEADLINE_S)


# ── it works ─────────────────────────────────────────────────────────────────────────────────────


async def test_with_mutual_tls_nothing_readable_crosses_the_wire(authority: Authority) -> None:
    async with secured(authority.server_tls()) as server, recording_proxy(port_of(server)) as wire:
        async with await connect(settings(authority, wire.port)) as bus:
            await bus.ensure()
            await bus.publish(subjects.request("t-tls"), b"a number such as +14155550101")
            assert (await bus.get_last(subjects.request("t-tls"))) is not None
        assert wire.sent
        assert not wire.holds("CONNECT", PASSWORD, USER, "t-tls", "+14155550101")


async def test_a_server_that_may_be_used_without_tls_is_used_with_it(authority: Authority) -> None:
    """Such a server says `tls_available`, for which nats-py does not upgrade."""

    class Lenient(ServerTls):
        def config(self) -> str:
            return super().config() + "allow_non_tls: true\n"

    tls = authority.server_tls(mutual=False)
    async with (
        secured(Lenient(tls.cert, tls.key)) as server,
        recording_proxy(port_of(server)) as wire,
        await connect(settings(authority, wire.port)) as bus,
    ):
        assert bus.connected
        assert not wire.holds("CONNECT", PASSWORD)


async def test_with_the_handshake_first_the_server_says_nothing_in_clear(authority: Authority) -> None:
    tls = authority.server_tls()
    first = ServerTls(tls.cert, tls.key, tls.client_ca, first=True)
    async with (
        secured(first) as server,
        await connect(settings(authority, port_of(server), tls_first=True)) as bus,
    ):
        await bus.ensure()
        assert bus.connected
    async with secured(tls) as server, recording_proxy(port_of(server)) as wire:
        with pytest.raises(UnsupportedServer, match=r"failed the TLS handshake \(.*\); unset NATS_TLS_FIRST"):
            await connect(settings(authority, wire.port, tls_first=True))
        assert not wire.holds("CONNECT", PASSWORD)


# ── each refusal, with what was sent ─────────────────────────────────────────────────────────────

REFUSED: dict[str, tuple[Callable[[Authority, Authority], ServerTls], dict[str, Any], str]] = {
    "an unknown authority": (
        lambda ours, other: other.server_tls(),
        {},
        r"has a certificate of an unknown authority, and NATS_CA is '.*ca.pem'; give the file of the",
    ),
    "no authority": (
        lambda ours, other: ours.server_tls(),
        {"ca": None},
        r"has a certificate of an unknown authority, and NATS_CA is not set; give the file",
    ),
    "another address": (
        lambda ours, other: ours.server_tls("127.0.0.9"),
        {},
        r"has a certificate for another name; write the name in the certificate into NATS_URL$",
    ),
    "another name": (
        lambda ours, other: ours.server_tls("broker.example"),
        {"url": "localhost"},
        r"has a certificate for another name; write the name",
    ),
    "an expired certificate": (
        lambda ours, other: ours.server_tls(expired=True),
        {},
        r"has a certificate that is not valid now; renew it, and compare the clocks$",
    ),
    "no client certificate": (
        lambda ours, other: ours.server_tls(),
        {"cert": None, "key": None},
        r"^NATS_CERT is not set, and the NATS server at tls://\S+ asks for a client certificate; set",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_what_is_refused_before_the_credentials_are_sent(
    case: str, authority: Authority, tmp_path: Path
) -> None:
    server_tls, changes, sentence = REFUSED[case]
    changes = dict(changes)
    host = changes.pop("url", HOST)
    tls = server_tls(authority, Authority(tmp_path / "other", "other"))
    async with secured(tls) as server, recording_proxy(port_of(server)) as wire:
        with pytest.raises(InvalidRequest, match=sentence) as caught:
            await connect(settings(authority, wire.port, host, **changes))
        assert caught.value.field in ("NATS_CA", "NATS_CERT", "NATS_URL")
        assert wire.connections == 1
        assert not wire.holds("CONNECT", PASSWORD, USER)
        if case == "no client certificate":
            assert not wire.sent


def test_every_refusal_is_the_same_under_uvloop(authority: Authority, tmp_path: Path) -> None:
    """The actors run under uvloop, whose TLS is another implementation."""

    async def all_cases() -> None:
        for case in REFUSED:
            await test_what_is_refused_before_the_credentials_are_sent(case, authority, tmp_path)
        await test_a_certificate_of_another_authority_is_refused_by_the_server(authority, tmp_path)

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(all_cases())


async def test_a_certificate_of_another_authority_is_refused_by_the_server(
    authority: Authority, tmp_path: Path
) -> None:
    """TLS 1.3 judges it last, so the credentials were sent: encrypted, to a server that showed who it is."""
    mine = Authority(tmp_path / "stranger", "stranger").certificate("gateway.example")
    async with secured(authority.server_tls()) as server, recording_proxy(port_of(server)) as wire:
        with pytest.raises(InvalidRequest, match=r"refused the client's certificate, and NATS_CERT is '.*'"):
            await connect(settings(authority, wire.port, cert=mine.cert, key=mine.key))
        assert not wire.holds("CONNECT", PASSWORD, USER)


PLAIN = {
    "server_id": "X",
    "version": "2.15.1",
    "max_payload": 1_048_576,
    "auth_required": True,
    "nonce": "abc",
}
ASKS: dict[str, Callable[[int, Authority], dict[str, Any]]] = {
    "address": lambda port, _: {"url": f"tls://{HOST}:{port}"},
    "one of two addresses": lambda port, _: {"url": f"nats://{HOST}:{port},tls://{HOST}:{port}"},
    "authority": lambda port, authority: {"url": f"nats://{HOST}:{port}", "ca": authority.ca},
    "certificate": lambda port, authority: {
        "url": f"nats://{HOST}:{port}",
        "cert": authority.certificate().cert,
        "key": authority.certificate().key,
    },
    "password in the address": lambda port, _: {"url": f"tls://{USER}:{PASSWORD}@{HOST}:{port}"},
}


@pytest.mark.parametrize("asks", ASKS)
async def test_a_server_without_tls_gets_no_byte_once_tls_was_asked_for(
    asks: str, authority: Authority
) -> None:
    async with recording_server(greeting(PLAIN)) as wire:
        wanted = BusSettings(**({"user": USER, "password": PASSWORD} | ASKS[asks](wire.port, authority)))
        with pytest.raises(
            UnsupportedServer, match="offers no TLS, and tls:// or a TLS variable asks for it"
        ):
            await connect(wanted)
        assert wire.connections == 1
        assert bytes(wire.sent) == b""


async def test_an_embedded_server_without_tls_is_refused(fresh_server: EmbeddedServer) -> None:
    with pytest.raises(UnsupportedServer, match="offers no TLS"):
        await connect(BusSettings(url=fresh_server.url.replace("nats://", "tls://")))


async def test_a_key_without_its_certificate_is_refused(authority: Authority) -> None:
    files = authority.certificate()
    with pytest.raises(InvalidRequest, match=r"^NATS_KEY is '.*', and NATS_CERT is not set; give the cert"):
        await connect(BusSettings(key=files.key))


# ── someone on the network ───────────────────────────────────────────────────────────────────────


def tampered(**changes: Any) -> Callable[[bytes], bytes]:
    """Return what an attacker makes of the server's first line, which is in plain text."""

    def rewrite(line: bytes) -> bytes:
        info = json.loads(line.removeprefix(b"INFO "))
        return greeting(info | changes)

    return rewrite


async def test_a_first_line_without_tls_is_a_refusal(authority: Authority) -> None:
    async with (
        secured(authority.server_tls()) as server,
        recording_proxy(port_of(server), tampered(tls_required=False, tls_available=False)) as wire,
    ):
        with pytest.raises(UnsupportedServer, match="offers no TLS"):
            await connect(settings(authority, wire.port))
        assert bytes(wire.sent) == b""


@pytest_asyncio.fixture
async def elsewhere(tmp_path: Path, authority: Authority) -> AsyncIterator[tuple[EmbeddedServer, int]]:
    """A server of an attacker, with a certificate for its own name that the client's authority signed."""
    async with secured(authority.server_tls("localhost", mutual=False)) as server:
        yield server, port_of(server)


async def test_an_address_in_the_first_line_gets_no_credentials(
    authority: Authority, elsewhere: tuple[EmbeddedServer, int]
) -> None:
    """The first line may name more servers. An attacker names their own, and cuts the connection."""
    _, port = elsewhere
    async with recording_proxy(port) as stolen:
        addresses = [f"localhost:{stolen.port}"]
        async with (
            secured(authority.server_tls()) as server,
            recording_proxy(port_of(server), tampered(connect_urls=addresses)) as wire,
            await connect(settings(authority, wire.port)) as bus,
        ):
            await server.stop(kill=True)
            await until(lambda: wire.connections > 3 or stolen.connections > 0)
            assert stolen.connections == 0
            assert not bus.connected


async def test_after_an_outage_a_server_without_tls_gets_no_byte(authority: Authority) -> None:
    """The same address answers in plain text after a restart: the process says so and is not ready.

    What waits to be sent stays in the process, also when the connection is closed.
    """
    async with secured(authority.server_tls()) as server:
        port = port_of(server)
        bus = await connect(settings(authority, port))
        await server.stop(kill=True)
        async with recording_server(greeting(PLAIN), port) as wire:
            with pytest.raises(Unavailable):
                await bus.publish(subjects.request("t-plain"), b"+14155550101", deadline_s=1.0)
            await until(lambda: "offers no TLS" in str(bus.readiness.failing()))
            await bus.close()
            assert wire.connections
            assert bytes(wire.sent) == b""
