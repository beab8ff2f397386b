"""`docs/protocol.md` cannot lie about messages: its examples are read by the code that reads real ones."""

from __future__ import annotations

import json
from typing import Any, get_args

import msgspec
import pytest

from warmxfer.actors.coordinator.state_machine import SetTimer
from warmxfer.bus import Delivery, subjects
from warmxfer.bus.dead_letters import dead_letter
from warmxfer.schemas import AnyCommand, AnyEvent, PhaseChanged, WarmTransferResult, encode

from .contract import all_field_names, facts, tag_of
from .examples import ANSWERS, READERS, DeadLetter, Example, by_kind, examples
from .pages import Section, code, codes

NAMED = [pytest.param(each, id=each.name) for each in examples()]
FOR_USERS = (PhaseChanged, WarmTransferResult)
"""They have a chapter each, with a title for people."""

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
    titles = [example.section.title for example in by_kind().get(kind, [])]
    assert titles if kind in FOR_USERS else tag_of(kind) in titles, (
        f"docs/protocol.md has no example of {tag_of(kind)}: add a heading {tag_of(kind)} with its fields "
        "and a json block, under the heading that names the subject it travels on"
    )


@pytest.mark.parametrize("road", [road.name for road in subjects.SUBJECTS])
def test_every_subject_has_an_example(road: str) -> None:
    shown = {(example.road, example.answer) for example in examples()}
    assert road in READERS, f"tests/docs/examples.py does not know what travels on {road}: add it to READERS"
    assert (road, False) in shown, f"docs/protocol.md shows nothing that travels on {road}: add an example"
    if road in ANSWERS:
        assert (road, True) in shown, f"docs/protocol.md shows no answer on {road}: add one"


def test_the_log_example_shows_a_timer_being_set() -> None:
    records = [each.message for each in examples() if each.road == "log" and not each.inside]
    assert any(isinstance(out, SetTimer) for record in records for out in record.outbox)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_every_field_is_described_with_its_message(kind: type[msgspec.Struct]) -> None:
    missing, title = min(
        (_undescribed(kind, example.section), example.section.title) for example in by_kind()[kind]
    )
    assert not missing, (
        f'docs/protocol.md, "{title}" does not describe {", ".join(missing)} of {kind.__name__}: '
        "add a row for each to its table of fields"
    )


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_tables_of_fields_are_the_messages(kind: type[msgspec.Struct]) -> None:
    for section in {id(each.section): each.section for each in by_kind()[kind]}.values():
        here = [other for other, shown in by_kind().items() if any(each.section is section for each in shown)]
        known = {"type"}.union(*(all_field_names(other) for other in here))
        types = [(fact.name, fact.type) for other in here for fact in facts(other)]
        for row in _field_rows(section):
            name = code(row["field"])
            assert name in known, f'"{section.title}" describes {name}, which no message there has'
            right = {type for field, type in types if field == name}
            assert not right or row.get("type") in {None, *right}, (
                f'"{section.title}", {name}: the type is {", ".join(right)}'
            )


def test_dead_letters_are_as_shown() -> None:
    delivery = Delivery(
        "refund-4417", "cancel", "", "warmxfer.refund-4417.cancel", b"{", 4711, 1_781_532_000.0, 1, {}
    )
    real = msgspec.json.decode(dead_letter(delivery, "Park: why", "coordinator").data, type=DeadLetter)
    shown = [each.message for each in examples() if each.road == "dead"]
    assert [(each.subject, each.seq, each.consumer) for each in shown] == [
        (real.subject, real.seq, real.consumer)
    ]


def _undescribed(kind: type[msgspec.Struct], section: Section) -> list[str]:
    """Fields of `kind` without a row, and fields of the structs within it that are not even named."""
    around = [*section.walk(), *section.heads[1:]]
    rows = {code(row["field"]) for part in around for row in _field_rows(part)}
    named = codes([line for part in around for line in part.prose])
    own = {fact.name for fact in facts(kind)}
    return sorted((own - rows) | (all_field_names(kind) - named))


def _field_rows(section: Section) -> list[dict[str, str]]:
    return [row for table in section.tables if table.header[0] == "field" for row in table.rows]


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
