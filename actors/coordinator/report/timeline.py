"""The outline and the timeline of one transfer, from its stored records.

They name messages and never quote them: no number, no transcript, no summary, no word of a person.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, cast

import msgspec
from msgspec import UNSET

from warmxfer.schemas import (
    AudioStreamEnabled,
    CallerCallEnded,
    CallerReleased,
    CommandFailed,
    CommandReply,
    InvalidRequest,
    LegsChecked,
    ParticipantJoined,
    ParticipantLeft,
    SIPDestination,
    SummaryReady,
    SupervisorCallEnded,
    SupervisorReady,
    WarmTransferConfig,
    participant_ids,
)
from warmxfer.schemas.events import LegReport
from warmxfer.schemas.sip_address import masked
from warmxfer.schemas.timeline import (
    MAX_ENTRIES,
    TimeLimits,
    TimelineEntry,
    TransferOutline,
    TransferTimeline,
)

from ..state_machine import (
    Record,
    RecordedEvent,
    Transfer,
    UnreadableRecord,
    decode_record,
    expand,
    plain_record,
    timeouts,
)

SUMMARY_SOURCES = {"model": "by the model", "extract": "by extraction", "static": "a fixed line"}
MAX_WORD_CHARS = 64
"""Of a word of a record that this version cannot read."""


def outline_of_log(id: str, bodies: Sequence[bytes]) -> TransferOutline:
    """Return the outline from the newest of `bodies` that has one; InvalidRequest if none can be read."""
    for body in reversed(bodies):
        if outline := outline_of_record(id, body):
            return outline
    for body in reversed(bodies):
        if record := _read(body):
            return TransferOutline(id=id, started_at=record.state.started_at)
    sentence = f"id is {id!r}, and no record of it can be read; use the version that wrote it"
    raise InvalidRequest(sentence, field="id")


def outline_of_record(id: str, body: bytes) -> TransferOutline | None:
    """Return the outline from one record; None if it has no request, as that of an archived transfer."""
    record = _read(body)
    if record is None or record.state.request is None:
        return None
    state, request = record.state, record.state.request
    destination = request.config.destination
    return TransferOutline(
        id=id,
        started_at=state.started_at,
        room_id=request.room_id,
        session=request.session_name,
        supervisor=destination.participant_display_name,
        destination=_shown(destination),
        limits=_limits(request.config),
    )


def timeline_of_log(id: str, bodies: Sequence[tuple[float, bytes]]) -> TransferTimeline:
    """Return the timeline from the stored records: when each was stored, and its body, oldest first.

    Each transition is an entry.

    A record of another version that cannot be read as a whole is shown as far as its JSON says.
    """
    entries = entries_of_log(bodies)
    left_out = max(0, len(entries) - MAX_ENTRIES)
    half = MAX_ENTRIES // 2
    return TransferTimeline(
        id=id,
        entries=entries if not left_out else [*entries[:half], *entries[-half:]],
        left_out=left_out,
    )


def entries_of_log(bodies: Sequence[tuple[float, bytes]]) -> list[TimelineEntry]:
    """Return one entry for each transition of a log, as `timeline_of_log` shows them."""
    entries: list[TimelineEntry] = []
    before: Transfer | None = None
    for stored_at, body in bodies:
        record = _read(body)
        if record is None or not record.also:
            entries.append(timeline_entry(stored_at, body))
        else:
            entries += _entries_of(body, before, record)
        before = None if record is None else record.state
    return entries


def timeline_entry(stored_at: float, body: bytes) -> TimelineEntry:
    """Return a record of one transition as an entry.

    `stored_at` counts if the record does not say when it was caused.
    """
    raw, record = plain_record(body), _read(body)
    at = raw.get("at")
    return _entry(
        float(at) if isinstance(at, int | float) else stored_at,
        raw.get("event"),
        _object(raw.get("state")).get("stage"),
        raw.get("outbox"),
        "" if record is None else _note(record),
    )


def _entries_of(body: bytes, before: Transfer | None, record: Record) -> list[TimelineEntry]:
    """Return the entries of a record of several transitions, with the words that it has on the wire."""
    raw = plain_record(body)
    events = [raw.get("event"), *(_object(each).get("event") for each in raw["also"])]
    return [
        _entry(
            each.at,
            event,
            each.state.stage.value,
            raw["outbox"] if each.outbox == record.outbox else msgspec.to_builtins(each.outbox),
            _note(each),
        )
        for each, event in zip(expand(before, record), events, strict=True)
    ]


def _entry(at: float, event: object, stage: object, outbox: object, note: str) -> TimelineEntry:
    outputs = [_object(each) for each in cast("list[Any]", outbox)] if isinstance(outbox, list) else []
    return TimelineEntry(
        at=at,
        event=_word(_object(event).get("type")),
        stage=_word(stage),
        phases=[_word(each.get("phase")) for each in outputs if each.get("type") == "phase_changed"],
        commands=[_word(each.get("type")) for each in outputs if "command_id" in each],
        timer=any(each.get("type") == "arm_timer" for each in outputs),
        note=note,
    )


def _read(body: bytes) -> Record | None:
    """Return the record in `body`, or None if this version cannot read it."""
    try:
        return decode_record(body)
    except UnreadableRecord:
        return None


def _shown(destination: SIPDestination) -> str:
    if destination.name is not UNSET:
        return destination.name
    return "" if destination.sip_call_to is UNSET else masked(destination.sip_call_to)


def _limits(config: WarmTransferConfig) -> TimeLimits:
    return TimeLimits(
        preparation_s=timeouts.preparation_s(config),
        ring_s=config.supervisor_join_timeout_s,
        briefing_s=timeouts.briefing_s(config),
        switch_s=timeouts.switching_s(config),
        arrival_s=config.caller_arrival_timeout_s,
        cleanup_s=timeouts.unwinding_s(config),
    )


def _note(record: Record) -> str:
    event = record.event
    facts = [_fact(event)]
    if isinstance(event, CommandReply) and event.rate_wait_s is not UNSET:
        facts.append(f"waited {event.rate_wait_s:.1f} s for the provider's rate limit")
    return "; ".join(filter(None, facts))


def _fact(event: RecordedEvent) -> str:
    match event:
        case CommandFailed():
            return f"{event.failure.value}{'' if event.status is None else f', HTTP {event.status}'}"
        case SupervisorCallEnded():
            return f"{event.cause.value}{'' if event.sip_code is None else f', SIP {event.sip_code}'}"
        case SupervisorReady():
            return "" if event.by is None else f"by {event.by}"
        case SummaryReady():
            return SUMMARY_SOURCES.get(event.source, "")
        case CallerReleased():
            return event.cause
        case CallerCallEnded():
            return "the caller hung up"
        case LegsChecked():
            return f"caller {_leg(event.caller)}, supervisor {_leg(event.supervisor)}"
        case ParticipantJoined() | ParticipantLeft() | AudioStreamEnabled():
            known = participant_ids.parse(event.participant_id)
            return known.role if known else "another participant"
        case _:
            return ""


def _leg(leg: LegReport | None) -> str:
    if leg is None:
        return "not checked"
    return "up" if leg.up else "down"


def _object(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _word(value: object) -> str:
    """Return a word of a record, without what a terminal or a page would interpret."""
    if not isinstance(value, str):
        return ""
    return "".join(each for each in value[:MAX_WORD_CHARS] if each.isprintable())
