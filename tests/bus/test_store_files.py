"""Which streams are readable in the files of a server, by files as a server leaves them."""

from __future__ import annotations

from pathlib import Path

import pytest

from warmxfer.bus import InvalidRequest
from warmxfer.bus.store_files import META, META_KEY, SUBJECT_AT, readable_streams

ENCRYPTED = bytes(range(200, 200 + SUBJECT_AT)) + b"\xf3\x91\x07"
PLAIN = bytes(SUBJECT_AT) + b"wx.0.t.log"


def stream(store_dir: Path, name: str, *blocks: bytes, key: bool) -> None:
    folder = store_dir / "jetstream" / "$G" / "streams" / name
    (folder / "msgs").mkdir(parents=True)
    (folder / META).touch()
    if key:
        (folder / META_KEY).touch()
    for number, block in enumerate(blocks):
        (folder / "msgs" / f"{number}.blk").write_bytes(block)


def test_a_stream_without_a_key_and_one_with_an_older_block_are_readable(tmp_path: Path) -> None:
    stream(tmp_path, "WARMXFER_IN", key=False)
    stream(tmp_path, "WARMXFER_CORE", ENCRYPTED, PLAIN, key=True)
    stream(tmp_path, "WARMXFER_EVENTS", ENCRYPTED, b"", key=True)
    stream(tmp_path, "ORDERS_OF_ANOTHER_PROGRAM", PLAIN, key=False)
    assert readable_streams(tmp_path) == ("$G/WARMXFER_CORE", "$G/WARMXFER_IN")


def test_a_folder_without_a_stream_is_refused_with_the_remedy(tmp_path: Path) -> None:
    stream(tmp_path, "ORDERS_OF_ANOTHER_PROGRAM", PLAIN, key=False)
    with pytest.raises(InvalidRequest, match="finds no stream of warmxfer; give the store_dir") as refused:
        readable_streams(tmp_path)
    assert refused.value.field == "WARMXFER_STORE_DIR"
