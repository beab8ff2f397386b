"""The tables of `docs/protocol.md`: what users write, what they receive, and how a transfer ends."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest

from tests.actors.coordinator.fake_actors import CALLER_CALL
from warmxfer.actors.coordinator.state_machine import Stage, Transfer
from warmxfer.bus import BusSettings, subjects
from warmxfer.schemas import (
    MAX_MESSAGE_BYTES,
    SUMMARY_MAX_CHARS,
    CallerCallEnded,
    CallerReleased,
    CancelRequest,
    InvalidRequest,
    NoticeKind,
    Outcome,
    SIPDestination,
    SIPOptions,
    SpokenLines,
    SupervisorDeclined,
    TransferRefused,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    apology_for,
    read_request,
)
from warmxfer.schemas.fields import (
    ANSWER_MAX_BYTES,
    FACTS_MAX,
    ID_MAX_CHARS,
    LINE_MAX_CHARS,
    REASON_MAX_CHARS,
    SENTENCE_MAX_CHARS,
    WORD_MAX_CHARS,
)
from warmxfer.schemas.transfer import RESERVED_OPTIONS
from warmxfer.schemas.validation import MAX_REQUEST_BYTES

from . import example_transfer
from .examples import PROTOCOL, examples, page
from .message_fields import fields_of
from .pages import assert_limits, code, codes

PAGE = page(PROTOCOL)

FIELDS = ("field", "type", "default", "limits", "meaning")
WRITTEN_BY_USERS = {
    "The request": WarmTransferRequest,
    "config": WarmTransferConfig,
    "config.destination": SIPDestination,
    "config.destination.extra_options": SIPOptions,
    "config.lines": SpokenLines,
    "The cancel": CancelRequest,
}
LEFT_OUT = "(left out)"
THE_MESSAGE = "(the message)"
NOTHING = "—"


# ── what users write ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("title", "kind"), WRITTEN_BY_USERS.items())
def test_fields_defaults_and_limits_are_those_of_the_schema(title: str, kind: type[msgspec.Struct]) -> None:
    rows = PAGE.find(title).table(*FIELDS).rows
    fields = {each.name: each for each in fields_of(kind)}
    assert [code(row["field"]) for row in rows] == list(fields), f'"{title}" lists other fields than {kind}'
    for row in rows:
        field = fields[code(row["field"])]
        shown = (row["type"], code(row["default"]), row["limits"].replace("\\", ""))
        assert shown == (field.type, field.default, field.limits), f'"{title}", row {field.name}'
        assert row["meaning"], f'"{title}", row {field.name}: write its meaning'


@pytest.mark.parametrize("kind", WRITTEN_BY_USERS.values())
def test_the_words_of_a_limit_name_its_numbers(kind: type[msgspec.Struct]) -> None:
    for field in fields_of(kind):
        words = set(field.limits.replace(",", " ").split())
        assert field.bounds <= words, (
            f"{kind.__name__}.{field.name} checks {field.bounds}, its words are {field.limits!r}"
        )


def test_reserved_options_are_listed() -> None:
    prose = PAGE.find("config.destination.extra_options").prose
    assert codes([line for line in prose if not line.startswith("|")]) == RESERVED_OPTIONS


@pytest.mark.parametrize("row", PAGE.find("Refusals").table("field", "value", "sentence").rows, ids=str)
def test_a_refusal_has_exactly_this_sentence(row: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_request(_request_with(code(row["field"]), code(row["value"])))
    assert row["sentence"] == str(refusal.value)


def _request_with(path: str, value: str) -> bytes:
    """Return the first example of a request with `value` at `path`."""
    if path == THE_MESSAGE:
        return value.encode()
    request = copy.deepcopy(json.loads(examples()[0].block.text))
    *parents, last = path.split(".")
    holder: dict[str, Any] = request
    for parent in parents:
        holder = holder.setdefault(parent, {})
    if value == LEFT_OUT:
        del holder[last]
    else:
        holder[last] = json.loads(value)
    return json.dumps(request).encode()


# ── what users receive ───────────────────────────────────────────────────────────────────────────────


def test_the_13_phases_are_listed_in_order() -> None:
    rows = PAGE.find("Phases").table("phase", "data", "published when").rows
    assert [code(row["phase"]) for row in rows] == [phase.value for phase in WarmTransferPhase]


def test_the_data_of_each_phase_is_named() -> None:
    rows = PAGE.find("Phases").table("phase", "data", "published when").rows
    named = {code(row["phase"]): codes([row["data"]]) for row in rows}
    published = {
        phase.phase.value: set(phase.data)
        for outputs in _transfers()
        for phase in example_transfer.phases(outputs)
    }
    assert named == published


@pytest.mark.parametrize("pacing", ["sequential", "overlap"])
def test_phases_are_published_in_the_order_of_the_page(pacing: Any) -> None:
    outputs = example_transfer.play(example_transfer.request(pacing))
    published = [each.phase.value for each in example_transfer.phases(outputs)]
    shown = [[code(item) for item in items] for items in PAGE.find("Phases").numbered_lists]
    assert published in shown, f'"Phases" has no numbered list for {pacing}; write {", ".join(published)}'


def test_every_kind_of_notice_is_listed() -> None:
    rows = PAGE.find("Notices").table("notice", "data", "published when").rows
    assert [code(row["notice"]) for row in rows] == [kind.value for kind in NoticeKind]
    assert all(row["published when"] for row in rows)


def test_every_outcome_is_listed_with_its_phase_and_line() -> None:
    rows = PAGE.find("Outcomes").table("outcome", "ends in", "the caller hears", "meaning").rows
    shown = [(code(row["outcome"]), code(row["ends in"]), row["the caller hears"]) for row in rows]
    assert shown == [(each.value, _ends_in(each), _line(each)) for each in Outcome]
    assert all(row["meaning"] for row in rows)


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.CALLER_LEFT, Outcome.SESSION_RELEASED])
def test_the_state_machine_sends_the_line_of_the_page(outcome: Outcome) -> None:
    outputs = next(each for each in _transfers() if example_transfer.result(each).outcome is outcome)
    assert (example_transfer.apology(outputs) or NOTHING) == _line(outcome)
    assert example_transfer.result(outputs).phase.value == _ends_in(outcome)


WITHOUT_LINE = {
    Outcome.COMPLETE: "the caller talks with the supervisor",
    Outcome.INVALID_REQUEST: "no caller was held",
    Outcome.TOO_BUSY: "no caller was held",
    Outcome.CALLER_IN_TRANSFER: "this transfer held no caller",
    Outcome.CALLER_LEFT: "the caller hung up",
    Outcome.SESSION_RELEASED: "the session spoke its own line",
}


def _line(outcome: Outcome) -> str:
    return NOTHING if outcome in WITHOUT_LINE else apology_for(outcome)


def _ends_in(outcome: Outcome) -> str:
    if outcome is Outcome.COMPLETE:
        return WarmTransferPhase.TRANSFER_COMPLETE.value
    if outcome.cancelled:
        return WarmTransferPhase.TRANSFER_CANCELLED.value
    return WarmTransferPhase.TRANSFER_FAILED.value


def _transfers() -> list[list[example_transfer.Output]]:
    """Return the outputs of five transfers: complete, refused, caller gone, session released, declined."""
    dialed, briefing = WarmTransferPhase.SUPERVISOR_DIALED, WarmTransferPhase.BRIEFING_STARTED
    caller_gone, released = CallerCallEnded(call_id=CALLER_CALL), CallerReleased(command_id=None)
    declined = SupervisorDeclined(reason="Not now.")
    play, request, after = example_transfer.play, example_transfer.request, example_transfer.after
    return [
        play(request()),
        play(TransferRefused(transfer_id=example_transfer.ID, detail="room_id is missing.")),
        play(request(), intervention=after(dialed, caller_gone)),
        play(request(), intervention=after(dialed, released)),
        play(request(), intervention=after(briefing, declined)),
    ]


# ── subjects, limits and names ───────────────────────────────────────────────────────────────────


def test_the_subjects_of_users_are_those_of_the_bus() -> None:
    rows = PAGE.find("Subjects").table("subject", "writer", "readers", "what").rows
    expected = [
        (row.pattern, ", ".join(row.writers), ", ".join(row.readers), row.carries)
        for row in subjects.SUBJECTS
        if "client" in (*row.writers, *row.readers)
    ]
    assert [(code(row["subject"]), *list(row.values())[1:]) for row in rows] == expected


LIMITS = {
    "an id, a session name": 64,
    "a request or a cancel": MAX_MESSAGE_BYTES,
    "a request as JSON with its defaults": MAX_REQUEST_BYTES,
    "a summary": SUMMARY_MAX_CHARS,
    "a spoken line": LINE_MAX_CHARS,
    "a reason, and what a person said": REASON_MAX_CHARS,
    "a sentence in what you receive: `detail`, `error`, a text in `evidence`": SENTENCE_MAX_CHARS,
    "an id in what you receive: a room, a leg, a participant, a session": ID_MAX_CHARS,
    "a word or the name of a fact in what you receive": WORD_MAX_CHARS,
    "facts in one `data` or `evidence`": FACTS_MAX,
    "`response`, the answer of the provider": ANSWER_MAX_BYTES,
    "a stored message is kept": round(BusSettings().max_age_s / 86_400),
}


def test_limits_are_those_of_the_code() -> None:
    assert_limits(PAGE.find("Names and limits"), LIMITS)


def test_names_are_those_of_the_state_machine() -> None:
    transfer = Transfer(id=example_transfer.ID, stage=Stage.NEW, started_at=example_transfer.NOW)
    assigned = {
        transfer.supervisor_participant_id,
        transfer.caller_consult_id,
        transfer.caller_return_id,
        transfer.agent_participant_id,
    }
    rows = PAGE.find("Names and limits").table("name", "of").rows
    assert assigned <= {code(row["name"]) for row in rows}
