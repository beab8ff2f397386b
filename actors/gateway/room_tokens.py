"""Room tokens on request: only the gateway holds the provider's secret.

A token admits one participant to one room and expires after minutes. It is never stored and never logged.

Two kinds of participants get one:

- The briefing agent of a live transfer, in the consultation room that the log of this transfer names. A
  briefing worker asks on `warmxfer.ask.token`, a session that briefs by itself on its own subject.
- The AI session itself, in the room that its own subject `warmxfer.ask.token.<session>` names. The broker's
  permissions say which session may use which subject.

Test: `tests/actors/gateway/test_room_tokens.py`.
"""

from __future__ import annotations

import re

import structlog

from warmxfer.adapters.telephony import Provider
from warmxfer.bus import Bus, LiveMessage, Responder, RetryableError, subjects
from warmxfer.schemas import (
    DecodeError,
    InvalidRequest,
    RoomToken,
    RoomTokenQuery,
    decode_as,
    encode,
    participant_ids,
)

from ..common.log_check import LogCheck
from ..common.log_record import LogRecord

QUEUE = "gateway"
_ID = re.compile(r"[A-Za-z0-9_.:@+-]{1,128}", re.ASCII)
NO_SEAT = "No live transfer needs this participant in this room; a token is issued for its own agent only"

log = structlog.get_logger(__name__)


def serve_room_tokens(bus: Bus, provider: Provider, check: LogCheck) -> tuple[Responder, Responder]:
    """Return the contexts that reply to room token queries; one gateway replies to each query."""

    async def reply(message: LiveMessage) -> bytes:
        query = _read_query(message.data)
        session = subjects.session_of_token_query(message.subject)
        if not _is_own_agent(query, session):
            await _check_consultation(check, query, session)
        token = provider.mint_token(query.room_id, query.participant_id)
        log.info("room_token_issued", room_id=query.room_id, participant_id=query.participant_id)
        return encode(RoomToken(token=token, signaling_url=provider.signaling_url))

    return (
        bus.serve(subjects.ASK_ROOM_TOKEN, reply, queue=QUEUE),
        bus.serve(subjects.ANY_SESSION_TOKEN, reply, queue=QUEUE),
    )


def _is_own_agent(query: RoomTokenQuery, session: str | None) -> bool:
    """Return whether a session asks for the participant id of its AI in its own room."""
    return session == query.room_id and query.participant_id == participant_ids.session_agent(query.room_id)


async def _check_consultation(check: LogCheck, query: RoomTokenQuery, session: str | None) -> None:
    """Raise `InvalidRequest` unless a live transfer wants its agent in this room.

    Raises `RetryableError` if the log does not say: the agent asks again.
    """
    agent = participant_ids.parse(query.participant_id)
    if agent is None or agent.role != "agent":
        raise _refused(query, session)
    kept = check.kept(agent.transfer_id)
    if kept is not None and _wants_agent(kept, query, session):
        return
    record = await check.read(agent.transfer_id)
    if record is None or (record.state.room_id is None and not record.state.ended):
        raise RetryableError("The log of the transfer does not name its room yet")
    if not _wants_agent(record, query, session):
        raise _refused(query, session)


def _wants_agent(record: LogRecord, query: RoomTokenQuery, session: str | None) -> bool:
    state = record.state
    if state.request is None or state.ended or state.room_id != query.room_id:
        return False
    by_session = state.request.config.brief_by == "session"
    return session == (state.request.session_name if by_session else None)


def _refused(query: RoomTokenQuery, session: str | None) -> InvalidRequest:
    log.warning(
        "room_token_refused", room_id=query.room_id, participant_id=query.participant_id, session=session
    )
    return InvalidRequest(NO_SEAT, field="participant_id")


def _read_query(data: bytes) -> RoomTokenQuery:
    try:
        query = decode_as(RoomTokenQuery, data)
    except DecodeError as error:
        raise InvalidRequest(f"The query is not a room token query ({error})") from error
    for field, value in (("room_id", query.room_id), ("participant_id", query.participant_id)):
        if _ID.fullmatch(value) is None:
            raise InvalidRequest(f"{field} is not a {field[:-3]} id; use 1 to 128 of A-Z a-z 0-9 _ . : @ + -")
    return query
