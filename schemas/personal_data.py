"""Personal data in the messages of a transfer, and its removal from what is kept of them.

Four kinds, each of which a deployment may keep or leave out of its archive (`WARMXFER_ARCHIVE_KEEPS`):

    numbers   addresses that were dialled or shown, with display names, SIP headers and metadata of the calls
    summary   the summary of the conversation
    reason    what a supervisor said when asked, and the reason that a user gave for a cancel
    digits    digits that were dialled after an answer

- Invariant: what is left is a message of the same type, which every reader of it can decode.
- Invariant: the text of a left-out field is left out of the sentences that quote it too.

Test: `tests/schemas/test_personal_data.py`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Any, Literal, cast, get_args

import msgspec

from .outcomes import Outcome
from .transfer import DEFAULT_DISPLAY_NAME

Kind = Literal["numbers", "summary", "reason", "digits"]
KINDS: tuple[Kind, ...] = get_args(Kind)

LEFT_OUT = "(left out)"
"""Stands in a sentence for text that it quoted."""
NO_ADDRESS = "sip:left-out@left-out.invalid"
"""Stands for an address. It is a valid one, and no host has that name (RFC 2606)."""
MIN_QUOTED_CHARS = 4
"""Shorter text is not looked for in sentences: it would be found inside of words."""

FIELDS: dict[Kind, dict[str, Any]] = {
    "numbers": {
        "sip_call_to": NO_ADDRESS,
        "sip_call_from": NO_ADDRESS,
        "participant_display_name": DEFAULT_DISPLAY_NAME,
        "headers": {},
        "metadata": {},
        "response": {},
    },
    "summary": {"summary": ""},
    "reason": {"reason": "", "words": "", "accepted_words": "", "said": ""},
    "digits": {"dtmf": True},
}
"""By kind: the fields that hold it, and what takes the place of their text."""
FREE_TEXT = frozenset({"detail", "error"})
"""Fields that may quote such a text and nothing else. Other fields quote it only within a sentence."""
_WORDS = frozenset(each.value for each in Outcome)
"""A phase has the outcome in its field `reason`. That is no text of a person."""

Json = dict[str, Any]


def without(data: bytes, kinds: Collection[Kind]) -> bytes:
    """Return the JSON object in `data` without personal data of `kinds`; empty if it cannot be read."""
    return without_all([data], kinds)[0]


def without_all(messages: Sequence[bytes], kinds: Collection[Kind]) -> list[bytes]:
    """Return `messages` of one transfer without personal data of `kinds`, also where another quotes it.

    A message that cannot be read becomes empty.
    """
    if not kinds:
        return list(messages)
    fields = {name: empty for kind in KINDS if kind in kinds for name, empty in FIELDS[kind].items()}
    values = [_read(each) for each in messages]
    texts = {text for value in values for text in _texts(value, fields)}
    quoted = sorted((each for each in texts if len(each) >= MIN_QUOTED_CHARS), key=len, reverse=True)
    return [
        b"" if value is None else msgspec.json.encode(_cleared(value, fields, quoted)) for value in values
    ]


def _read(data: bytes) -> Any:
    try:
        return msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None


def _texts(value: Any, fields: Json) -> Iterator[str]:
    """Yield each text in `value` that is left out."""
    for name, each in _items(value):
        if name not in fields:
            yield from _texts(each, fields)
        elif not isinstance(each, str) or (each != fields[name] and each not in _WORDS):
            yield from _strings(each)


def _items(value: Any) -> Iterable[tuple[str, Any]]:
    """Return what is in a JSON object, by name, or in a list."""
    if isinstance(value, dict):
        return cast("Json", value).items()
    return (("", each) for each in cast("list[Any]", value)) if isinstance(value, list) else ()


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    for _, each in _items(value):
        yield from _strings(each)


def _cleared(value: Any, fields: Json, quoted: Sequence[str], name: str = "") -> Any:
    if name in fields and isinstance(value, str | dict):
        return value if isinstance(value, str) and value in _WORDS else fields[name]
    if isinstance(value, list):
        return [_cleared(each, fields, quoted) for each in cast("list[Any]", value)]
    if isinstance(value, dict):
        return {key: _cleared(each, fields, quoted, key) for key, each in cast("Json", value).items()}
    if isinstance(value, str) and (name in FREE_TEXT or " " in value):
        for text in quoted:
            value = value.replace(text, LEFT_OUT)
    return value
