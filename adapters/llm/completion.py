"""One chat completion, put together from the values of a response body. Pure.

Servers differ from OpenAI in every field, so no field is required and none must have its usual type. Only
three things count: text, tool calls, and how the answer ended.

- Invariant: an answer counts only if it ended: by a finish reason, by `[DONE]`, or as a whole JSON document.
- Invariant: reasoning is never part of the text.
- Invariant: tool calls of different names are no call. A model that says yes and no has not decided.

Held by `tests/adapters/llm/test_streams.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

from msgspec import Struct

from warmxfer.schemas import InvalidRequest, RetryableError

from .chat_model import Reply, StreamReading
from .reasoning import begins_with_reasoning, without_reasoning
from .response_body import DONE, ERROR_EVENT, Payload
from .tool_calls import ToolCalls

MAX_UNMARKED_REASONING_CHARS: Final = 8_000
"""Maximum text before a `</think>` whose opening tag the server has swallowed. Reasoning between tags is
limited by the size of the answer in bytes."""
MIN_REPEATED_CHARS: Final = 60
"""A chunk that begins with all the text so far, of at least this length, repeats it."""

_REASONING_PARTS: Final = frozenset(
    {"thinking", "redacted_thinking", "reasoning", "reasoning_text", "thought"}
)
_REASONING_FIELDS: Final = ("reasoning_content", "reasoning", "thinking", "reasoning_text")
_OTHER_ROLES: Final = frozenset({"system", "developer", "user", "tool", "function"})
_NOT_FINISHED: Final = frozenset({"", "null", "none"})
_CUT: Final = frozenset({"length", "max_tokens", "max_output_tokens", "model_length", "incomplete"})
_REFUSED: Final = frozenset(
    {
        "content_filter",
        "refusal",
        "safety",
        "recitation",
        "blocklist",
        "prohibited_content",
        "spii",
        "sensitive",
    }
)
_FAILED: Final = frozenset(
    {"error", "abort", "aborted", "cancelled", "canceled", "failed", "timeout", "network_error"}
    | {"malformed_function_call", "insufficient_system_resource"}
)
_SURROGATE_PAIR = re.compile("[\ud800-\udbff][\udc00-\udfff]")
_LONE_SURROGATE = re.compile("[\ud800-\udbff\udc00-\udc7f]")


class ServerError(Struct, frozen=True):
    """An error that a server sent. `text` may repeat the request: it is looked at, and never shown."""

    code: int | None
    text: str


class Completion:
    """Answer so far. `max_chars` limits its text without reasoning."""

    def __init__(self, max_chars: int, tools: Sequence[str] = ()) -> None:
        self._error: ServerError | None = None
        self._max_chars = max_chars
        self._text: list[str] = []
        self._text_chars = 0
        self._call_chars = 0
        self._check_at = max_chars + MAX_UNMARKED_REASONING_CHARS
        self._calls = ToolCalls(tools)
        self._message: dict[str, Any] = {}
        """A whole message beside or instead of deltas."""
        self._choice: Any = None
        """Index of the choice that is read: the first one that the server sent."""
        self._refused = False
        self._finish = ""
        self._done = False
        self._chunks = 0
        self._reasoning_chars = 0
        self._unknown: dict[str, Any] = {}
        """A value without choices."""

    @property
    def done(self) -> bool:
        """The end event was received: nothing that follows counts."""
        return self._done

    @property
    def finished(self) -> bool:
        """The answer has ended. A chunk may still follow: some servers end with the filter's result."""
        return self._done or bool(self._finish)

    def add(self, payload: Payload) -> None:
        """Add one value. Raises InvalidRequest if the answer is too long."""
        if payload is DONE:
            self._done = True
            return
        for value in _items(payload.value):
            self._add(_fields(value), payload.event)
        if payload.event == ERROR_EVENT and self._error is None:
            self._error = _server_error(payload.value)

    def error(self, format: str) -> ServerError | None:
        """Return the error that the server sent instead of the rest of an answer."""
        if (
            self._error is None
            and format == "JSON"
            and not self._chunks
            and _looks_like_an_error(self._unknown)
        ):
            return _server_error(self._unknown)
        return self._error

    def reply(self, format: str) -> Reply:
        """Return the answer. There must be no `error()`.

        Raises RetryableError if the answer did not end, InvalidRequest if the model refused.
        """
        if self._message and not self._text and not self._calls:
            self._delta(self._message)
        text = without_reasoning(repaired("".join(self._text)))
        reasoning_chars = self._reasoning_chars + self._text_chars - len(text)
        if self._refused or self._finish in _REFUSED:
            raise InvalidRequest("The model refused to answer")
        if not self._chunks:
            raise RetryableError("The answer of the model server is not a chat completion")
        if self._finish in _FAILED:
            raise RetryableError("The model server stopped before the answer was complete")
        if self._finish in _CUT:
            raise RetryableError("The answer was cut at the model's maximum length; let it write more tokens")
        if not self.finished and not (format == "JSON" and self._message):
            raise RetryableError("The model's answer ended before it was complete")
        if len(text) > self._max_chars:
            raise self._too_long()
        reading = StreamReading(
            format=format,
            chunks=self._chunks,
            ended_by=self._finish or ("[DONE]" if self._done else "end of the document"),
            reasoning_chars=max(reasoning_chars, 0),
        )
        return Reply(text.strip(), self._calls.decided(), reading)

    def _add(self, value: dict[str, Any], event: str) -> None:
        if value.get("error") or "error" in (value.get("object"), value.get("type"), event):
            self._error = self._error or _server_error(value.get("error") or value)
            return
        if "choices" not in value:
            self._unknown = value
        for choice in map(_fields, _items(value.get("choices"))):
            self._add_choice(choice)

    def _add_choice(self, choice: dict[str, Any]) -> None:
        if choice.get("error"):
            self._error = self._error or _server_error(choice["error"])
            return
        index = _index(choice.get("index"))
        if self._choice is None:
            self._choice = index
        if index is not None and self._choice is not None and index != self._choice:
            return
        self._chunks += 1
        delta, message = _fields(choice.get("delta")), _fields(choice.get("message"))
        if message:
            self._merge_message(message)
        if delta:
            self._delta(delta)
        elif isinstance(text := choice.get("text"), str) and not message:
            self._append(text)
        finish = choice.get("finish_reason")
        finish = _fields(finish).get("type", finish)
        if isinstance(finish, str) and finish.strip().lower() not in _NOT_FINISHED:
            self._finish = finish.strip().lower()

    def _merge_message(self, message: dict[str, Any]) -> None:
        """Keep the newest message. One that does not repeat the text of the last one goes on from there."""
        before, now = self._message.get("content"), message.get("content")
        if isinstance(before, str) and isinstance(now, str) and not now.startswith(before):
            message = {**message, "content": before + now}
        elif not now:
            message = {**message, "content": before}
        self._message = {**self._message, **message}

    def _delta(self, delta: dict[str, Any]) -> None:
        role = delta.get("role")
        if isinstance(role, str) and role in _OTHER_ROLES:
            return
        self._refused |= isinstance(refusal := delta.get("refusal"), str) and bool(refusal.strip())
        for name in _REASONING_FIELDS:
            self._reasoning_chars += len(_text_of(delta.get(name)))
        for part in _parts(delta.get("content")):
            self._part(part)
        calls = _items(delta.get("tool_calls"))
        if not calls and delta.get("function_call"):
            calls = [{"index": 0, "function": delta["function_call"]}]
        for call in calls:
            self._call_chars += self._calls.add(_fields(call))
        if self._call_chars > self._max_chars:
            raise self._too_long()

    def _part(self, part: Any) -> None:
        fields = _fields(part)
        kind = str(fields.get("type") or "text").lower()
        if kind in _REASONING_PARTS:
            self._reasoning_chars += len(_text_of(fields.get(kind) or fields.get("text")))
        elif kind == "refusal":
            self._refused = True
        else:
            self._append(_text_of(part))

    def _append(self, text: str) -> None:
        if not text:
            return
        if self._text_chars >= MIN_REPEATED_CHARS and len(text) >= self._text_chars:
            so_far = "".join(self._text)
            if text.startswith(so_far):
                text = text[len(so_far) :]
        self._text.append(text)
        self._text_chars += len(text)
        self._check_length()

    def _check_length(self) -> None:
        """Raise InvalidRequest as soon as the text is too long, whatever tag it may still close."""
        if self._text_chars <= self._check_at:
            return
        text = "".join(self._text)
        if not begins_with_reasoning(text) or len(without_reasoning(text)) > self._max_chars:
            raise self._too_long()
        self._check_at *= 2

    def _too_long(self) -> InvalidRequest:
        return InvalidRequest(f"The model answered with more than {self._max_chars} characters")


