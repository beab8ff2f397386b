"""A change of the wire format is detected, named, and distinguished from an addition."""

from __future__ import annotations

import copy
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from msgspec import Meta, Struct, field

from . import wire
from .wire_fields import Facts, values
from .wire_rules import COMMAND, Wire, internal_faults, layout_faults, public_additions, public_faults


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Struct):
    size: Annotated[int, Meta(ge=1)] = 3


class Ask(Struct, tag="ask", tag_field="type"):
    """Message in its frozen form."""

    id: str
    colour: Colour
    mode: Literal["fast", "slow"] = "fast"
    inner: Inner = field(default_factory=Inner)


class MoreColour(StrEnum):
    RED = "red"
    BLUE = "blue"
    GREEN = "green"


class OneColour(StrEnum):
    RED = "red"


class WiderInner(Struct):
    size: int = 3


def facts(ask: type[Struct], colour: type[StrEnum] = Colour) -> Wire:
    roles = {colour: "colour"}
    return {"messages": Facts(roles).add([ask]), "values": values(roles)}


def made(tag: str = "ask", **changes: Any) -> type[Struct]:
    """Return `Ask` under another Python name with changed fields; a field that is None is removed."""
    body: dict[str, Any] = {
        "id": (str,),
        "colour": (Colour,),
        "mode": (Literal["fast", "slow"], "fast"),
        "inner": (Inner, field(default_factory=Inner)),
    }
    kept = {name: how for name, how in (body | changes).items() if how is not None}
    space: dict[str, Any] = {
        "__annotations__": {name: how[0] for name, how in kept.items()},
        "__doc__": "Other words.",
    }
    space |= {name: how[1] for name, how in kept.items() if len(how) > 1}
    kind: Any = type(Struct)
    return kind("Renamed", (Struct,), space, tag=tag, tag_field="type", kw_only=True)


def test_another_python_name_or_docstring_is_no_change() -> None:
    assert facts(made()) == facts(Ask)


@pytest.mark.parametrize(
    ("now", "sentence"),
    [
        pytest.param(facts(made(mode=None)), "messages: ask.mode is gone", id="a removed field"),
        pytest.param(
            facts(made(id=(int,))),
            "messages: ask.id was 'string; required' and is 'integer; required'",
            id="a changed type",
        ),
        pytest.param(facts(made("query")), "messages: ask is gone", id="a renamed tag"),
        pytest.param(
            facts(made(mode=(Literal["fast", "slow"], "slow"))),
            "messages: ask.mode was 'one of; default \"fast\"' and is 'one of; default \"slow\"'",
            id="a changed default",
        ),
        pytest.param(
            facts(made(mode=(Literal["fast"], "fast"))),
            "messages: ask.mode = slow is gone",
            id="a removed literal",
        ),
        pytest.param(
            facts(made(colour=(OneColour,)), OneColour), "values: colour = blue is gone", id="a removed value"
        ),
        pytest.param(
            facts(made(colour=(Colour, "red"))), "messages: ask.colour was", id="a field that became optional"
        ),
        pytest.param(
            facts(made(inner=(WiderInner, field(default_factory=WiderInner)))),
            "messages: ask.inner.size was 'integer ge=1; default 3'",
            id="a changed limit",
        ),
        pytest.param(
            facts(made(inner=(Inner, field(default_factory=lambda: Inner(5))))),
            "messages: ask.inner was",
            id="a changed default of a struct",
        ),
        pytest.param(
            facts(made(more=(str,))),
            "messages: ask.more is new; it is 'string; required'; give the field a default",
            id="a new required field",
        ),
    ],
)
def test_a_change_that_breaks_users_is_named(now: Wire, sentence: str) -> None:
    was = facts(Ask)
    assert any(fault.startswith(sentence) for fault in public_faults(was, now)), public_faults(was, now)
    assert internal_faults(was, now)


@pytest.mark.parametrize(
    ("now", "names"),
    [
        pytest.param(facts(made(more=(str, ""))), ["messages: ask.more"], id="a new optional field"),
        pytest.param(
            facts(made(mode=(Literal["fast", "slow", "late"], "fast"))),
            ["messages: ask.mode = late"],
            id="a new literal",
        ),
        pytest.param(
            facts(made(colour=(MoreColour,)), MoreColour), ["values: colour = green"], id="a new value"
        ),
        pytest.param(
            facts(made(more=(Ask | None, None))) | {"subjects": {"warmxfer.*.more": "stored"}},
            ["messages: ask.more", "subjects: warmxfer.*.more"],
            id="a new optional object, and a subject",
        ),
    ],
)
def test_an_addition_breaks_no_user_but_must_be_listed(now: Wire, names: list[str]) -> None:
    was = facts(Ask)
    assert public_faults(was, now) == []
    assert public_additions(was, now) == [
        f"{name} is new; add it to the public list with: {COMMAND}" for name in names
    ]
    assert [fault.split(" is new", 1)[0] for fault in internal_faults(was, now)] == names


