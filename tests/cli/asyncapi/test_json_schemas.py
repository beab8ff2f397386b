"""The JSON Schemas accept what warmxfer writes and reads, and refuse what it refuses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.docs.examples import Example, examples
from warmxfer.cli.asyncapi.document import document
from warmxfer.cli.asyncapi.json_schemas import PERSONAL, standalone_schema
from warmxfer.cli.asyncapi.messages import CARRIED, EXAMPLES, kinds_by_name
from warmxfer.schemas import InvalidRequest, WarmTransferRequest, encode, read_cancel, read_request
from warmxfer.schemas.commands import BriefSupervisor

WHOLE = [each for each in examples() if not each.field]
"""The examples of the pages that are whole messages."""


@cache
def validator(name: str) -> Draft7Validator:
    return Draft7Validator(standalone_schema(kinds_by_name()[name]))


def accepting(row: str, message: Any, *, reply: bool = False) -> list[str]:
    """Return the messages of a row whose schema accepts `message`."""
    carried = CARRIED[row]
    kinds = [carried.reply] if reply else list(carried.kinds)
    return [kind.__name__ for kind in kinds if kind and validator(kind.__name__).is_valid(message)]


def named(schema: Any, name: str) -> Iterator[Any]:
    """Yield every value of `name` inside of `schema`."""
    for key, value in schema.items() if isinstance(schema, dict) else enumerate(schema):
        if key == name:
            yield value
        if isinstance(value, dict | list):
            yield from named(value, name)


@pytest.mark.parametrize("example", WHOLE, ids=lambda each: each.name)
def test_a_schema_accepts_the_example_of_the_pages(example: Example) -> None:
    first_line = example.block.text.strip().splitlines()[0]
    text = example.block.text if first_line == "{" else first_line
    message = json.loads(text)
    accepted = accepting(example.subject_name, message, reply=example.reply)
    assert type(example.message).__name__ in accepted


def test_the_examples_of_the_document_are_valid_and_accepted() -> None:
    for kind, message in EXAMPLES.items():
        assert validator(kind.__name__).is_valid(message)
        read = read_request if kind is WarmTransferRequest else read_cancel
        assert isinstance(read(json.dumps(message).encode()), kind)


def changed(path: str, value: Any) -> dict[str, Any]:
    """Return the example of a request with one field changed. `path` has dots."""
    request: dict[str, Any] = json.loads(json.dumps(EXAMPLES[WarmTransferRequest]))
    *parents, last = path.split(".")
    inner = request
    for name in parents:
        inner = inner.setdefault(name, {})
    inner[last] = value
    return request


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("room_id", "a.b"),
        ("room_id", ""),
        ("rooom", "x"),
        ("config.destination.sip_call_to", "4155550101"),
        ("config.destination.extra_options.ringingTimeout", 601),
        ("config.destination.extra_options.headers", {"Via": "x"}),
        ("config.briefing_timeout_s", 0),
        ("config.pacing", "fast"),
        ("config.lines.hold", ""),
        ("config.lines.apologies", {"nothing": "x"}),
        ("config.rescue", {"by": "nothing"}),
        ("config.summary_prompt", ""),
    ],
)
def test_a_schema_refuses_what_a_request_may_not_say(path: str, value: Any) -> None:
    request = changed(path, value)
    with pytest.raises(InvalidRequest):
        read_request(encode(request))
    assert not validator("WarmTransferRequest").is_valid(request)


@pytest.mark.parametrize("name", kinds_by_name())
def test_a_pattern_has_nothing_that_only_python_knows(name: str) -> None:
    for pattern in named(standalone_schema(kinds_by_name()[name]), "pattern"):
        assert not re.search(r"\\[ZA]|\(\?[P<i]", pattern), pattern


def test_a_field_that_may_hold_personal_data_is_marked() -> None:
    schemas = document()["components"]["schemas"]
    assert schemas["SIPDestination"]["properties"]["sip_call_to"][PERSONAL] is True
    assert schemas["BriefSupervisor"]["properties"]["summary"][PERSONAL] is True
    assert PERSONAL not in schemas["SIPDestination"]["properties"]["routing_rule_id"]
    assert PERSONAL not in schemas["WarmTransferRequest"]["properties"]["config"]


def test_the_text_below_a_field_is_its_description() -> None:
    properties = standalone_schema(BriefSupervisor)["properties"]
    assert (
        properties["accept_by"]["description"]
        == "None: either, where the provider reports digits; else voice."
    )
    assert "first event of the transfer" in properties["first_event"]["description"], "a field of the base"
    assert "description" not in properties["greeting"]


def test_no_schema_has_what_only_openapi_knows() -> None:
    schemas = document()["components"]["schemas"]
    assert all("propertyName" not in each for each in named(schemas, "discriminator"))
    stored = standalone_schema(kinds_by_name()["StoredRecord"])
    assert all(reference.startswith("#/definitions/") for reference in named(stored, "$ref"))
