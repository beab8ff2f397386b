"""`docs/protocol.md` cannot lie about messages: its examples are read by the code that reads real ones."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from warmxfer.actors.machine import ArmTimer
from warmxfer.bus import Delivery, subjects
from warmxfer.bus.dead import letter
from warmxfer.schemas import AnyCommand, AnyEvent, PhaseChanged, WarmTransferResult, encode

from .contract import all_field_names, tag_of
from .examples import ANSWERS, READERS, DeadLetter, Example, by_kind, examples
from .pages import Section, code, codes

NAMED = [pytest.param(each, id=each.name) for each in examples()]
KINDS = sorted(by_kind(), key=lambda kind: kind.__name__)

TAGGED = [*get_args(AnyCommand), *get_args(AnyEvent), PhaseChanged, WarmTransferResult]


@pytest.mark.parametrize("example", NAMED)
def test_every_example_is_what_its_subject_carries(example: Example) -> None:
    message = example.message
    said = json.loads(example.block.text)
    ghosts = _beyond(said, json.loads(encode(message)))
    assert not ghosts, f"{example.name}: {type(message).__name__} has no {', '.join(ghosts)}; take it out"


@pytest.mark.parametrize("example", NAMED)
def test_examples_dial_nobody(example: Example) -> None:
    for number in _strings(json.loads(example.block.text)):
        assert not number.startswith("+") or (number.startswith("+1") and number[-7:-2] == "55501"), (
            f"{example.name}: {number} may be somebody's; use +1 ... 555-01xx"
        )


@pytest.mark.parametrize("kind", TAGGED, ids=tag_of)
def test_every_message_has_an_example(kind: type[msgspec.Struct]) -> None:
    assert kind in by_kind(), (
        f"docs/protocol.md has no example of {tag_of(kind)}: add a heading {tag_of(kind)} with its fields "
        "and a json block, under the heading that names the subject it travels on"
    )


@pytest.mark.parametrize("road", [road.name for road in subjects.TABLE])
def test_every_subject_has_an_example(road: str) -> None:
    shown = {(example.road, example.answer) for example in examples()}
    assert road in READERS, f"tests/docs/examples.py does not know what travels on {road}: add it to READERS"
    assert (road, False) in shown, f"docs/protocol.md shows nothing that travels on {road}: add an example"
    if road in ANSWERS:
        assert (road, True) in shown, f"docs/protocol.md shows no answer on {road}: add one"


def test_the_log_example_shows_a_timer_being_set() -> None:
    records = [each.message for each in examples() if each.road == "log" and not each.inside]
    assert any(isinstance(out, ArmTimer) for record in records for out in record.outbox)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_named_where_its_message_is_described(kind: type[msgspec.Struct]) -> None:
    sections = [each.section for each in by_kind()[kind]]
    missing, title = min(
        ((all_field_names(kind) - _named_around(section), section.title) for section in sections),
        key=lambda pair: len(pair[0]),
    )
    assert not missing, (
        f'docs/protocol.md, "{title}" does not name {", ".join(sorted(missing))} of {kind.__name__}: '
        "add a row for each to its table of fields"
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_no_table_names_a_field_that_is_gone(kind: type[msgspec.Struct]) -> None:
    for example in by_kind()[kind]:
        known = {"type"} | {
            name
            for other, others in by_kind().items()
            if any(each.section is example.section for each in others)
            for name in all_field_names(other)
        }
        for table in example.section.tables:
            if table.header[:2] == ["field", "type"]:
                ghosts = {code(row["field"]) for row in table.rows} - known
                assert not ghosts, f"{table.where}: {', '.join(sorted(ghosts))} is in no message there"


def test_dead_letters_are_as_shown() -> None:
    delivery = Delivery(
        "refund-4417", "cancel", "", "warmxfer.refund-4417.cancel", b"{", 4711, 1_781_532_000.0, 1, {}
    )
    real = msgspec.json.decode(letter(delivery, "Park: why", "coordinator").data, type=DeadLetter)
    shown = [each.message for each in examples() if each.road == "dead"]
    assert [(each.subject, each.seq, each.consumer) for each in shown] == [
        (real.subject, real.seq, real.consumer)
    ]


def _named_around(section: Section) -> set[str]:
    """What is named in the section, in those below it, and at the head of those it stands in."""
    lines = [line for part in section.walk() for line in part.prose]
    lines += [line for head in section.heads[1:] for line in head.prose]
    return codes(lines)


def _beyond(said: Any, meant: Any, path: str = "") -> list[str]:
    """Paths in `said` that are not, or not the same, in `meant`."""
    if isinstance(said, dict) and isinstance(meant, dict):
        return [
            ghost
            for key, value in said.items()
            for ghost in (
                _beyond(value, meant[key], f"{path}.{key}") if key in meant else [f"{path}.{key}"[1:]]
            )
        ]
    if isinstance(said, list) and isinstance(meant, list) and len(said) == len(meant):
        return [
            ghost
            for i, (a, b) in enumerate(zip(said, meant, strict=True))
            for ghost in _beyond(a, b, f"{path}[{i}]")
        ]
    return [] if said == meant else [f"{path[1:]}={said!r}"]


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in _strings(each)]
    if isinstance(value, list):
        return [text for each in value for text in _strings(each)]
    return [value] if isinstance(value, str) else []
