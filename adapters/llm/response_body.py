"""JSON values of a response body: server-sent events, JSON lines or one JSON document. Pure.

The first character decides between events and JSON, not the content type: servers send events as
`text/plain`, and one JSON document in reply to a request for a stream.

httpx-sse 0.4.3 was tried for the events. It refuses other content types and raw JSON. It loses a first event
behind a byte order mark and a last event without a blank line. It joins events without a blank line between
them. It replaces the bytes of a character that a server has split over two events. docs/models.md lists it.

- Invariant: the cost is linear in the length of the body, however the body is cut into pieces.
- Invariant: bytes that are not UTF-8 become lone surrogates (PEP 383), so that no byte is lost.
"""

from __future__ import annotations

import codecs
import json
from collections.abc import Iterator
from typing import Any, Final, Literal

from msgspec import Struct

Format = Literal["", "event stream", "JSON", "page", "other"]


class Payload(Struct, frozen=True):
    """One JSON value of the body. `event` is the name of its event, in lower case; "" for most servers."""

    value: Any
    event: str = ""


DONE: Final = Payload(None, "[DONE]")
"""The end event. The body may go on, but the answer does not."""
ERROR_EVENT: Final = "error"

_EVENT_FIELDS: Final = frozenset({"data", "event", "id", "retry", ERROR_EVENT})


class InvalidBody(ValueError):
    """The body begins like JSON and is not JSON."""


class ResponseBody:
    """Decoder of one response body. Feed it with `feed()` until the end, then call `end()` once."""

    def __init__(self) -> None:
        self.format: Format = ""
        """"page" is HTML or XML, "other" is neither that nor events nor JSON."""
        self._decoder = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape")
        self._line: list[str] = []
        """Pieces of the line that has not ended yet."""
        self._after_cr = False
        self._event = ""
        self._unparsed: list[str] = []
        """Lines of a value that goes on."""

    def feed(self, data: bytes) -> Iterator[Payload]:
        """Yield the values that are complete with `data`. Raises `InvalidBody`."""
        yield from self._feed(self._decoder.decode(data))

    def end(self) -> Iterator[Payload]:
        """Yield the values that the end of the body completes. Raises `InvalidBody`."""
        yield from self._feed(self._decoder.decode(b"", final=True) + "\n")
        if self.format == "JSON" and self._unparsed:
            yield from _json_documents("\n".join(self._unparsed))
        else:
            yield from self._end_event()

    def _feed(self, text: str) -> Iterator[Payload]:
        for line in self._complete_lines(text):
            if not self.format:
                line = line.lstrip("\ufeff \t")
                self.format = _format_of(line)
            yield from self._json_line(line) if self.format == "JSON" else self._event_line(line)

    def _complete_lines(self, text: str) -> Iterator[str]:
        """Yield the lines that `text` completes. A line ends with LF, CR or CRLF."""
        if self._after_cr and text:
            text = text.removeprefix("\n")
            self._after_cr = False
        if text.endswith("\r"):
            self._after_cr = True
        *complete, rest = text.replace("\r\n", "\n").replace("\r", "\n").split("\n")
        for piece in complete:
            self._line.append(piece)
            yield "".join(self._line)
            self._line.clear()
        if rest:
            self._line.append(rest)

    def _json_line(self, line: str) -> Iterator[Payload]:
        """A line that is a JSON value stands alone. Other lines belong to a document over several lines."""
        if not self._unparsed:
            if _is_done(line):
                yield DONE
                return
            value = _parsed(line)
            if isinstance(value, dict | list):
                yield Payload(value)
                return
        if line.strip():
            self._unparsed.append(line)

    def _event_line(self, line: str) -> Iterator[Payload]:
        if not line:
            yield from self._end_event()
            return
        name, _, value = line.partition(":")
        match name.strip().lower():
            case "event":
                self._event = value.strip().lower()
            case "data":
                yield from self._data_line(value)
            case "error":
                # llama.cpp reports an error in the middle of a stream by a field of this name.
                yield Payload(_parsed(value) or value, ERROR_EVENT)
            case _ if line.lstrip()[:1] in ("{", "["):
                yield from self._data_line(line)
            case _:
                return

    def _data_line(self, data: str) -> Iterator[Payload]:
        """A line that is JSON is a whole value: some servers send no blank line between events."""
        if self._unparsed:
            self._unparsed.append(data)
        elif _is_done(data):
            yield DONE
        elif isinstance(value := _parsed(data), dict | list):
            yield Payload(value, self._event)
            self._event = ""
        elif data.lstrip()[:1] in ("{", "["):
            self._unparsed.append(data)
        elif self._event == ERROR_EVENT:
            yield Payload(data, ERROR_EVENT)

    def _end_event(self) -> Iterator[Payload]:
        lines, self._unparsed = self._unparsed, []
        if lines:
            yield Payload(_loads("\n".join(lines)), self._event)
        self._event = ""


def _format_of(line: str) -> Format:
    """Return the format of a body by its first line that is not blank; "" for a blank line."""
    if not line:
        return ""
    if line[0] in "{[":
        return "JSON"
    if line[0] == "<":
        return "page"
    name, colon, _ = line.partition(":")
    return "event stream" if colon and name.strip().lower() in {"", *_EVENT_FIELDS} else "other"


def _is_done(data: str) -> bool:
    return len(data) < 20 and data.strip(" \t\"'[]").upper() == "DONE"


def _parsed(text: str) -> Any:
    """Return the JSON value of `text`; None if it is not JSON."""
    try:
        return _loads(text)
    except InvalidBody:
        return None


def _loads(text: str) -> Any:
    # The standard library takes lone surrogates, by which servers split an emoji over two chunks.
    # `strict=False` takes control characters inside a string.
    try:
        return json.loads(text, strict=False)
    except (ValueError, RecursionError) as error:
        raise InvalidBody(type(error).__name__) from None


def _json_documents(text: str) -> Iterator[Payload]:
    """Yield JSON documents that follow each other, with or without a separator."""
    decoder, at = json.JSONDecoder(strict=False), 0
    try:
        while at < len(text):
            if text[at] in " \t\n,":
                at += 1
                continue
            value, at = decoder.raw_decode(text, at)
            yield Payload(value)
    except (ValueError, RecursionError) as error:
        raise InvalidBody(type(error).__name__) from None
