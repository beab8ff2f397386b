"""The tests' broker runs in a container if an engine replies. A missing engine is known at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from warmxfer.bus import Bus, BusSettings

from .broker import ENGINE_TIMEOUT_S, broker, kind_of_broker


class _Engine(BaseHTTPRequestHandler):
    """As much of a container engine as shows that it exists."""

    def do_GET(self) -> None:
        known = {"/_ping": b"OK", "/version": b'{"ApiVersion": "1.45"}'}
        body = next((reply for path, reply in known.items() if self.path.endswith(path)), None)
        self.send_response(200 if body else 404)
        body = body or b'{"message": "no such image"}'
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, format: str, *args: object) -> None:
        pass


@pytest.fixture
def engine() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Engine)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"tcp://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_container_engine_that_replies_is_used(engine: str) -> None:
    assert kind_of_broker({"DOCKER_HOST": engine}) == "container"


def test_without_an_engine_the_embedded_binary_is_chosen_at_once() -> None:
    began = time.monotonic()
    assert kind_of_broker({"DOCKER_HOST": "tcp://127.0.0.1:1"}) == "embedded"
    assert time.monotonic() - began < 3 * ENGINE_TIMEOUT_S


async def test_an_engine_without_the_image_falls_back_to_the_embedded_binary(
    engine: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DOCKER_HOST", engine)
    with pytest.warns(UserWarning, match="does not run here, so nats is embedded"):
        async with (
            broker({"DOCKER_HOST": engine}) as url,
            await Bus.connect(BusSettings(url=url), name="test") as bus,
        ):
            assert bus.connected


def test_environment_variables_override_the_choice(engine: str) -> None:
    assert kind_of_broker({"DOCKER_HOST": engine, "WARMXFER_TEST_NATS": "embedded"}) == "embedded"
    assert (
        kind_of_broker({"DOCKER_HOST": "tcp://127.0.0.1:1", "WARMXFER_TEST_NATS": "container"}) == "container"
    )
    given = {"DOCKER_HOST": engine, "WARMXFER_TEST_NATS": "container", "NATS_URL": "nats://127.0.0.1:1"}
    assert kind_of_broker(given) == "given"


def test_an_invalid_choice_is_named() -> None:
    with pytest.raises(pytest.UsageError, match="WARMXFER_TEST_NATS is 'yes'; use container or embedded"):
        kind_of_broker({"WARMXFER_TEST_NATS": "yes"})
