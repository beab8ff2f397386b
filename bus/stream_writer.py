"""Writes to the stream: sent at least once, stored once, or rejected with a typed error.

Every message has a unique message id, so the broker drops a repeat within 120 seconds. If the acknowledgement
is lost, the outcome of the write is unknown. The write is then repeated with the same id and the same
expected sequence number. If the broker now reports another last message, the one message after the expected
number decides: it is our own message (done) or another writer's (`StaleWrite`). Two writers may use one
id for different messages, so the id and the data decide together.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import msgspec
import structlog

from warmxfer import tracing
from warmxfer.schemas.fields import LongText

from .connection import Connection, has_no_responders
from .errors import AccessDenied, InternalError, InvalidRequest, StaleWrite, Unavailable
from .messages import MSG_ID, Outgoing
from .nats_client import ArrivedMessage
from .reply_inbox import ConnectionLost, PendingReply
from .retry import RetryLoop
from .stream import MAX_MESSAGE_BYTES
from .stream_reader import get_by_number, get_first_after, get_last
from .subjects import place_of

MAX_IN_FLIGHT_WRITES = 1_000

_EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_WRONG_LAST = (10071, 10164)
_TOO_LARGE = 10054
_NO_SPACE = (10002, 10023, 10047, 10077)
"""Error codes for a full account, server or disk. Space becomes free again, and the message was valid."""
_TRY_AGAIN = (10008, 10009, 10158, 10167, *_NO_SPACE)


class _Failure(msgspec.Struct):
    """The error in an acknowledgement."""

    code: int = 0
    err_code: int = 0
    description: LongText = ""


class _Acknowledgement(msgspec.Struct):
    """The broker's answer to a write. Other fields are skipped, so no tree of objects is built."""

    seq: int = 0
    duplicate: bool = False
    error: _Failure | None = None


log = structlog.get_logger(__name__)
_decode_acknowledgement = msgspec.json.Decoder(_Acknowledgement).decode


class _NotStored(Exception):
    """The broker cannot store a message now. Nothing was stored; try again. `why`: for the error."""

    def __init__(self, why: str | Unavailable) -> None:
        super().__init__(str(why))
        self.why = why


async def publish(
    connection: Connection, message: Outgoing, expect_last: int | None, deadline_s: float
) -> int:
    """Store one message and return its number; see `Bus.publish`."""
    headers = _headers(message)
    if expect_last is not None:
        headers[_EXPECTED] = str(expect_last)
    retry = RetryLoop(connection, deadline_s)
    outcome_unknown = False
    while True:
        timeout_s = retry.attempt_s or await retry.next_attempt()
        try:
            reply = await connection.inbox.call(message.subject, message.data, headers, timeout_s)
            seq, duplicate = _stored(connection, reply, message.subject)
            if duplicate and expect_last is not None:
                await _check_duplicate(connection, message, seq, retry.remaining_s)
            elif duplicate and not await _is_own(connection, message, seq, retry.remaining_s):
                log.warning("message_id_taken", subject=message.subject)
                headers[MSG_ID] = f"{headers[MSG_ID]}.{secrets.token_hex(8)}"
                continue
            return seq
        except (TimeoutError, ConnectionLost) as error:
            outcome_unknown = True
            why: str | Unavailable = str(error) or "timeout"
        except _NotStored as error:
            why = error.why
        except StaleWrite:
            if not outcome_unknown or expect_last is None:
                raise
            try:
                winner = await get_first_after(connection, message.subject, expect_last, retry.remaining_s)
            except AccessDenied:
                winner = await get_last(connection, message.subject, retry.remaining_s)
            if winner is not None:
                if winner.msg_id == headers[MSG_ID] and winner.data == message.data:
                    return winner.seq
                raise
            # The replica that answered is behind the leader that rejected the write: read again.
            why = "a replica is behind"
        await retry.back_off(why)


async def publish_all(connection: Connection, messages: Sequence[Outgoing], deadline_s: float) -> list[int]:
    """Store many messages, all sent before the first reply is awaited; see `Bus.publish_all`."""
    if len(messages) > MAX_IN_FLIGHT_WRITES:
        raise InternalError(
            f"{len(messages)} messages at once; publish at most {MAX_IN_FLIGHT_WRITES} together"
        )
    retry = RetryLoop(connection, deadline_s)
    frames = [(message, _headers(message)) for message in messages]
    numbers: dict[int, int] = {}
    while len(numbers) < len(frames):
        timeout_s = retry.attempt_s or await retry.next_attempt()
        missing = [index for index in range(len(frames)) if index not in numbers]
        why = await _write_round(connection, frames, missing, numbers, timeout_s)
        if len(numbers) < len(frames):
            await retry.back_off(why)
    return [numbers[index] for index in range(len(frames))]


