"""The wire format equals its two lists (`wire.py` writes them), and a lost or added name fails a test."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from . import wire
from .wire_environment import named, product_variables, trees, variables
from .wire_rules import COMMAND, internal_faults, public_additions, public_faults

MIN_REFERRED = 40
"""Minimum number of messages inside other messages. With fewer, the search for them is broken."""


def test_nothing_that_users_depend_on_has_changed() -> None:
    faults = public_faults(wire.read(wire.PUBLIC), wire.public())
    assert not faults, "\n".join(faults)


def test_every_public_addition_is_in_the_list() -> None:
    additions = public_additions(wire.read(wire.PUBLIC), wire.public())
    assert not additions, "\n".join(additions)


def test_the_internal_wire_format_equals_its_list() -> None:
    faults = internal_faults(wire.read(wire.INTERNAL), wire.internal())
    assert not faults, "\n".join(faults)


@pytest.mark.parametrize("path", [wire.PUBLIC, wire.INTERNAL], ids=lambda path: path.stem)
def test_the_lists_have_one_fact_per_line(path: Path) -> None:
    assert path.read_text() == wire.written(wire.read(path)), f"write it with: {COMMAND}"


def test_every_message_that_a_fact_refers_to_is_listed() -> None:
    sections = [*wire.public().values(), *wire.internal().values()]
    listed = {name for section in sections for name in section}
    facts = [f"{name}: {value}" for section in sections for name, value in section.items()]
    referred = {name for fact in facts for name in re.findall(r"<([\w.]+)>", fact)}
    assert len(referred) > MIN_REFERRED
    assert referred - listed == set()


def test_every_variable_that_the_source_names_is_read_somewhere() -> None:
    """A failure means that the search does not know some way to read a variable."""
    assert named(trees()) - product_variables() == set()


def test_every_way_to_read_a_variable_is_found() -> None:
    source = """
KEY: Final = "WARMXFER_A"
a = env.get(KEY, "")
b = os.environ.pop("WARMXFER_B")
c = os.environ["WARMXFER_C"]
d = env_number(env, "WARMXFER_D", int, 1, 1, 5)
e = "WARMXFER_E" in self.env
f = os.getenv("WARMXFER_F")
g: Annotated[str, typer.Option("--g", envvar="WARMXFER_G")] = ""
env["WARMXFER_WRITTEN"] = "1"
print("WARMXFER_SAID")
"""
    other = 'KEY = "WARMXFER_OTHER"'
    found = variables([ast.parse(source), ast.parse(other)])
    assert found == {f"WARMXFER_{letter}" for letter in "ABCDEFG"}
