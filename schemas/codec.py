"""Bytes to messages and back: JSON that a person can read with `nats sub`.

Requests of users are read strictly (`validation.py`). Messages between actors are read tolerantly, so that an
older actor accepts the additional fields of a newer one.
"""

from __future__ import annotations

import re
from typing import Any, TypeVar

import msgspec

from .commands import AnyCommand
from .errors import WarmxferError
from .events import AnyEvent
from .transfer import PhaseChanged, TransferNotice, WarmTransferResult

MAX_MESSAGE_BYTES = 64 * 1024

M = TypeVar("M")

_QUOTED_INPUT = re.compile(
    r"(?<=[Ii]nvalid value )'.*'|(?<=enum value )'.*'|(?<=unknown field )`.*`(?= - at|$)", re.S
)
"""The places where msgspec quotes its input."""

_encoder = msgspec.json.Encoder()
_command = msgspec.json.Decoder(AnyCommand)
_event = msgspec.json.Decoder(AnyEvent)
_phase = msgspec.json.Decoder(PhaseChanged)
_result = msgspec.json.Decoder(WarmTransferResult)
_notice = msgspec.json.Decoder(TransferNotice)


class DecodeError(WarmxferError):
    """Bytes that are not a message of ours. The text says what was expected and never quotes the input."""


def encode(message: Any) -> bytes:
    """Return `message` as one line of JSON."""
    return _encoder.encode(message)


def _decode(decoder: msgspec.json.Decoder[M], data: bytes) -> M:
    if len(data) > MAX_MESSAGE_BYTES:
        raise DecodeError(f"message of {len(data)} bytes is larger than {MAX_MESSAGE_BYTES}")
    try:
        return decoder.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise DecodeError(_QUOTED_INPUT.sub("…", str(error))) from error


def decode_command(data: bytes) -> AnyCommand:
    """Return the command in `data`. Raises DecodeError."""
    return _decode(_command, data)


def decode_event(data: bytes) -> AnyEvent:
    """Return the event in `data`. Raises DecodeError."""
    return _decode(_event, data)


def decode_phase(data: bytes) -> PhaseChanged:
    """Return the phase in `data`. Raises DecodeError."""
    return _decode(_phase, data)


def decode_result(data: bytes) -> WarmTransferResult:
    """Return the result in `data`. Raises DecodeError."""
    return _decode(_result, data)


def decode_notice(data: bytes) -> TransferNotice:
    """Return the notice in `data`. Raises DecodeError."""
    return _decode(_notice, data)


def decode_as(kind: type[M], data: bytes) -> M:
    """Return the struct `kind` (a query, a reply) in `data`. Raises DecodeError."""
    return _decode(msgspec.json.Decoder(kind), data)