@pytest.mark.parametrize(
    ("section", "name"),
    [
        ("environment", "NATS_URL"),
        ("exit codes", "refused"),
        ("messages", "request.config.destination.extra_options.recordAudio"),
        ("subjects", "warmxfer.*.result"),
        ("values", "outcome = declined"),
    ],
)
def test_the_loss_of_a_public_name_is_named(section: str, name: str) -> None:
    held, found = wire.read(wire.PUBLIC), wire.public()
    del found[section][name]
    (fault,) = public_faults(held, found)
    assert fault.startswith(f"{section}: {name} is gone")


def test_the_internal_list_is_changed_only_with_a_new_layout_number() -> None:
    held = wire.internal()
    found = copy.deepcopy(held)
    found["commands"]["create_room.key"] = "integer; required"
    (fault,) = layout_faults(held, found)
    assert fault == (
        "commands: create_room.key was 'string max_length=256; required' and is 'integer; required'; "
        "raise LAYOUT in bus/stream.py in the same commit"
    )
    found["stream"]["layout"] += 1
    assert layout_faults(held, found) == []


def test_an_addition_to_the_internal_list_needs_no_new_layout_number() -> None:
    held = wire.internal()
    found = copy.deepcopy(held)
    found["commands"]["create_room.colour"] = 'string; default ""'
    assert layout_faults(held, found) == []
    found["commands"]["create_room.size"] = "integer; required"
    (fault,) = layout_faults(held, found)
    assert fault.startswith("commands: create_room.size is new")


def test_the_public_list_is_not_written_after_a_forbidden_change(tmp_path: Path) -> None:
    path, found = tmp_path / "wire_public.json", wire.public()
    wire.update(path, found, public_faults)
    kept = path.read_text()
    del found["values"]["outcome = declined"]
    with pytest.raises(SystemExit, match="outcome = declined is gone"):
        wire.update(path, found, public_faults)
    assert path.read_text() == kept


@pytest.mark.parametrize(
    ("held", "found", "allowed"),
    [
        ("string; required", "string max_length=256; required", True),
        (
            "map of string to anything; required",
            "map of string max_length=64 to anything max_length=100; required",
            True,
        ),
        ("null | string; default null", "null | string max_length=64; default null", True),
        ("string max_length=64; required", "string max_length=32; required", False),
        ("string; required", 'string max_length=256; default ""', False),
        ("string; required", "string pattern=^a; required", False),
    ],
)
def test_what_warmxfer_writes_may_gain_a_length_and_what_users_write_may_not(
    held: str, found: str, allowed: bool
) -> None:
    """A user's program would be refused what it wrote before. A reader only knows one thing more."""
    for name in ("result.a", "api.list.reply.a", "api.dead_letters.one.a"):
        old, new = {"messages": {name: held}}, {"messages": {name: found}}
        assert (public_faults(old, new) == []) is allowed
        assert (COMMAND in str(public_additions(old, new))) is allowed
    for name in ("request.a", "cancel.reason", "api.list.limit", "api.start.id"):
        assert public_faults({"messages": {name: held}}, {"messages": {name: found}}) != []
    old, new = {"events": {"room_created.a": held}}, {"events": {"room_created.a": found}}
    layout: Wire = {"stream": {"layout": 1}}
    assert (layout_faults({**old, **layout}, {**new, **layout}) == []) is allowed


@pytest.mark.parametrize(
    ("held", "found", "may_be_written"),
    [
        ("string; absent by default", "boolean | string; absent by default", True),
        ("boolean | string; absent by default", "string; absent by default", False),
        ("string; absent by default", "boolean | integer; absent by default", False),
        ("string; absent by default", "boolean | string; required", False),
        ("string; required", "string; absent by default", True),
        ("string; required", "integer; absent by default", False),
        ("string; absent by default", "string; required", False),
    ],
)
@pytest.mark.parametrize("field", ["request.config.a", "result.a"])
def test_only_a_field_of_a_request_may_take_more_values(
    field: str, held: str, found: str, may_be_written: bool
) -> None:
    """Only users write a request. What warmxfer writes is read by programs that know the old values."""
    old, new = {"messages": {field: held}}, {"messages": {field: found}}
    wider = may_be_written and field.startswith("request.")
    assert (public_faults(old, new) == []) is wider
    assert (COMMAND in str(public_additions(old, new))) is wider
    assert layout_faults({**old, "stream": {"layout": 1}}, {**new, "stream": {"layout": 1}}) != []
