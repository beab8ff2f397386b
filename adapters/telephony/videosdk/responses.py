"""Parsing of VideoSDK's responses about calls, rooms and recordings. Pure.

Statuses come in upper or lower case, ids as `callId` or `id`, page numbers under `pageInfo` or beside the
data. A response that cannot be parsed raises `Unreadable`; a missing field stays empty.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

import msgspec

from warmxfer.schemas import CallCause
from warmxfer.schemas.fields import ANSWER_MAX_BYTES, FACTS_MAX, ID_MAX_CHARS, WORD_MAX_CHARS, provider_id

from ..errors import NotFound, NotReady, Rejected
from ..provider import CallRecord, Dialed, Direction

Json = Mapping[str, Any]


class Unreadable(ValueError):
    """A response that does not have VideoSDK's shape."""


DOWN: dict[str, CallCause] = {
    "busy": CallCause.BUSY,
    "missed": CallCause.NO_ANSWER,
    "no-answer": CallCause.NO_ANSWER,
    "not-answered": CallCause.NO_ANSWER,
    "rejected": CallCause.REJECTED,
    "abandoned": CallCause.ABANDONED,
    "canceled": CallCause.ABANDONED,
    "cancelled": CallCause.ABANDONED,
    "failed": CallCause.FAILED,
    "ended": CallCause.HUNG_UP,
    "completed": CallCause.HUNG_UP,
    "transferred": CallCause.HUNG_UP,
}
"""Statuses of a leg that is down, with the cause that is used if no better one is known."""

SIP_CAUSES: dict[int, CallCause] = {
    408: CallCause.NO_ANSWER,
    480: CallCause.NO_ANSWER,
    486: CallCause.BUSY,
    487: CallCause.ABANDONED,
    600: CallCause.BUSY,
    603: CallCause.REJECTED,
    607: CallCause.REJECTED,
    608: CallCause.REJECTED,
}

_REASONS: tuple[tuple[str, CallCause], ...] = (
    ("busy", CallCause.BUSY),
    ("no-answer", CallCause.NO_ANSWER),
    ("not-answered", CallCause.NO_ANSWER),
    ("timeout", CallCause.NO_ANSWER),
    ("reject", CallCause.REJECTED),
    ("decline", CallCause.REJECTED),
    ("abandon", CallCause.ABANDONED),
    ("cancel", CallCause.ABANDONED),
    ("gone", CallCause.ABANDONED),
)

_NOT_YET = "not yet joined"
_NO_SESSION = "no active session"

_DENIALS = frozenset({"error", "fail", "failed", "failure"})
_SENTENCES = ("message", "error", "errors", "msg", "statusMessage", "reason", "detail", "data")

_SWITCHING, _SWITCHED, _SWITCH_FAILED = "switch-room-initiated", "switch-room-completed", "switch-room-failed"
_ANSWERED = "answered"


def read_call(raw: Json) -> CallRecord:
    """Parse one call record of a look-up, a list or a webhook."""
    call_id = _text(raw, "callId") or _text(raw, "id")
    if not call_id:
        raise Unreadable("a call without an id")
    status, log = _word(raw.get("status"))[:WORD_MAX_CHARS], _timelog(raw)
    up = status not in DOWN and not raw.get("end")
    return CallRecord(
        call_id=call_id,
        up=up,
        status=status,
        direction=_direction(raw),
        room_id=_text(raw, "roomId") or None,
        participant_id=_text(raw, "participantId") or _text(_object(raw, "participant"), "id") or None,
        moving=status == _SWITCHING,
        completed_moves=_count(log, status, _SWITCHED),
        failed_moves=_count(log, status, _SWITCH_FAILED),
        cause=None if up else cause_of(status, log),
        sip_code=sip_code_of(log, raw),
        started=_text(raw, "start"),
        metadata=_object(raw, "metadata"),
        raw=bounded(raw),
    )


