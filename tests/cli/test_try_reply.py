"""`warmxfer try reply`: the replies of a supervisor that public reports name, with their right values."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .conftest import InProcess, Warmxfer

REPORTED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parent.parent / "data" / "supervisor-replies.json").read_text(encoding="utf-8")
)


@pytest.mark.parametrize("row", REPORTED, ids=lambda row: row["id"])
def test_each_reported_reply_gets_its_value(in_process: InProcess, row: dict[str, Any]) -> None:
    options = ["--first"] if row.get("first") else []
    if "question" in row:
        options += ["--question", row["question"]]
    output = in_process("try", "reply", row["text"], *options, "--json")
    assert output.code == 0, output.err
    (trial,) = output.values
    if "never" in row:
        assert trial["intent"] != row["never"]
        assert trial["action"] not in ("move", "end")
    if "verdict" in row:
        assert trial["intent"] == row["verdict"]
    if row.get("may_be_ready") is False:
        assert trial["action"] not in ("move", "confirm")
    if row.get("may_be_ready"):
        assert trial["action"] in ("move", "confirm")


@pytest.mark.parametrize(
    ("arguments", "intent", "decided_by", "action"),
    [
        (["Yes, put them through."], "ready", "rules", "move"),
        (["No thanks."], "declined", "rules", "decline"),
        (["Leave a message after the beep."], "voicemail", "rules", "end"),
        (["Who is it?"], "question", "rules", "ask_again"),
        (["One moment."], "wait", "rules", "wait"),
        (["Perhaps."], "unclear", "rules", "ask_again"),
        (["take the call"], "unclear", "echo", "ask_again"),
        (["No.", "--language", "pl"], "unclear", "rules", "ask_again"),
        (["Tak, proszę łączyć.", "--language", "pl"], "ready", "rules", "move"),
        (["Hello?", "--first"], "person", "rules", "brief"),
        (["You have reached the voicemail of Dana.", "--first"], "voicemail", "rules", "end"),
        (["Say your name and why you're calling.", "--first"], "call_screening", "rules", "wait"),
        (["For sales, press one.", "--first"], "hold", "rules", "wait"),
        (["You've reached four one five five.", "--first"], "unclear", "rules", "ask_again"),
    ],
)
def test_the_intent_the_reason_and_the_next_step_are_told(
    in_process: InProcess, arguments: list[str], intent: str, decided_by: str, action: str
) -> None:
    (trial,) = in_process("try", "reply", *arguments, "--json").values
    assert (trial["intent"], trial["decided_by"], trial["action"]) == (intent, decided_by, action)


def test_without_json_one_line_tells_it(in_process: InProcess) -> None:
    output = in_process("try", "reply", "Yes.")
    assert output.out.splitlines()[0] == "ready, by rules: move"


@pytest.mark.parametrize("arguments", [[" "], ["x" * 4_001], ["Yes.", "--language", "tlh"]])
def test_a_wrong_argument_is_named(in_process: InProcess, arguments: list[str]) -> None:
    output = in_process("try", "reply", *arguments)
    assert output.code == 2
    assert "give" in output.err


async def test_a_process_tries_a_reply_without_a_broker(warmxfer: Warmxfer) -> None:
    output = await warmxfer("try", "reply", "I'm all yours.", "--json", NATS_URL="nats://127.0.0.1:1")
    assert output.code == 0
    assert output.values[0]["action"] == "move"
