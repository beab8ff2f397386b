"""Messages that a client can read.

The others are skipped, so that one of them cannot break a reader of all transfers. They come from a newer
version, from a foreign publisher, or reply to a request with an invalid id.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

import structlog

from warmxfer.bus import InvalidRequest, LiveMessage, Stored, subjects
from warmxfer.schemas import DecodeError

M = TypeVar("M")

log = structlog.get_logger(__name__)


def decode_readable(message: Stored | LiveMessage, decode: Callable[[bytes], M]) -> M | None:
    """Return the decoded `message`, or None if its id or its body cannot be read."""
    try:
        subjects.parse(message.subject)
        return decode(message.data)
    except (InvalidRequest, DecodeError) as error:
        log.warning("message_not_decoded", decoder=decode.__name__, error=str(error))
        return None
