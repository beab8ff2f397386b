"""The directory: destinations by name, in a file of the operator. A request then carries no number."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec
from msgspec import UNSET, structs

from warmxfer.schemas import TOKEN_PATTERN, InvalidRequest, SIPDestination
from warmxfer.schemas.transfer import DEFAULT_DISPLAY_NAME

VARIABLE = "WARMXFER_DIAL_DIRECTORY"
MAX_ENTRIES = 10_000
MAX_FILE_BYTES = 8_000_000
FIELDS = "routing_rule_id, sip_call_to, sip_call_from, participant_display_name and extra_options"

Directory = Mapping[str, SIPDestination]


def read_directory(path: str) -> Directory:
    """Return the destinations in the JSON file at `path`, by name; none if `path` is empty.

    Raises `InvalidRequest`, whose text contains no number.
    """
    if not path:
        return {}
    try:
        data = Path(path).read_bytes()[: MAX_FILE_BYTES + 1]
        raw = msgspec.json.decode(data, type=dict[str, msgspec.Raw])
    except OSError as error:
        raise _error(path, f"cannot be read ({error.strerror})", "name a JSON file") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _error(path, "is not one JSON object", 'write {"billing": {…}}') from error
    if len(data) > MAX_FILE_BYTES or len(raw) > MAX_ENTRIES:
        raise _error(path, "is too large", f"keep at most {MAX_ENTRIES} entries")
    return {name: _read_entry(path, name, entry) for name, entry in raw.items()}


def merged(entry: SIPDestination, asked: SIPDestination) -> SIPDestination:
    """Return the destination of the directory, with the display name and the options that a request gives."""
    options = structs.asdict(asked.extra_options)
    given = {each: value for each, value in options.items() if value is not UNSET}
    has_name = asked.participant_display_name != DEFAULT_DISPLAY_NAME
    return structs.replace(
        entry,
        participant_display_name=(asked if has_name else entry).participant_display_name,
        extra_options=structs.replace(entry.extra_options, **given),
    )


def _read_entry(path: str, name: str, raw: msgspec.Raw) -> SIPDestination:
    if re.fullmatch(TOKEN_PATTERN, name, re.ASCII) is None:
        raise _error(path, f"has the name {name[:40]!r}", "use 1 to 64 of A-Z a-z 0-9 _ -")
    try:
        entry = msgspec.json.decode(raw, type=SIPDestination)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _error(
            path, f"has the entry {name}, which cannot be used ({str(error)[:200]})", f"give {FIELDS}"
        ) from error
    if UNSET in (entry.routing_rule_id, entry.sip_call_to, entry.sip_call_from) or entry.name is not UNSET:
        raise _error(path, f"has the entry {name} without a number, caller id or rule", f"give {FIELDS}")
    return entry


def _error(path: str, problem: str, remedy: str) -> InvalidRequest:
    return InvalidRequest(f"{VARIABLE} is {path[:80]!r}, which {problem}; {remedy}", field=VARIABLE)