def read_one(response: Json) -> CallRecord:
    """`GET /v2/sip/call/{callId}`."""
    return read_call(_data(response))


def read_page(response: Json) -> tuple[list[CallRecord], int | None]:
    """`GET /v2/sip/call`: the calls of one page, and the number of the last page, if given."""
    items = response.get("data")
    if not isinstance(items, list):
        raise Unreadable("a list of calls without data")
    calls = [
        read_call(cast("Json", each)) for each in cast("list[object]", items) if isinstance(each, Mapping)
    ]
    info = response.get("pageInfo")
    last = (cast("Json", info) if isinstance(info, Mapping) else response).get("lastPage")
    return calls, last if isinstance(last, int) else None


def read_dialed(response: Json) -> Dialed:
    """`POST /v2/sip/call`."""
    return Dialed(read_call(_data(response)).call_id, bounded(response))


def read_dispatched(response: Json) -> None:
    """`POST /v2/agent/dispatch`: only a response that confirms the assignment counts as accepted."""
    if _data(response).get("success") is not True:
        raise Unreadable("a dispatch that was not confirmed")


def read_switched(response: Json) -> dict[str, Any]:
    """`POST /v2/sip/call/switch-room`: only a response with a call counts as accepted."""
    read_call(_data(response))
    return bounded(response)


def read_room(response: Json) -> str:
    """`POST /v2/rooms`: the room's id."""
    room_id = _text(response, "roomId")
    if not room_id:
        raise Unreadable("a room without roomId")
    return room_id


class RoomState(NamedTuple):
    """`GET /v2/rooms/{roomId}`."""

    room_id: str
    disabled: bool


def read_room_state(response: Json) -> RoomState:
    """`GET /v2/rooms/{roomId}`: the room, and whether it was closed."""
    return RoomState(read_room(response), response.get("disabled") is True)


def read_webhooks(response: Json) -> set[str]:
    """`GET /v2/sip/webhooks`: the registered addresses."""
    items = response.get("data", response.get("webhooks"))
    if not isinstance(items, list):
        raise Unreadable("a list of webhooks without data")
    found = (
        cast("Json", each).get("url") for each in cast("list[object]", items) if isinstance(each, Mapping)
    )
    return {url for url in found if isinstance(url, str)}


def read_nothing(response: Json) -> None:
    """Accept any response that does not deny its success."""
    if denies_success(response):
        raise Unreadable("a response that denies its success")


def denies_success(response: Json) -> bool:
    """Return whether a response says that the request failed, whatever its HTTP status is."""
    if any(_is_no(response[name]) for name in ("success", "ok") if name in response):
        return True
    status = response.get("status")
    return _word(status) in _DENIALS or _is_error(status) or _is_error(response.get("statusCode"))


def _is_no(value: object) -> bool:
    return value in (False, 0) or _word(value) in ("false", "no", "0")


def _is_error(status: object) -> bool:
    """Return whether `status` is an HTTP status of a failure, as a number or as text."""
    text = str(status)
    return text.isascii() and text.isdigit() and 400 <= int(text[:4]) < 600


def sentence_of(response: Json) -> str:
    """Return the provider's own sentence in a response, or ""; it may be one level deeper."""
    inner = [cast("Json", each) for name in _SENTENCES if isinstance(each := response.get(name), Mapping)]
    for fields in (response, *inner):
        for name in _SENTENCES:
            if sentence := _text_in(fields.get(name)):
                return sentence
    return ""


def _text_in(value: object) -> str:
    """Return a text, or a list of texts in one line, or ""."""
    each = cast("list[object]", value) if isinstance(value, list) else [value]
    return "; ".join(text for text in each if isinstance(text, str) and text.strip())


