"""Which streams can be read in the files of a nats-server: those that it does not encrypt.

A server keeps a stream in `<store_dir>/jetstream/<account>/streams/<stream>`. If it encrypts the stream, the
key of its metadata is there too. What it stored before it got a key stays readable. No server tells a client.

Tests: `tests/bus/test_store_files.py`, and with a running server `tests/cli/local_stack/test_stack.py`.
"""

from __future__ import annotations

from pathlib import Path

from .errors import InvalidRequest
from .subject_table import INTERNAL_ROOT, ROOT, STREAMS

META, META_KEY = "meta.inf", "meta.key"
BLOCKS = "msgs/*.blk"
SUBJECT_AT = 22
"""Bytes of a stored message before its subject: length, number, time, and length of the subject."""
SUBJECTS_BEGIN = tuple(f"{root}.".encode() for root in (INTERNAL_ROOT, ROOT))
MAX_BLOCKS = 100_000


def readable_streams(store_dir: Path) -> tuple[str, ...]:
    """Return the streams of warmxfer under `store_dir` that are not encrypted in part, by account and name.

    Raises InvalidRequest if there is none of warmxfer that this user may read.
    """
    places = (f"jetstream/*/streams/{name}/{META}" for name in STREAMS)
    streams = [path.parent for place in places for path in store_dir.glob(place)]
    if not streams:
        raise InvalidRequest(
            f"WARMXFER_STORE_DIR is {str(store_dir)!r}, where this user finds no stream of warmxfer; give "
            "the store_dir of the broker's block jetstream, and run this as a user who may read it",
            field="WARMXFER_STORE_DIR",
        )
    found = [path for path in streams if not (path / META_KEY).exists() or _has_readable_block(path)]
    return tuple(sorted(f"{path.parent.parent.name}/{path.name}" for path in found))


def _has_readable_block(stream: Path) -> bool:
    """Return whether the first message of a block is stored as it is."""
    for number, block in enumerate(stream.glob(BLOCKS)):
        try:
            with block.open("rb") as file:
                head = file.read(SUBJECT_AT + max(map(len, SUBJECTS_BEGIN)))
        except FileNotFoundError:
            continue  # The server has just removed it.
        if head[SUBJECT_AT:].startswith(SUBJECTS_BEGIN):
            return True
        if number >= MAX_BLOCKS:
            break
    return False
