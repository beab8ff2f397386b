"""Free ports are different, can be bound, and are never given to an outgoing connection."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from warmxfer.bus import free_ports as module
from warmxfer.bus.errors import RetryableError
from warmxfer.bus.free_ports import free_ports


def test_free_ports_differ_and_can_be_bound() -> None:
    ports = free_ports(20)
    assert len(set(ports)) == 20
    for port in ports:
        with socket.socket() as server:
            server.bind(("127.0.0.1", port))


def test_no_free_port_is_given_to_an_outgoing_connection(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Regression: a connection took the port of a nats-server that had not started yet."""
    limits = tmp_path / "range"
    limits.write_text("20100\t60999\n")
    monkeypatch.setattr(module, "_OUTGOING", limits)
    assert max(free_ports(50)) < 20_100


def test_a_port_that_is_taken_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", free_ports(1)[0]))
        port = taken.getsockname()[1]
        (limits := tmp_path / "range").write_text(f"{port + 1} 60999")
        monkeypatch.setattr(module, "_OUTGOING", limits)
        monkeypatch.setattr(module, "_FIRST", port)
        with pytest.raises(RetryableError, match=r"^No 1 free ports of 127.0.0.1 were found in 1000 tries$"):
            free_ports(1)
