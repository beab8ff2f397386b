"""Mapping of upstream's configuration to a warmxfer request.

Invariants:

- Any configuration gives a request, or one sentence that names the field as upstream does.
- A value that upstream accepts and our schema does not is adapted where nothing is lost: an empty value
  counts as missing, a longer wait becomes one hour, seconds are whole.
"""

from __future__ import annotations

import math
from typing import Any, Final

from warmxfer.adapters.rooms.videosdk.framework import SIPDestination, WarmTransferConfig
from warmxfer.schemas import InvalidRequest, WarmTransferRequest, encode, read_request

MAX_WAIT_S: Final = 3_600.0
MIN_WAIT_S: Final = 1.0
MAX_SHOWN_CHARS: Final = 40
DESTINATION: Final = "config.destination"
SECONDS: Final = frozenset({"ringingTimeout", "maxCallDuration"})
"""Options in whole seconds. A part of a second is rounded up."""
MAPS: Final = frozenset({"headers", "metadata"})
"""Options that are maps from text to text in our schema."""


def to_request(
    config: WarmTransferConfig,
    *,
    room_id: str,
    session: str,
    caller: str | None,
    has_model: bool,
    brief_here: bool,
    **settings: Any,
) -> WarmTransferRequest:
    """Return the request for `config`. `settings` are fields that only our configuration has.

    `session` is the name under which the session is registered, the room's id if it has no other.

    Models and pipelines stay in this process. The session summarises with the model of `config`, or with its
    own (`has_model`). It briefs with the pipeline from the function of `config`, or, if `brief_here`, from
    its own classes. Raises `InvalidRequest` for a configuration that cannot be carried out.
    """
    _expect(config, WarmTransferConfig, "config")
    fields = {
        "destination": _destination(config.destination),
        "summary_prompt": config.summary_prompt or None,
        "summarize_by": _actor(has_model or config.summary_llm is not None, "summarizer"),
        "brief_by": _actor(brief_here or config.briefing_pipeline_factory is not None, "briefing"),
        "supervisor_join_timeout_s": _wait_s(config, "supervisor_join_timeout"),
        "briefing_timeout_s": _wait_s(config, "briefing_timeout"),
        **settings,
    }
    checked = {name: _json(f"config.{name}", value) for name, value in fields.items()}
    name = {} if session == room_id else {"session": session}
    request = {"room_id": room_id, **name, "caller_participant_id": caller, "config": checked}
    return read_request(encode(request))


def _actor(in_session: bool, worker: str) -> str:
    return "session" if in_session else worker


def _destination(destination: Any) -> dict[str, Any]:
    _expect(destination, SIPDestination, DESTINATION)
    given = {
        "routing_rule_id": destination.routing_rule_id,
        "sip_call_to": destination.sip_call_to,
        "sip_call_from": destination.sip_call_from,
    }
    if destination.participant_display_name:
        given["participant_display_name"] = destination.participant_display_name
    checked = {name: _json(f"{DESTINATION}.{name}", value) for name, value in given.items()}
    return {**checked, "extra_options": _options(destination.extra_options)}


def _options(options: Any) -> dict[str, Any]:
    field = f"{DESTINATION}.extra_options"
    _expect(options, dict, field)
    checked = {
        name: _json(f"{field}.{str(name)[:MAX_SHOWN_CHARS]}", value)
        for name, value in options.items()
        if value is not None
    }
    for name in MAPS & checked.keys():
        checked[name] = _texts(checked[name])
    for name in SECONDS & checked.keys():
        checked[name] = _whole(checked[name])
    return checked


def _whole(value: Any) -> Any:
    return math.ceil(value) if isinstance(value, float) and math.isfinite(value) else value


def _texts(values: Any) -> Any:
    """Return the map with its numbers and booleans as text."""
    if not isinstance(values, dict):
        return values
    return {
        name: encode(value).decode() if isinstance(value, int | float) else value
        for name, value in values.items()
        if value is not None
    }


def _wait_s(config: WarmTransferConfig, name: str) -> float:
    """Return the seconds to wait. Raises `InvalidRequest`, also for NaN."""
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= MIN_WAIT_S:
        raise InvalidRequest(
            f"config.{name} is {_shown(value)}; give seconds, at least 1.", field=f"config.{name}"
        )
    return min(value, MAX_WAIT_S)


def _expect(value: Any, expected: type, field: str) -> None:
    if not isinstance(value, expected):
        raise InvalidRequest(f"{field} is a {type(value).__name__}; give a {expected.__name__}.", field=field)


def _json(field: str, value: Any) -> Any:
    """Return `value`. Raises `InvalidRequest` if it cannot be encoded as JSON."""
    try:
        encode(value)
    except (TypeError, ValueError, OverflowError, RecursionError) as error:
        raise InvalidRequest(
            f"{field} is a {type(value).__name__} that is no JSON; "
            "write it with strings, numbers, true, false, lists and objects.",
            field=field,
        ) from error
    return value


def _shown(value: Any) -> str:
    return repr(value)[:MAX_SHOWN_CHARS]