def repaired(text: str) -> str:
    """Return `text` with characters joined that a server has split over two chunks.

    Halves are surrogates of UTF-16, or bytes of UTF-8 as `response_body` keeps them. A half alone becomes
    U+FFFD.
    """
    joined = _SURROGATE_PAIR.sub(_joined_pair, text)
    joined = _LONE_SURROGATE.sub("\ufffd", joined)
    return joined.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def _joined_pair(pair: re.Match[str]) -> str:
    return pair[0].encode("utf-16", "surrogatepass").decode("utf-16")


def _fields(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _items(value: Any) -> list[Any]:
    """Return the items of a list; one object stands for a list of one."""
    if isinstance(value, list):
        return value
    return [value] if isinstance(value, dict) and value else []


def _index(value: Any) -> int | None:
    if isinstance(value, str) and value.isdecimal():
        return int(value[:9])
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _parts(content: Any) -> list[Any]:
    return content if isinstance(content, list) else [content]


def _text_of(value: Any) -> str:
    """Return the text in a string, a list of parts, or a part such as {"text": {"value": "…"}}."""
    found: list[str] = []
    rest = [value]
    while rest:
        item = rest.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, list):
            rest.extend(reversed(item))
        elif isinstance(item, dict):
            rest.append(item.get("text", item.get("value")))
    return "".join(found)


def _looks_like_an_error(value: dict[str, Any]) -> bool:
    """Return whether an object without choices is an error, as frameworks and gateways send them."""
    return any(isinstance(value.get(name), str | list) for name in ("detail", "message", "msg"))


def _server_error(error: Any) -> ServerError:
    fields = _fields(error)
    codes = [fields.get(name) for name in ("code", "status", "status_code")]
    code = next((_index(code) for code in codes if _index(code) is not None), None)
    words = [str(fields.get(name) or "") for name in ("code", "type", "status", "message", "detail", "msg")]
    return ServerError(code, " ".join(words if fields else [str(error)])[:4_000].lower())