async def _write_round(
    connection: Connection,
    frames: Sequence[tuple[Outgoing, dict[str, str]]],
    missing: Sequence[int],
    numbers: dict[int, int],
    timeout_s: float,
) -> str | Unavailable:
    """Send the `missing` messages and add the numbers of those stored. Returns why the rest was not."""
    why: str | Unavailable = ""
    inbox = connection.inbox
    pending: dict[int, PendingReply] = {}
    try:
        try:
            for index in missing:
                message, headers = frames[index]
                pending[index] = inbox.send(message.subject, message.data, headers)
                if inbox.is_full:
                    await inbox.wait_until_sent()
        except ConnectionLost as error:
            why = str(error)
        inbox.end_within(pending.values(), timeout_s)
        rejection: Exception | None = None
        for index, reply in pending.items():
            try:
                numbers[index], _ = _stored(connection, await reply.future, frames[index][0].subject)
            except (TimeoutError, ConnectionLost) as error:
                why = str(error) or "timeout"
            except _NotStored as error:
                why = error.why
            except (InvalidRequest, InternalError, StaleWrite) as error:
                rejection = rejection or error
    finally:
        for reply in pending.values():
            inbox.drop(reply)
    if rejection is not None:
        raise rejection
    return why


def _headers(message: Outgoing) -> dict[str, str]:
    headers = dict(message.headers) if message.headers else {}
    headers[MSG_ID] = message.msg_id or secrets.token_hex(12)
    if tracing.HEADER not in headers and (trace := tracing.header()) is not None:
        headers[tracing.HEADER] = trace
    return headers


async def _is_own(connection: Connection, message: Outgoing, seq: int, deadline_s: float) -> bool:
    """Return whether message `seq`, which the broker takes for a repeat, is on the subject of `message`.

    Message ids are unique in a whole stream, and several users write some streams. One that uses another's id
    first would swallow its message. If that cannot be excluded, the message is stored once more: whatever
    reads events, requests or dead letters expects a repeat.
    """
    stream, stored_as = place_of(message.subject)
    newest = await get_last(connection, message.subject, deadline_s)
    if newest is None or newest.seq <= seq:
        return newest is not None and newest.seq == seq
    try:
        first = await get_by_number(connection, stream, seq, deadline_s)
    except AccessDenied:
        return False  # This user reads only the newest message of its subject.
    return first is not None and first.subject == stored_as


async def _check_duplicate(connection: Connection, message: Outgoing, seq: int, deadline_s: float) -> None:
    """Check that the message stored under our id is ours.

    Raises `InternalError` if the id was used on another subject: our record would be lost. Raises
    `StaleWrite` if another message was stored under the same id. Message ids are unique in a whole stream.
    A cluster checks the id before the expected number. The slower of two writers therefore gets a duplicate
    reply, not a rejection.
    """
    retry = RetryLoop(connection, deadline_s)
    stream, stored_as = place_of(message.subject)
    while True:
        try:
            first = await get_by_number(connection, stream, seq, retry.remaining_s)
        except AccessDenied:
            first = await get_last(connection, message.subject, retry.remaining_s)
        if first is not None:
            break
        await retry.back_off("a replica is behind")
    if first.subject != stored_as:
        raise InternalError(
            f"msg_id {message.msg_id!r} of {message.subject} was used on {first.subject} before"
        )
    if first.data != message.data:
        raise StaleWrite(
            f"Another message was stored on {message.subject} under this id; load again, decide again"
        )


def _stored(connection: Connection, reply: ArrivedMessage, subject: str) -> tuple[int, bool]:
    """Return the number under which the broker stored a message, and whether it was a duplicate."""
    if has_no_responders(reply):
        raise _NotStored(connection.stream_silent(_stream_of(subject), f"stores {subject}"))
    answer = _decode_acknowledgement(reply.data)
    failure = answer.error
    if failure is None:
        if answer.seq == 0:
            raise InternalError(f"The broker acknowledged a message for {subject} without its number")
        return answer.seq, answer.duplicate
    code, description = failure.err_code, failure.description
    if code in _WRONG_LAST:
        raise StaleWrite(f"Another writer was first on {subject} ({description}); load again, decide again")
    if code == _TOO_LARGE:
        raise InvalidRequest(
            f"A message for {subject} is too large; the stream takes {MAX_MESSAGE_BYTES} bytes"
        )
    if code in _TRY_AGAIN or failure.code == 503:
        raise _NotStored(description)
    raise InternalError(f"The broker refused a message for {subject}: {description} ({code})")


def _stream_of(subject: str) -> str:
    """Return the stream that should store `subject`, for the text of an error."""
    try:
        return place_of(subject).stream
    except InvalidRequest:
        return "its stream"
