"""`docs/operations.md` lists the exit codes of the code, and every command that connects for each cause."""

from __future__ import annotations

from typing import Any

import pytest
import typer

from warmxfer.actors.runtime import exit_codes
from warmxfer.bus import AccessDenied, Unavailable, UnsupportedServer
from warmxfer.cli.app import build_app
from warmxfer.client import IdInUse, NoCoordinator, NoSuchTransfer, NotStarted, StillRunning
from warmxfer.schemas import InternalError, InvalidRequest, RetryableError

from .pages import DOCS, read_page

PAGE = read_page(DOCS / "operations.md").find("Exit codes")
CODES = PAGE.table("code", "word", "meaning")
CAUSES = PAGE.table("cause", "code", "commands that meet it")
WORDS = {
    "done": exit_codes.OK,
    "unsuccessful": exit_codes.UNSUCCESSFUL,
    "broken": exit_codes.INTERNAL,
    "refused": exit_codes.INVALID,
    "unavailable": exit_codes.UNAVAILABLE,
    "interrupted": exit_codes.INTERRUPTED,
}
LOCAL = {"demo", "up", "sandbox", "bench", "try", "permissions", "asyncapi", "config"}
"""Commands that connect to no broker of the user."""

COMMANDS: dict[str, Any] = getattr(typer.main.get_command(build_app()), "commands")  # noqa: B009


def test_the_codes_are_those_of_the_code() -> None:
    page = {word: int(row["code"]) for row in CODES.rows for word in row["word"].split(", ")}
    assert page == WORDS
    constants = {value for name, value in vars(exit_codes).items() if name.isupper()}
    assert set(page.values()) == constants


def test_every_cause_has_a_code_of_the_page_and_commands_that_exist() -> None:
    for row in CAUSES.rows:
        assert int(row["code"]) in WORDS.values(), row
        named = {each.split()[0] for each in row["commands that meet it"].split(", ")}
        assert named <= {*COMMANDS, "all"}, row
        assert named, row


def test_every_command_that_connects_is_listed_for_a_broker_that_does_not_answer() -> None:
    (row,) = (row for row in CAUSES.rows if row["cause"] == "no broker answers")
    assert set(row["commands that meet it"].split(", ")) == set(COMMANDS) - LOCAL


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (InvalidRequest("x"), 2),
        (AccessDenied("x"), 2),
        (UnsupportedServer("x"), 2),
        (NoSuchTransfer("x"), 2),
        (IdInUse("x", None), 2),
        (RetryableError("x"), 3),
        (Unavailable("x"), 3),
        (NoCoordinator(), 3),
        (NotStarted("x"), 3),
        (StillRunning("x"), 3),
        (InternalError("x"), 1),
        (ZeroDivisionError("x"), 1),
    ],
)
def test_an_error_has_one_code(error: Exception, code: int) -> None:
    assert exit_codes.code_of(error) == code
