"""What `docs/protocol.md` tells users in tables: what to write, what comes back, how it ends."""

from __future__ import annotations

import copy
import json
from typing import Any

import msgspec
import pytest

from tests.actors.coordinator.fake_actors import CALLER_CALL
from warmxfer.schemas import (
    CallerCallEnded,
    CallerReleased,
    CancelRequest,
    InvalidRequest,
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
from warmxfer.schemas.transfer import RESERVED_OPTIONS

from . import transfer_example
from .contract import facts
from .examples import examples, page
from .pages import code, codes

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
def test_fields_defaults_and_limits_are_the_schemas(title: str, kind: type[msgspec.Struct]) -> None:
    rows = page().find(title).table(*FIELDS).rows
    real = {each.name: each for each in facts(kind)}
    assert [code(row["field"]) for row in rows] == list(real), f'"{title}" lists other fields than {kind}'
    for row in rows:
        fact = real[code(row["field"])]
        shown = (row["type"], code(row["default"]), row["limits"].replace("\\", ""))
        assert shown == (fact.type, fact.default, fact.limits), f'"{title}", row {fact.name}'
        assert row["meaning"], f'"{title}", row {fact.name}: say what it means'


@pytest.mark.parametrize("kind", WRITTEN_BY_USERS.values())
def test_a_limit_in_words_names_the_numbers_that_are_checked(kind: type[msgspec.Struct]) -> None:
    for fact in facts(kind):
        words = set(fact.limits.replace(",", " ").split())
        assert fact.bounds <= words, f"{kind.__name__}.{fact.name} checks {fact.bounds}, says {fact.limits!r}"


def test_what_only_warmxfer_sets_is_listed() -> None:
    prose = page().find("config.destination.extra_options").prose
    assert codes([line for line in prose if not line.startswith("|")]) == RESERVED_OPTIONS


@pytest.mark.parametrize("row", page().find("Refusals").table("field", "value", "the sentence").rows, ids=str)
def test_refusals_say_exactly_this(row: dict[str, str]) -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_request(_request_with(code(row["field"]), code(row["value"])))
    assert row["the sentence"] == str(refusal.value)


def _request_with(path: str, value: str) -> bytes:
    """The first example of a request, with one thing wrong."""
    if path == THE_MESSAGE:
        return value.encode()
    request = copy.deepcopy(json.loads(examples()[0].block.text))
    *heads, last = path.split(".")
    holder: dict[str, Any] = request
    for head in heads:
        holder = holder.setdefault(head, {})
    if value == LEFT_OUT:
        del holder[last]
    else:
        holder[last] = json.loads(value)
    return json.dumps(request).encode()


# ── what users see ───────────────────────────────────────────────────────────────────────────────


def test_phases_are_the_13_in_order() -> None:
    rows = page().find("Phases").table("phase", "data", "said when").rows
    assert [code(row["phase"]) for row in rows] == [phase.value for phase in WarmTransferPhase]


def test_phases_carry_what_is_named() -> None:
    rows = page().find("Phases").table("phase", "data", "said when").rows
    named = {code(row["phase"]): codes([row["data"]]) for row in rows}
    seen = {
        phase.phase.value: set(phase.data) for told in _stories() for phase in transfer_example.phases(told)
    }
    assert named == seen


@pytest.mark.parametrize("pacing", ["sequential", "overlap"])
def test_phases_come_in_this_order(pacing: Any) -> None:
    said = [
        each.phase.value
        for each in transfer_example.phases(transfer_example.tell(transfer_example.request(pacing)))
    ]
    shown = [[code(item) for item in order] for order in page().find("Phases").orders]
    assert said in shown, f'"Phases" needs a numbered list for {pacing}: {", ".join(said)}'


def test_outcomes_are_all_there_with_their_phase_and_line() -> None:
    rows = page().find("Outcomes").table("outcome", "ends in", "the caller hears", "meaning").rows
    shown = [(code(row["outcome"]), code(row["ends in"]), row["the caller hears"]) for row in rows]
    assert shown == [(each.value, _ends_in(each), _line(each)) for each in Outcome]
    assert all(row["meaning"] for row in rows)


@pytest.mark.parametrize("outcome", [Outcome.DECLINED, Outcome.CALLER_LEFT, Outcome.SESSION_RELEASED])
def test_the_machine_says_these_lines(outcome: Outcome) -> None:
    told = next(each for each in _stories() if transfer_example.result(each).outcome is outcome)
    assert (transfer_example.heard(told) or NOTHING) == _line(outcome)
    assert transfer_example.result(told).phase.value == _ends_in(outcome)


UNHEARD = {
    Outcome.COMPLETE: "the caller talks with the supervisor",
    Outcome.INVALID_REQUEST: "nobody was held",
    Outcome.TOO_BUSY: "nobody was held",
    Outcome.CALLER_IN_TRANSFER: "nobody was held by this transfer",
    Outcome.CALLER_LEFT: "the caller is gone",
    Outcome.SESSION_RELEASED: "the session has spoken for itself",
}


def _line(outcome: Outcome) -> str:
    return NOTHING if outcome in UNHEARD else apology_for(outcome)


def _ends_in(outcome: Outcome) -> str:
    if outcome is Outcome.COMPLETE:
        return WarmTransferPhase.TRANSFER_COMPLETE.value
    cancelled = WarmTransferPhase.TRANSFER_CANCELLED, WarmTransferPhase.TRANSFER_FAILED
    return cancelled[0 if outcome.cancelled else 1].value


def _stories() -> list[list[transfer_example.Output]]:
    dialed, briefing = WarmTransferPhase.SUPERVISOR_DIALED, WarmTransferPhase.BRIEFING_STARTED
    gone, alone = CallerCallEnded(call_id=CALLER_CALL), CallerReleased(command_id=None)
    return [
        transfer_example.tell(transfer_example.request()),
        transfer_example.tell(TransferRefused(transfer_id=transfer_example.ID, detail="room_id is missing.")),
        transfer_example.tell(transfer_example.request(), twist=transfer_example.after(dialed, gone)),
        transfer_example.tell(transfer_example.request(), twist=transfer_example.after(dialed, alone)),
        transfer_example.tell(
            transfer_example.request(),
            twist=transfer_example.after(briefing, SupervisorDeclined(reason="Not now.")),
        ),
    ]
