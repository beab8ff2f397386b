"""Tool calls of one answer, from the pieces that servers send. Pure.

A call comes whole or in pieces, once or repeated in each chunk. Its index may be missing, null, the same for
all calls, or begin with 1. Its arguments are text in pieces, whole text, an object, or text of text.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from .chat_model import ToolCall


@dataclass(slots=True)
class _Call:
    index: Any
    id: str
    name: str = ""
    pieces: list[str] = field(default_factory=list[str])
    object: dict[str, Any] | None = None


class ToolCalls:
    """Calls so far. `tools` are the names that were offered."""

    def __init__(self, tools: Sequence[str] = ()) -> None:
        self._tools = frozenset(tools)
        self._calls: list[_Call] = []

    def __bool__(self) -> bool:
        return bool(self._calls)

    def add(self, piece: dict[str, Any]) -> int:
        """Add one piece of a call, and return how many characters it had."""
        function = piece.get("function")
        function = function if isinstance(function, dict) else piece
        name, arguments = function.get("name"), function.get("arguments")
        name = name.strip() if isinstance(name, str) else ""
        id = piece.get("id")
        call = self._call(piece.get("index"), id if isinstance(id, str) else "", name)
        if call is None:
            return 0
        # A name comes whole, whole again with each piece, or in pieces.
        if name and name != call.name:
            call.name += name
        if isinstance(arguments, dict):
            call.object = arguments
        elif isinstance(arguments, str):
            call.pieces.append(arguments)
            return len(name) + len(arguments)
        return len(name) + (len(str(arguments)) if arguments else 0)

    def decided(self) -> ToolCall | None:
        """Return the call; None if there is none, or calls of different names."""
        named = [call for call in self._calls if call.name]
        if len({call.name for call in named}) != 1:
            return None
        calls = [ToolCall(call.name, _arguments(call)) for call in named]
        return next((call for call in calls if call.arguments), calls[0])

    def _call(self, index: Any, id: str, name: str) -> _Call | None:
        """Return the call that a piece belongs to; None for a piece without a name before any call."""
        call = self._started(index, id)
        whole = name in self._tools and call is not None and call.name in self._tools
        if not name:
            # Some servers give each piece of a call an id of its own.
            return call or (self._started(index, "") if self._calls else None)
        if call is None or (whole and name != call.name):
            call = _Call(index, id)
            self._calls.append(call)
        return call

    def _started(self, index: Any, id: str) -> _Call | None:
        """Return the newest call of this id; of this index; without both, the newest one."""
        for call in reversed(self._calls):
            if id and call.id:
                if id == call.id:
                    return call
            elif index is None or index == call.index:
                return call
        return None


def _arguments(call: _Call) -> dict[str, Any]:
    """Return the arguments; empty if they are no JSON object. Text that repeats itself counts once."""
    if call.object is not None:
        return call.object
    texts = ["".join(call.pieces), *reversed(call.pieces)]
    return next((found for text in texts if (found := _object(text))), {})


def _object(text: str) -> dict[str, Any]:
    try:
        value, _ = json.JSONDecoder(strict=False).raw_decode(text.strip())
    except (ValueError, RecursionError):
        return {}
    if isinstance(value, str) and value.lstrip().startswith("{"):
        return _object(value)
    return value if isinstance(value, dict) else {}
