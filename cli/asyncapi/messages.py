"""Which messages each row of the subject table carries, and which messages reply to it."""

from __future__ import annotations

from typing import Any, NamedTuple, get_args

from msgspec import Struct

from warmxfer.actors.common.capacity import RoleCapacity
from warmxfer.actors.coordinator.caller_lock import CallerLock
from warmxfer.actors.coordinator.partition_sharing import CoordinatorPresence
from warmxfer.actors.coordinator.state_machine.record import StoredRecord
from warmxfer.actors.gateway.at_most_once import ClaimRecord, EffectEnd
from warmxfer.actors.gateway.dial_limits import DialCount, PendingCalls
from warmxfer.bus.dead_letters import DeadLetterBody
from warmxfer.schemas import (
    AnyEvent,
    CancelRequest,
    CancelRequested,
    DeadlinePassed,
    EraseQuery,
    EraseReply,
    History,
    HistoryQuery,
    LivenessQuery,
    LivenessReply,
    PhaseChanged,
    ReplayQuery,
    ReplayReply,
    RoomToken,
    RoomTokenQuery,
    SessionSummary,
    SummaryQuery,
    ToBriefing,
    ToConsult,
    ToGateway,
    ToPrimary,
    ToSummarizer,
    TransferBroken,
    TransferNotice,
    TransferRefused,
    TransferRequested,
    WarmTransferRequest,
    WarmTransferResult,
)
from warmxfer.schemas.api import (
    CancelQuery,
    CancelReply,
    ListQuery,
    ListReply,
    StartQuery,
    StartReply,
    TransferQuery,
    TransferStatus,
    ValidateReply,
)
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.report import TransferReport
from warmxfer.schemas.timeline import DeadLettersQuery, DeadLettersReply, TransferOutline, TransferTimeline

Kind = type[Struct]

MADE_BY_THE_COORDINATOR = (
    TransferRequested,
    TransferRefused,
    CancelRequested,
    TransferBroken,
    DeadlinePassed,
)
"""Events that no actor publishes. The coordinator makes them from a request, a cancel or a timer."""


class Carried(NamedTuple):
    """The messages of one subject. `reply`: what answers, if the subject is a query."""

    kinds: tuple[Kind, ...]
    reply: Kind | None = None


def _of(*kinds: Any, reply: Kind | None = None) -> Carried:
    """Return the structs of `kinds`; a union stands for its members."""
    return Carried(tuple(each for kind in kinds for each in get_args(kind) or (kind,)), reply)


CARRIED: dict[str, Carried] = {
    "request": _of(WarmTransferRequest),
    "cancel": _of(CancelRequest),
    "event": _of(*(each for each in get_args(AnyEvent) if each not in MADE_BY_THE_COORDINATOR)),
    "intent": _of(ClaimRecord, EffectEnd),
    "dial.count": _of(DialCount, PendingCalls),
    "dead": _of(DeadLetterBody),
    "phase": _of(PhaseChanged),
    "result": _of(WarmTransferResult),
    "notice": _of(TransferNotice),
    "log": _of(StoredRecord),
    "timer": _of(DeadlinePassed),
    "timeout": _of(DeadlinePassed),
    "do.summarizer": _of(ToSummarizer),
    "do.gateway": _of(ToGateway),
    "do.briefing": _of(ToBriefing),
    "do.consult": _of(ToConsult),
    "session.primary": _of(ToPrimary),
    "session.briefing": _of(ToBriefing),
    "session.lock": _of(CallerLock),
    "archive": _of(ArchivedTransfer),
    "ask.history": _of(HistoryQuery, reply=History),
    "ask.summary": _of(SummaryQuery, reply=SessionSummary),
    "ask.token": _of(RoomTokenQuery, reply=RoomToken),
    "ask.token.session": _of(RoomTokenQuery, reply=RoomToken),
    "ask.pulse": _of(LivenessQuery, reply=LivenessReply),
    "ask.erase": _of(EraseQuery, reply=EraseReply),
    "ask.replay": _of(ReplayQuery, reply=ReplayReply),
    "api.validate": _of(WarmTransferRequest, reply=ValidateReply),
    "api.start": _of(StartQuery, reply=StartReply),
    "api.status": _of(TransferQuery, reply=TransferStatus),
    "api.list": _of(ListQuery, reply=ListReply),
    "api.cancel": _of(CancelQuery, reply=CancelReply),
    "api.report": _of(TransferQuery, reply=TransferReport),
    "api.outline": _of(TransferQuery, reply=TransferOutline),
    "api.timeline": _of(TransferQuery, reply=TransferTimeline),
    "api.dead_letters": _of(DeadLettersQuery, reply=DeadLettersReply),
    "presence": _of(CoordinatorPresence),
    "capacity": _of(RoleCapacity),
}
"""By the name of the row in `bus/subject_table.py`."""


def kinds_by_name() -> dict[str, Kind]:
    """Return every message that a subject carries, and every reply, by the name of its struct."""
    replies = (each.reply for each in CARRIED.values() if each.reply is not None)
    kinds = (kind for each in CARRIED.values() for kind in each.kinds)
    return {kind.__name__: kind for kind in (*kinds, *replies)}


EXAMPLES: dict[Kind, dict[str, Any]] = {
    WarmTransferRequest: {
        "room_id": "m9wk-4tzs-c2ha",
        "config": {
            "destination": {
                "routing_rule_id": "rule-outbound-us",
                "sip_call_to": "+14155550101",
                "sip_call_from": "+14155550199",
            }
        },
    },
    CancelRequest: {"reason": "The caller changed their mind."},
}
"""An example of each message that users write."""
