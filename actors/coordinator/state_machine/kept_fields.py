"""Fields of a newer version in a stored state: found when it is read, and written again with the next record.

So a transfer that returns to a newer coordinator has lost none of them. A field is named by its path. A field
inside a part that is gone since, such as a command that was answered, is not written again.
"""

from __future__ import annotations

from typing import Any, cast

UnknownFields = dict[tuple[str, ...], Any]


def find_unknown(written: dict[str, Any], known: dict[str, Any], at: tuple[str, ...] = ()) -> UnknownFields:
    """Return the fields of `written` that `known` lacks, at every depth of objects."""
    found: UnknownFields = {}
    for name, value in written.items():
        if name not in known:
            found[(*at, name)] = value
        elif isinstance(value, dict) and isinstance(known[name], dict):
            found |= find_unknown(cast("dict[str, Any]", value), known[name], (*at, name))
    return found


def add_unknown(state: dict[str, Any], unknown: UnknownFields) -> None:
    """Add the fields in `unknown` to `state`. A field that is there is not replaced."""
    for path, value in unknown.items():
        parent: Any = state
        for name in path[:-1]:
            parent = cast("dict[str, Any]", parent).get(name) if isinstance(parent, dict) else None
        if isinstance(parent, dict):
            cast("dict[str, Any]", parent).setdefault(path[-1], value)
