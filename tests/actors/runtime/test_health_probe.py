"""The health probe, over real HTTP."""

from __future__ import annotations

import asyncio
import time

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.testkit import waiting
from warmxfer.actors.runtime import health_probe, loop_lag
from warmxfer.actors.runtime.health_probe import serve_probe
from warmxfer.actors.runtime.loop_lag import LOOP_LAG
from warmxfer.bus.readiness import Readiness
from warmxfer.schemas import InvalidRequest

ANY_PORT = {"WARMXFER_HEALTH_PORT": "0", "WARMXFER_HEALTH_HOST": "127.0.0.1"}


async def test_a_process_is_healthy_before_it_is_ready() -> None:
    readiness = Readiness()
    remove = readiness.add("provider", lambda: "no connection is free")
    readiness.add("broker", lambda: None)
    readiness.add("consumer gateway", lambda: "nothing received for 7 s")
    async with serve_probe(ANY_PORT, readiness.failing) as port, httpx.AsyncClient() as http:
        at = f"http://127.0.0.1:{port}"
        assert (await http.get(f"{at}/healthz")).status_code == 200
        failed = await http.get(f"{at}/readyz")
        assert failed.status_code == 503
        assert failed.text.splitlines() == [
            "not ready",
            "provider: no connection is free",
            "consumer gateway: nothing received for 7 s",
        ]
        remove()
        readiness.add("consumer gateway", lambda: None)
        assert (await http.get(f"{at}/readyz")).text.splitlines()[1:] == [
            "consumer gateway: nothing received for 7 s"
        ]
    async with serve_probe(ANY_PORT, lambda: ()) as port, httpx.AsyncClient() as http:
        at = f"http://127.0.0.1:{port}"
        assert (await http.get(f"{at}/readyz?verbose")).text == "ok\n"
        assert (await http.get(f"{at}/secrets")).status_code == 404


async def test_a_ready_process_says_what_holds_it_up() -> None:
    readiness = Readiness()
    remove = readiness.add_note("provider", lambda: "a new request waits 3 s")
    readiness.add_note("quiet", lambda: None)
    async with (
        serve_probe(ANY_PORT, readiness.failing, readiness.notes) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        held_up = await http.get("/readyz")
        assert held_up.status_code == 200
        assert held_up.text == "ok\nprovider: a new request waits 3 s\n"
        assert (await http.get("/healthz")).text == "ok\n"
        remove()
        assert (await http.get("/readyz")).text == "ok\n"
        readiness.add("broker", lambda: "is away")
        assert (await http.get("/readyz")).text == "not ready\nbroker: is away\n"


async def test_an_invalid_request_is_dropped_and_the_next_one_served() -> None:
    async with serve_probe(ANY_PORT, lambda: ()) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x" * 8_192)
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await asyncio.wait_for(reader.readexactly(1), 5)
        writer.close()
        async with httpx.AsyncClient() as http:
            assert (await http.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200


async def test_the_probe_is_off_by_default() -> None:
    async with serve_probe({}, lambda: ()) as port:
        assert port is None


async def test_a_port_in_use_is_one_sentence() -> None:
    async with serve_probe(ANY_PORT, lambda: ()) as port:
        taken = {**ANY_PORT, "WARMXFER_HEALTH_PORT": str(port)}
        with pytest.raises(InvalidRequest, match=rf"^WARMXFER_HEALTH_PORT is {port}, which cannot be bound"):
            async with serve_probe(taken, lambda: ()):
                raise AssertionError("bound twice")


async def test_the_metrics_are_served_in_the_format_of_prometheus() -> None:
    async with (
        serve_probe(ANY_PORT, lambda: ()) as port,
        httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as http,
    ):
        first, second = await asyncio.gather(http.get("/metrics"), http.get("/metrics?name=x"))
        for response in (first, second):
            assert response.status_code == 200
            assert response.headers["content-type"].startswith("text/plain; version=")
            names = {family.name for family in text_string_to_metric_families(response.text)}
            assert {"warmxfer_loop_lag_seconds", "process_cpu_seconds"} <= names


async def test_a_blocked_event_loop_is_seen_as_lag() -> None:
    blocked_s = 0.3
    before = LOOP_LAG.total()
    async with serve_probe(ANY_PORT, lambda: ()):
        await asyncio.sleep(loop_lag.EVERY_S - blocked_s / 2)
        time.sleep(blocked_s)  # noqa: ASYNC251
        await waiting.until(lambda: LOOP_LAG.total() - before > blocked_s / 4, within_s=5)
    count = LOOP_LAG.count()
    await asyncio.sleep(loop_lag.EVERY_S * 1.2)
    assert LOOP_LAG.count() == count


async def test_the_probe_has_a_limited_number_of_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before, each half request held a task, without a limit on their number."""
    monkeypatch.setattr(health_probe, "MAX_CONNECTIONS", 3)
    async with serve_probe(ANY_PORT, lambda: ()) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(3)]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(health_probe.REQUEST_TIMEOUT_S):
            assert await reader.read(100) == b""
        for _, each in (*held, (reader, writer)):
            each.close()
        async with httpx.AsyncClient() as http, asyncio.timeout(20.0):
            while not await is_answered(http, port):
                await asyncio.sleep(0.02)


async def is_answered(http: httpx.AsyncClient, port: int) -> bool:
    """Return whether the probe answers 200."""
    try:
        return (await http.get(f"http://127.0.0.1:{port}/healthz")).status_code == 200
    except httpx.TransportError:
        return False