def recording_error(error: Rejected) -> Rejected | NotReady | None:
    """Translate VideoSDK's refusal to record a participant; None if the participant is recorded.

    Only the text tells the cause. VideoSDK answers 400 both for a participant who has not joined yet and for
    one who is recorded already. A phone takes a second or two to join after it was moved.
    """
    text = str(error).partition(": ")[2].lower()
    if "already" in text and ("record" in text or "start" in text):
        return None
    if _NOT_YET in text:
        return NotReady(str(error), status=error.status)
    if _NO_SESSION in text:
        return NotFound(
            "POST /v2/recordings/participant/start found no session in the room", status=error.status
        )
    return error


def cause_of(status: str, log: Iterable[Json]) -> CallCause:
    """Return why a leg is down: by SIP code, else by the reason in the log, else by status.

    A leg that was answered and then ended was hung up, whatever SIP codes its ringing left in the log.
    """
    entries = list(log)
    answered = any(_word(entry.get("status")) == _ANSWERED for entry in entries)
    by_status = DOWN.get(status, CallCause.HUNG_UP)
    if answered and by_status is CallCause.HUNG_UP:
        return CallCause.HUNG_UP
    code = sip_code_of(entries)
    if code in SIP_CAUSES:
        return SIP_CAUSES[code]
    for entry in reversed(entries):
        reason = _word(entry.get("reason"))
        for part, cause in _REASONS:
            if part in reason:
                return cause
    return CallCause.FAILED if code is not None and code >= 400 else by_status


def sip_code_of(log: Iterable[Json], raw: Json | None = None) -> int | None:
    """Return the last SIP status in the log or the record, 100 to 699."""
    sources = [*log, raw or {}, _object(raw or {}, "additionalDetails")]
    for source in reversed(sources):
        code = source.get("sipCode", source.get("sipStatusCode"))
        if isinstance(code, str) and code.isascii() and code.isdigit():
            code = int(code)
        if isinstance(code, int) and 100 <= code <= 699:
            return code
    return None


def bounded(raw: Json) -> dict[str, Any]:
    """Return `raw`, or only its ids if it would not fit into a message (`ProviderAnswer`)."""
    names_fit = len(raw) <= FACTS_MAX and all(len(name) <= ID_MAX_CHARS for name in raw)
    if names_fit and len(msgspec.json.encode(raw)) <= ANSWER_MAX_BYTES:
        return dict(raw)
    data = cast("Json", raw["data"]) if isinstance(raw.get("data"), Mapping) else raw
    kept = {name: _text(data, name) for name in ("callId", "id", "status", "roomId") if _text(data, name)}
    return {"data": kept} if data is not raw else kept


def _data(response: Json) -> Json:
    data = response.get("data")
    if not isinstance(data, Mapping):
        raise Unreadable("a response without data")
    return cast("Json", data)


def _text(raw: Json, name: str) -> str:
    return provider_id(raw.get(name)) or ""


def _word(value: object) -> str:
    """Normalise a status: `NOT_ANSWERED`, `Not answered` and `not-answered` are equal."""
    return value.strip().lower().replace("_", "-").replace(" ", "-") if isinstance(value, str) else ""


def decoded(value: object) -> object:
    """Return the object or list that a field holds; some senders write it as a string of JSON."""
    if not isinstance(value, str) or not value.lstrip().startswith(("{", "[")):
        return value
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return value


def _object(raw: Json, name: str) -> Json:
    value = decoded(raw.get(name))
    return cast("Json", value) if isinstance(value, Mapping) else {}


def _timelog(raw: Json) -> list[Json]:
    log = decoded(raw.get("timelog"))
    if not isinstance(log, list):
        return []
    return [cast("Json", each) for each in cast("list[object]", log) if isinstance(each, Mapping)]


def _direction(raw: Json) -> Direction:
    word = _word(raw.get("type"))
    return "inbound" if word == "inbound" else "outbound" if word == "outbound" else ""


def _count(log: Iterable[Json], status: str, wanted: str) -> int:
    """Count `wanted` in the log. The status counts once if the log does not have it."""
    return max(sum(_word(entry.get("status")) == wanted for entry in log), int(status == wanted))
