"""What the original's configuration asks for, as a request of ours.

The law of this file: whatever the configuration holds, it comes to a request or to one sentence that names
the field by the original's own word. Where the original is looser than our schema and nothing is lost by it,
so are we: what is empty is not given, and who would wait for ever waits for an hour.
"""

from __future__ import annotations

from typing import Any, Final

from warmxfer.adapters.rooms.videosdk.framework import SIPDestination, WarmTransferConfig
from warmxfer.schemas import InvalidRequest, WarmTransferRequest, encode, read_request

MAX_WAIT_S: Final = 3_600.0
MIN_WAIT_S: Final = 1.0
MAX_SHOWN_CHARS: Final = 40
DESTINATION: Final = "config.destination"
MAPS: Final = frozenset({"headers", "metadata"})
"""Options that are maps from text to text with us."""


def to_request(
    config: WarmTransferConfig,
    *,
    room_id: str,
    caller: str | None,
    has_model: bool,
    brief_here: bool,
    **ours: Any,
) -> WarmTransferRequest:
    """The request for `config`; `ours` are fields of our own configuration.

    What cannot travel stays here: a model for the summary, the configuration's or the session's own
    (`has_model`); the pipeline of the briefing, made by the configuration's function or, where `brief_here`,
    from the session's classes. Raises `Refused` for what nobody could do.
    """
    _expect(config, WarmTransferConfig, "config")
    fields = {
        "destination": _destination(config.destination),
        "summary_prompt": config.summary_prompt or None,
        "summarize_by": _by(has_model or config.summary_llm is not None, "summarizer"),
        "brief_by": _by(brief_here or config.briefing_pipeline_factory is not None, "briefing"),
        "supervisor_join_timeout_s": _wait_s(config, "supervisor_join_timeout"),
        "briefing_timeout_s": _wait_s(config, "briefing_timeout"),
        **ours,
    }
    written = {name: _json(f"config.{name}", value) for name, value in fields.items()}
    return read_request(encode({"room_id": room_id, "caller_participant_id": caller, "config": written}))


def _by(session: bool, worker: str) -> str:
    return "session" if session else worker


def _destination(destination: Any) -> dict[str, Any]:
    _expect(destination, SIPDestination, DESTINATION)
    given = {
        "routing_rule_id": destination.routing_rule_id,
        "sip_call_to": destination.sip_call_to,
        "sip_call_from": destination.sip_call_from,
    }
    if destination.participant_display_name:
        given["participant_display_name"] = destination.participant_display_name
    written = {name: _json(f"{DESTINATION}.{name}", value) for name, value in given.items()}
    return {**written, "extra_options": _options(destination.extra_options)}


def _options(options: Any) -> dict[str, Any]:
    where = f"{DESTINATION}.extra_options"
    _expect(options, dict, where)
    written = {
        name: _json(f"{where}.{str(name)[:MAX_SHOWN_CHARS]}", value)
        for name, value in options.items()
        if value is not None
    }
    for name in MAPS & written.keys():
        written[name] = _texts(written[name])
    return written


def _texts(values: Any) -> Any:
    """A map with its numbers written out."""
    if not isinstance(values, dict):
        return values
    return {
        name: encode(value).decode() if isinstance(value, int | float) else value
        for name, value in values.items()
        if value is not None
    }


def _wait_s(config: WarmTransferConfig, name: str) -> float:
    """Seconds to wait; NaN is none."""
    value = getattr(config, name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not value >= MIN_WAIT_S:
        raise InvalidRequest(
            f"config.{name} is {_shown(value)}; give seconds, at least 1.", field=f"config.{name}"
        )
    return min(value, MAX_WAIT_S)


def _expect(value: Any, kind: type, field: str) -> None:
    if not isinstance(value, kind):
        raise InvalidRequest(f"{field} is a {type(value).__name__}; give a {kind.__name__}.", field=field)


def _json(field: str, value: Any) -> Any:
    """`value`, which can be written down."""
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
