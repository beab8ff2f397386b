"""The header block of a message, beside what nats-py reads in it."""

from __future__ import annotations

import pytest

from warmxfer.bus.message_headers import header_block, parse_headers
from warmxfer.bus.nats_client import NatsClient


@pytest.mark.parametrize(
    ("block", "headers"),
    [
        (b"NATS/1.0\r\n\r\n", {}),
        (b"NATS/1.0\r\nA: b\r\nC:d\r\nE:  f \r\n\r\n", {"A": "b", "C": "d", "E": "f"}),
        (b"NATS/1.0 503\r\n\r\n", {"Status": "503"}),
        (b"NATS/1.0 404 No Messages\r\n\r\n", {"Status": "404", "Description": "No Messages"}),
        (
            b"NATS/1.0 100 Idle Heartbeat\r\nNats-Last-Stream: 7\r\n\r\n",
            {"Status": "100", "Description": "Idle Heartbeat", "Nats-Last-Stream": "7"},
        ),
        (b"NATS/1.0\r\nno header\r\nA: \xff:b\r\n\r\n", {"A": "\ufffd:b"}),
        (b"", {}),
    ],
)
async def test_headers_are_read_as_nats_py_reads_them(block: bytes, headers: dict[str, str]) -> None:
    assert parse_headers(block) == headers
    if block:
        assert (await NatsClient()._process_headers(block) or {}) == headers


def test_headers_are_read_as_they_were_written() -> None:
    headers = {"Nats-Msg-Id": "x1:1:0", "Note": "a: b"}
    assert parse_headers(header_block(headers).encode()) == headers


@pytest.mark.parametrize("value", ["a\r\nEvil: yes", "a\nEvil: yes", "a\rEvil: yes"])
def test_a_line_break_in_a_value_makes_no_header(value: str) -> None:
    written = header_block({"Note": value, "Key": "k"})
    assert parse_headers(written.encode()) == {"Note": "a Evil: yes", "Key": "k"}
