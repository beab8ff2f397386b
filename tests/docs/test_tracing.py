"""`docs/tracing.md` lists the attributes and the spans of the code."""

from __future__ import annotations

import re

from warmxfer.tracing import Attribute
from warmxfer.tracing.sdk import FLUSH_S

from .attributes_table import PAGE, page_with, sentences, table

PERSONAL = ("caller", "supervisor", "number", "room", "session", "participant", "call", "address", "text")


def test_the_page_has_the_attributes_of_the_code() -> None:
    page = PAGE.read_text(encoding="utf-8")
    assert page_with(page, table()) == page, (
        "run: uv run --group dev python -m tests.docs.attributes_table --write"
    )
    assert sentences().keys() == {each.value for each in Attribute}


def test_no_attribute_is_personal() -> None:
    words = {word for each in Attribute for word in re.split(r"[._]", each.value)}
    assert words.isdisjoint(PERSONAL)


def test_the_page_names_the_time_for_the_last_spans() -> None:
    assert f"waits up to {FLUSH_S:g} s for its last spans" in PAGE.read_text(encoding="utf-8")


def test_each_kind_of_span_has_a_row() -> None:
    page = PAGE.read_text(encoding="utf-8")
    for name in ("transfer", "phase <phase>", "command <command>", "apply <event>", "process <role>"):
        assert f"| `{name}` |" in page
    for name in ("<method> <path>", "chat", "request <question>", "serve <question>"):
        assert f"| `{name}` |" in page
