"""The archived record: a log in one message, compressed, and read again."""

from __future__ import annotations

import random
import string
import time
import zlib

import pytest

from warmxfer.bus import Bus, InternalError, Stored, subjects
from warmxfer.bus.archive import ArchivedLog, archived_success, compact, line_of, log_of, pack


def record(number: int, request: bytes, text: str) -> Stored:
    data = b'{"state":{"request":%s,"n":%d},"event":{"text":"%s"}}' % (request, number, text.encode())
    return Stored("wx.0.t.log", number, float(number), data, {"Nats-Msg-Id": f"t:{number}"})


def test_a_log_is_archived_bit_for_bit_also_if_a_record_cannot_be_read() -> None:
    records = [record(n, b'{"room":"r"}', "x") for n in range(1, 9)]
    records.append(Stored("wx.0.t.log", 9, 9.0, b"\x00not json\xff", {}))
    compacted, left_out = compact("t", b"{}", records, [b"dead"])
    log = log_of(pack(b"{}", compacted))
    assert [(each.data, each.seq, each.at, each.msg_id) for each in log.stored_records()] == [
        (each.data, each.seq, each.at, each.msg_id) for each in records
    ]
    assert (left_out, log.dead_letters, log.request) == (0, [b"dead"], b"{}")
    assert line_of(pack(b"{}", compacted)) == b"{}"


def noise(seed: int, length: int) -> str:
    """Return text that cannot be compressed to less than two thirds."""
    return "".join(random.Random(seed).choices(string.ascii_letters, k=length))


def test_the_largest_request_is_stored_once_in_a_long_log() -> None:
    request = b'"%s"' % noise(0, 60_000).encode()
    records = [record(n, request, noise(n, 20)) for n in range(1, 301)]
    compacted, left_out = compact("t", request, records, [])
    assert left_out == 0
    assert len(log_of(pack(b"{}", compacted)).stored_records()) == 300


def test_a_log_that_is_too_large_loses_records_in_its_middle() -> None:
    records = [record(n, b"null", noise(n, 2_000)) for n in range(1, 1_001)]
    began_at = time.process_time()
    compacted, left_out = compact("t", b"{}", records, [])
    assert time.process_time() - began_at < 5.0
    kept = [each.seq for each in log_of(pack(b"{}", compacted)).stored_records()]
    assert left_out == 1_000 - len(kept) > 0
    assert kept == [1, *range(1_002 - len(kept), 1_001)]
    assert len(compacted) <= 120 * 1024


def test_a_bomb_in_the_archive_is_not_decompressed() -> None:
    with pytest.raises(InternalError, match="cannot be read"):
        log_of(pack(b"{}", zlib.compress(b"\x00" * 50_000_000)))


def test_an_empty_log_is_archived() -> None:
    compacted, left_out = compact("t", b"", [], [])
    assert log_of(pack(b"{}", compacted)) == ArchivedLog(id="t", request=b"")
    assert left_out == 0


async def test_an_archived_record_that_cannot_be_read_counts_as_a_success(fresh_bus: Bus) -> None:
    """The gateway ends no leg of it: a caller may talk there."""
    assert not await archived_success(fresh_bus, "t-1")
    await fresh_bus.publish(subjects.archived("t-1"), b"not a record\n")
    assert await archived_success(fresh_bus, "t-1")
