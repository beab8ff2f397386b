"""An example of every message, made from its type: the smallest and the fullest that its fields allow."""

import enum
import types
import typing
from typing import Annotated, Any, Literal, Union, get_args, get_origin

import msgspec
from hypothesis import settings
from hypothesis import strategies as st
from msgspec import UnsetType

from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    History,
    HistoryQuery,
    LivenessQuery,
    LivenessReply,
    RoomToken,
    RoomTokenQuery,
    SessionSummary,
    SummaryQuery,
    fields,
)

quickly = settings(max_examples=50)
"""For property tests: the same examples on every machine, however busy it is."""

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)

COMMANDS = get_args(AnyCommand)
EVENTS = get_args(AnyEvent)
QUERIES = (
    HistoryQuery,
    History,
    SummaryQuery,
    SessionSummary,
    RoomTokenQuery,
    RoomToken,
    LivenessQuery,
    LivenessReply,
)

SAMPLES: dict[Any, Any] = {
    fields.Token: "room-1",
    fields.SipAddress: "+14155550123",
    fields.SipHeaders: {"X-Case": "42"},
    fields.CallMetadata: {"case": "42"},
    fields.DialledDigits: "1w2#",
    fields.ProviderId: "call-1",
    dict[str, Any]: {"data": {"callId": "call-1", "timelog": []}},
    str: 'words, \N{SNOWMAN} and "quotes"',
    int: 60,
    float: 5.5,
    bool: True,
    Any: {"any": [1, None]},
}


def example(kind: Any, *, full: bool) -> Any:
    """Return a value of `kind`. With `full`, every optional field is set."""
    if kind in SAMPLES:
        return SAMPLES[kind]
    origin, args = get_origin(kind), get_args(kind)
    if origin is Annotated:
        return example(args[0], full=full)
    if origin is Literal:
        return args[-1 if full else 0]
    if origin in (Union, types.UnionType):
        values = [each for each in args if each not in (type(None), UnsetType)]
        return example(values[0], full=full)
    if origin is list:
        return [example(args[0], full=full)] if full else []
    if origin is dict:
        return {example(args[0], full=full): example(args[1], full=full)} if full else {}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return list(kind)[-1 if full else 0]
    hints = typing.get_type_hints(kind, include_extras=True)
    return kind(
        **{
            field.name: example(hints[field.name], full=full)
            for field in msgspec.structs.fields(kind)
            if full or field.required
        }
    )
