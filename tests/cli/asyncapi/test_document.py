"""The AsyncAPI document: valid, complete, and the committed file is what the code makes."""

from __future__ import annotations

import copy
import hashlib
import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator

from tests.cli.conftest import InProcess
from tests.golden.wire import PUBLIC_KINDS as FROZEN_KINDS
from warmxfer.bus.subject_table import SUBJECTS
from warmxfer.cli.asyncapi.command import written
from warmxfer.cli.asyncapi.document import PUBLIC, document
from warmxfer.cli.asyncapi.messages import CARRIED

ROOT = Path(__file__).resolve().parents[3]
COMMITTED = ROOT / "docs" / "asyncapi.json"
OFFICIAL = ROOT / "tests" / "vendor" / "asyncapi" / "3.0.0.json"
API = {row.name for row in SUBJECTS if row.name.startswith("api.")}
OFFICIAL_SHA256 = "abe96881dbfaad495ccbb6bd8d3fb43ca18a13b9d7564849ccb66f39d5e5b20f"


@cache
def official() -> Draft7Validator:
    return Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))


def faults(made: dict[str, Any]) -> list[str]:
    """Return where `made` is no AsyncAPI 3.0 document."""
    return [f"{list(error.absolute_path)}: {error.message[:200]}" for error in official().iter_errors(made)]


def references(value: Any) -> list[str]:
    """Return every `$ref` in `value`."""
    if isinstance(value, list):
        return [each for item in value for each in references(item)]
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [each for item in value.values() for each in references(item)]
    return []


def test_the_official_schema_is_the_one_that_was_published() -> None:
    assert hashlib.sha256(OFFICIAL.read_bytes()).hexdigest() == OFFICIAL_SHA256
    assert "Apache License" in (OFFICIAL.parent / "LICENSE").read_text(encoding="utf-8")


def test_the_document_is_valid() -> None:
    assert faults(document()) == []


def test_the_official_schema_finds_a_fault() -> None:
    wrong = copy.deepcopy(document())
    wrong["operations"]["request"]["action"] = "publish"
    assert any("'operations', 'request'" in fault for fault in faults(wrong))


def test_the_committed_file_is_what_the_code_makes() -> None:
    assert COMMITTED.read_text(encoding="utf-8") == written(document()), (
        "run `uv run warmxfer asyncapi > docs/asyncapi.json`"
    )


def test_every_subject_has_its_channel_its_messages_and_its_operation() -> None:
    made = document()
    assert set(CARRIED) == {row.name for row in SUBJECTS}, "cli/asyncapi/messages.py lists each row"
    for row in SUBJECTS:
        channel = made["channels"][row.name]
        assert channel["address"].replace("{", "<").replace("}", ">") == row.pattern
        assert list(channel["messages"]) == [kind.__name__ for kind in CARRIED[row.name].kinds]
        assert set(channel.get("parameters", {})) == {
            word.strip("<>") for word in row.pattern.split(".") if word.startswith("<")
        }
        assert made["operations"][row.name]["channel"] == {"$ref": f"#/channels/{row.name}"}


def test_every_reference_leads_somewhere() -> None:
    made = document()
    found = references(made)
    assert found
    for reference in found:
        target: Any = made
        for name in reference.removeprefix("#/").split("/"):
            assert name in target, reference
            target = target[name]


def test_the_public_subjects_are_those_that_are_frozen() -> None:
    channels = document()["channels"]
    public = {name for name, each in channels.items() if each.get("tags") == [{"name": PUBLIC}]}
    assert public == {*FROZEN_KINDS, *API}


def test_users_write_what_warmxfer_receives() -> None:
    received = {name for name, each in document()["operations"].items() if each["action"] == "receive"}
    assert received == {"request", "cancel", "ask.erase", "ask.replay", *API}


def test_every_query_has_a_reply_that_may_be_an_error() -> None:
    made = document()
    for row in SUBJECTS:
        if row.name.startswith(("ask.", "api.")):
            channel = made["operations"][row.name]["reply"]["channel"]["$ref"].rpartition("/")[2]
            assert "error" in made["channels"][channel]["messages"], row.name


def test_the_command_prints_the_committed_file(in_process: InProcess) -> None:
    result = in_process("asyncapi")
    assert (result.code, result.out) == (0, COMMITTED.read_text(encoding="utf-8"))


def test_the_command_prints_one_line_as_json(in_process: InProcess) -> None:
    result = in_process("asyncapi", "--json")
    assert result.values == [document()]


@pytest.mark.parametrize("row", SUBJECTS, ids=lambda row: row.name)
def test_the_command_prints_the_schema_of_every_message(in_process: InProcess, row: Any) -> None:
    for kind in CARRIED[row.name].kinds:
        result = in_process("asyncapi", "--schema", kind.__name__)
        schema = json.loads(result.out)
        Draft7Validator.check_schema(schema)
        assert schema["title"] == kind.__name__


def test_an_unknown_message_is_refused_with_the_names(in_process: InProcess) -> None:
    result = in_process("asyncapi", "--schema", "Nothing")
    assert result.code == 2
    assert "--schema is 'Nothing'; give one of" in result.err
    assert " WarmTransferRequest " in result.err
