"""The tables of `docs/architecture.md` are the folders, the import rules and the state machine's files."""

from __future__ import annotations

from tests.test_layout import ADAPTERS_OF, MAY_IMPORT

from .pages import DOCS, ROOT, code, codes, read_page

PAGE = read_page(DOCS / "architecture.md")
STATE_MACHINE = ROOT / "actors" / "coordinator" / "state_machine"


def test_the_table_of_folders_has_the_import_rules_of_the_layout_test() -> None:
    rows = PAGE.find("The folders").table("folder", "what it holds", "may import").rows
    assert {code(row["folder"]): codes([row["may import"]]) for row in rows} == MAY_IMPORT
    assert all(row["may import"] == "nothing" or codes([row["may import"]]) for row in rows)


def test_the_table_of_actors_has_the_adapters_of_the_layout_test() -> None:
    rows = PAGE.find("The folders").table("actor", "what it does", "adapters").rows
    assert {code(row["actor"]): codes([row["adapters"]]) for row in rows} == ADAPTERS_OF


def test_the_table_of_the_state_machine_has_every_file_once() -> None:
    rows = PAGE.find("The state machine").table("file", "what it holds").rows
    named = [name for row in rows for name in sorted(codes([row["file"]]))]
    files = [path.name for path in STATE_MACHINE.glob("*.py") if path.name != "__init__.py"]
    assert sorted(named) == sorted(files)


def test_every_invariant_names_what_makes_it_true_and_a_test_that_holds_it() -> None:
    groups = PAGE.find("Invariants").parts
    invariants = [text for group in groups for text in "\n".join(group.prose).split("\n- **")[1:]]
    assert len(invariants) > 15
    for text in invariants:
        words = " ".join(text.split())
        assert any(f" {word} `" in words for word in ("File:", "Files:")), words
        assert any(f" {word} `tests/" in words for word in ("Test:", "Tests:")), words
