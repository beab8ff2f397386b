"""`python -m tests.golden.newer`: logs as a pretended newer version would have written them.

Each log is a patched copy of a golden log. The golden logs are only read. The copies are in the folder
`newer`, and `test_newer.py` reads them as an older version does after a rollback, or in a mixed fleet.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .record import log_path

NEWER = Path(__file__).parent / "newer"
NEW_FIELD = "a_field_of_the_next_version"
NEW_VALUE: Any = {"more": [1, "two", {"three": None}]}
NEXT_VERSION = 1_000
MAPS = ("evidence", "data", "response", "apologies", "headers", "metadata")
"""Objects that are maps of free keys, not structs."""

Json = dict[str, Any]
Patch = Callable[[Json], None]


def add_fields(value: Any, name: str = "") -> None:
    """Add a new field to every struct in `value`, at every depth."""
    if isinstance(value, list):
        for each in value:
            add_fields(each)
    elif isinstance(value, dict) and name not in MAPS:
        for key, each in list(value.items()):
            add_fields(each, key)
        if name != "pending":
            value[NEW_FIELD] = NEW_VALUE


def fields(record: Json) -> None:
    """Add a new field to every struct."""
    add_fields(record)


def rename_stage(record: Json) -> None:
    """Write another word for the stage in which the caller is moved."""
    if record["state"]["stage"] == "switching":
        record["state"]["stage"] = "conferencing"


def rename_event(record: Json) -> None:
    """Write another type for the event with which the supervisor agrees, and for a reply."""
    names = {"supervisor_ready": "supervisor_agreed", "room_created": "room_reserved"}
    record["event"]["type"] = names.get(record["event"]["type"], record["event"]["type"])


def rename_outcome(record: Json) -> None:
    """Write another outcome, and a new task, pacing and place of the briefing."""
    for place in (record["state"]["verdict"], *record["outbox"]):
        if place and place.get("outcome") == "declined":
            place["outcome"] = "supervisor_asleep"
    record["state"]["begun"].append("play_music")
    if record["state"]["request"]:
        record["state"]["request"]["config"] |= {"pacing": "relaxed", "brief_by": "phone"}


def widen_limits(record: Json) -> None:
    """Write values that are out of the range of this version."""
    if record["state"]["request"]:
        config = record["state"]["request"]["config"]
        config["briefing_timeout_s"] = 9_000.0
        config["lines"]["hold"] = "Please hold. " * 50
    if record["state"]["summary"]:
        record["state"]["summary"] = "word " * 1_000


def add_command(record: Json) -> None:
    """Send a new command whose reply is not awaited."""
    record["outbox"].append(_new_command(record))


def await_command(record: Json) -> None:
    """Send a new command and await its reply, from the dial on."""
    if record["state"]["stage"] in ("ringing", "briefing"):
        record["outbox"].append(_new_command(record))
        due_at = record["at"] + 10.0
        record["state"]["pending"]["t-new"] = {"kind": "play_music", "due_at": due_at}


def need_version(record: Json) -> None:
    """Say that only the next version may continue, from the move of the caller on."""
    if record["state"]["stage"] in ("switching", "arriving", "handing_over"):
        record["min_machine_version"] = NEXT_VERSION


def _new_command(record: Json) -> Json:
    return {"type": "play_music", "command_id": "t-new", "deadline_at": record["at"] + 10.0, "tune": "waltz"}


CONTINUED: dict[str, tuple[str, Patch]] = {
    "fields_ready": ("ready", fields),
    "fields_declined": ("declined", fields),
    "fields_returned": ("seed_2_x1", fields),
    "event": ("ready", rename_event),
    "outcome": ("declined", rename_outcome),
    "limits": ("ready", widen_limits),
    "command": ("ready", add_command),
}
"""Logs that this version can continue, each with the golden log that it is a copy of."""

LEFT: dict[str, tuple[str, Patch]] = {
    "stage": ("ready", rename_stage),
    "awaited_command": ("ready", await_command),
    "requirement": ("ready", need_version),
}
"""Logs with records that this version leaves to a newer one."""

PATCHED = CONTINUED | LEFT


def newer_path(name: str) -> Path:
    """Return the path of one of these logs."""
    return NEWER / f"{name}.jsonl"


def write() -> None:
    """Write every log again."""
    NEWER.mkdir(exist_ok=True)
    for name, (golden, patch) in PATCHED.items():
        newer_path(name).write_bytes(patched_log(golden, patch))
        print(f"newer/{name}")


def patched_log(golden: str, patch: Patch) -> bytes:
    """Return the golden log with `patch` applied to each record."""
    lines: list[str] = []
    for line in log_path(golden).read_text().splitlines():
        record = copy.deepcopy(json.loads(line))
        record["machine_version"] = NEXT_VERSION
        patch(record)
        lines.append(json.dumps(record, separators=(",", ":")) + "\n")
    return "".join(lines).encode()


if __name__ == "__main__":
    write()
