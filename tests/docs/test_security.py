"""The page about security agrees with the tables of the bus, and names tests that exist."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs.pages import ROOT, read_page
from warmxfer.bus.permissions import whole_streams
from warmxfer.bus.subject_table import INCLUDED, SUBJECTS, USERS

PAGE = read_page(ROOT / "docs" / "security.md")
TESTS = re.compile(r"`(tests/[\w/]+\.py)`")


def named(user: str, *, writes: bool) -> str:
    """Return the rows of the subject table that name `user` as a writer, or as a reader."""
    found = [f"`{spec.name}`" for spec in SUBJECTS if user in (spec.writers if writes else spec.readers)]
    if user in INCLUDED:
        return "as " + " and ".join(INCLUDED[user])
    return ", ".join(found) or "nothing"


def test_the_table_of_users_is_that_of_the_bus() -> None:
    rows = PAGE.find("Users").table("user", "whose", "writes", "reads", "reads whole streams").rows
    expected = [
        (
            f"`{user}`",
            named(user, writes=True),
            named(user, writes=False),
            ", ".join(f"`{stream}`" for stream in whole_streams(user)) or "none",
        )
        for user in USERS
    ]
    found = [(row["user"], row["writes"], row["reads"], row["reads whole streams"]) for row in rows]
    assert found == expected


def test_each_threat_and_each_finding_has_a_row() -> None:
    threats = PAGE.find("Threats").table("threat", "what stops it", "shown by").rows
    assert [row["threat"].split()[0] for row in threats] == [f"S{n}" for n in range(1, 20)]
    findings = PAGE.find("What an attack found").table("finding", "mend", "shown by").rows
    assert [row["finding"].split()[0] for row in findings] == [str(n) for n in range(1, 14)]


def test_each_named_test_exists() -> None:
    text = (ROOT / "docs" / "security.md").read_text()
    missing = sorted({path for path in TESTS.findall(text) if not (Path(ROOT) / path).exists()})
    assert missing == []
