"""Bytes to messages and back: JSON that a person can read with `nats sub`.

Requests of users are read strictly (`validation.py`). Messages of warmxfer are read leniently (`lenient.py`),
so that an older version reads what a newer one writes:

- Unknown fields are ignored in every message.
- Unknown words of enums and literals are kept in events, phases and results, where they only inform. In a
  command they would change an effect, so such a command is left to a newer version.
- A value out of range is rejected in every message.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, TypeVar, get_args

import msgspec

from .commands import AnyCommand
from .errors import WarmxferError
from .events import AnyEvent
from .fields import Id, Word
from .lenient import is_word, read_leniently
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


class NewerMessage(DecodeError):
    """A message that this version cannot read, and that a newer version may have written."""


def encode(message: Any) -> bytes:
    """Return `message` as one line of JSON."""
    return _encoder.encode(message)


def _decode(
    decoder: msgspec.json.Decoder[M],
    data: bytes,
    *,
    words: bool = False,
    max_bytes: int = MAX_MESSAGE_BYTES,
) -> M:
    if len(data) > max_bytes:
        raise DecodeError(f"message of {len(data)} bytes is larger than {max_bytes}")
    try:
        return decoder.decode(data)
    except msgspec.ValidationError as error:
        try:
            return read_leniently(msgspec.json.decode(data), decoder.type, words=words)
        except msgspec.ValidationError:
            raise _decode_error(error) from error
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as unread:
            raise _decode_error(unread) from unread
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _decode_error(error) from error


def _decode_error(error: Exception) -> DecodeError:
    return DecodeError(_QUOTED_INPUT.sub("…", str(error)))


class _Envelope(msgspec.Struct):
    """The fields of every command. A command that is not decoded is answered by its `command_id`."""

    type: Word
    command_id: Id
    deadline_at: float


class _Typed(msgspec.Struct):
    type: Word


class _OfTransfer(msgspec.Struct):
    transfer_id: Id


_envelope = msgspec.json.Decoder(_Envelope)
_typed = msgspec.json.Decoder(_Typed)
_of_transfer = msgspec.json.Decoder(_OfTransfer)
_EVENT_TYPES = frozenset(str(each.__struct_config__.tag) for each in get_args(AnyEvent))


def decode_command(data: bytes) -> AnyCommand:
    """Return the command in `data`.

    Raises NewerMessage if only the fields of every command can be read, else DecodeError.
    """
    try:
        return _decode(_command, data)
    except DecodeError as error:
        if undecoded_command_id(data) is None:
            raise
        raise NewerMessage(str(error)) from error


def undecoded_command_id(data: bytes) -> str | None:
    """Return the `command_id` of a command that this version may be unable to read, or None."""
    try:
        envelope = _decode(_envelope, data)
    except DecodeError:
        return None
    return envelope.command_id if is_word(envelope.type) else None


def undecoded_transfer_id(data: bytes) -> str | None:
    """Return the `transfer_id` of a command that this version may be unable to read, or None."""
    try:
        return _decode(_of_transfer, data).transfer_id
    except DecodeError:
        return None


def decode_event(data: bytes) -> AnyEvent:
    """Return the event in `data`. Raises NewerMessage if its type is unknown, else DecodeError."""
    try:
        return _decode(_event, data, words=True)
    except DecodeError as error:
        try:
            type = _decode(_typed, data).type
        except DecodeError:
            raise error from None
        if not is_word(type) or type in _EVENT_TYPES:
            raise
        raise NewerMessage(str(error)) from error


def decode_phase(data: bytes) -> PhaseChanged:
    """Return the phase in `data`. It may be a phase of a newer version. Raises DecodeError."""
    return _decode(_phase, data, words=True)


def decode_result(data: bytes) -> WarmTransferResult:
    """Return the result in `data`. Its outcome may be one of a newer version. Raises DecodeError."""
    return _decode(_result, data, words=True)


def decode_notice(data: bytes) -> TransferNotice:
    """Return the notice in `data`. Its kind may be one of a newer version. Raises DecodeError."""
    return _decode(_notice, data, words=True)


def decode_as(kind: type[M], data: bytes, *, max_bytes: int = MAX_MESSAGE_BYTES) -> M:
    """Return the struct `kind` (a query, a reply) in `data`. Raises DecodeError."""
    return _decode(_decoder_of(kind), data, max_bytes=max_bytes)


@cache
def _decoder_of(kind: type[M]) -> msgspec.json.Decoder[M]:
    return msgspec.json.Decoder(kind)
