"""Transfer reports from ledgers that a test writes and from the sandbox's ledger."""

from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from warmxfer.sandbox import ledger as ledger_module
from warmxfer.sandbox.ledger import Ledger, LedgerRef
from warmxfer.sandbox.limits import MAX_LEDGER_ENTRIES
from warmxfer.sandbox.transfer_report import report

from .client import Sandbox, supervisor

CALLER = LedgerRef("c1", "primary", "ann")


def dial(ledger: Ledger, call_id: str, metadata: dict[str, Any] | None) -> None:
    ledger.record("dial", "api", LedgerRef(call_id, "consult", "sup", metadata))


def test_only_dials_of_the_transfer_are_counted_by_attempt() -> None:
    ledger = Ledger()
    dial(ledger, "d1", {"transferKey": "t1", "attemptKey": "t1.1"})
    dial(ledger, "d2", {"attemptKey": "t1.1"})
    dial(ledger, "d3", {"transferKey": "t1", "attemptKey": "t1.2"})
    dial(ledger, "d4", {"transferKey": "t2", "attemptKey": "t2.1"})
    dial(ledger, "d5", None)
    ledger.record("hangup", "person", LedgerRef("d1"))
    result = report(ledger.entries(), "primary", "c1", "t1")
    assert result["dials"] == {"t1.1": 2, "t1.2": 1}
    assert result["supervisorLegsUp"] == 2


def test_rescues_are_counted_apart_and_are_no_legs_of_the_supervisor() -> None:
    ledger = Ledger()
    marks = {"warmxferId": "t1", "attempt": "rescue", "attemptKey": "t1-rescue"}
    ledger.record("answered", "cloud", CALLER)
    ledger.record("joined", "cloud", CALLER)
    dial(ledger, "d1", marks)
    ledger.record("dispatch", "api", LedgerRef(None, "primary", "dispatched-1", marks), agentId="a")
    ledger.record("dispatch", "api", LedgerRef(None, "primary", "dispatched-2", {"warmxferId": "t2"}))
    result = report(ledger.entries(), "primary", "c1", "t1")
    assert (result["rescues"], result["dials"], result["supervisorLegsUp"]) == (2, {}, 0)
    assert result["callerAlone"]
    ledger.record("joined", "person", LedgerRef("d1", "primary", "wxh-t1", marks))
    assert not report(ledger.entries(), "primary", "c1", "t1")["callerAlone"]


def test_the_report_of_an_empty_ledger_is_empty() -> None:
    assert report([], "primary", "c1", "t1") == {
        "dials": {},
        "rescues": 0,
        "switches": {"forward": 0, "back": 0},
        "supervisorLegsUp": 0,
        "supervisorEndedBy": None,
        "supervisorEndedAt": None,
        "callerLegUp": False,
        "callerEndedBy": None,
        "callerRoom": None,
        "callerHeld": False,
        "callerAlone": False,
        "talking": [],
    }


def test_hold_ends_when_the_holding_agent_leaves() -> None:
    ledger = Ledger()
    agent = LedgerRef(None, "primary", "ai")
    ledger.record("joined", "api", agent)
    ledger.record("listen", "api", agent, enabled=False)
    assert report(ledger.entries(), "primary", "c1", "t1")["callerHeld"] is True
    assert report(ledger.entries(), "other", "c1", "t1")["callerHeld"] is False
    ledger.record("left", "api", agent)
    assert report(ledger.entries(), "primary", "c1", "t1")["callerHeld"] is False


def test_a_caller_is_alone_without_the_agent_of_their_room_or_another_phone() -> None:
    ledger = Ledger()
    ai, briefer = LedgerRef(None, "primary", "ai"), LedgerRef(None, "consult", "briefer")
    moved, supervisor_ref = LedgerRef("c1", "consult", "ann-2"), LedgerRef("d1", "consult", "sup")

    def alone() -> bool:
        return report(ledger.entries(), "primary", "c1", "t1")["callerAlone"]

    ledger.record("answered", "cloud", CALLER)
    assert alone()
    ledger.record("joined", "cloud", CALLER)
    assert alone()
    ledger.record("joined", "api", ai)
    assert not alone()
    ledger.record("left", "cloud", CALLER)
    ledger.record("joined", "api", briefer)
    ledger.record("joined", "cloud", moved)
    assert alone(), "a briefing agent does not count as company"
    ledger.record("joined", "person", supervisor_ref)
    assert not alone()
    ledger.record("left", "person", supervisor_ref)
    assert alone()
    ledger.record("hangup", "person", moved)
    assert not alone(), "a caller that hung up is not alone"


def test_the_report_names_the_side_that_ended_the_supervisors_call() -> None:
    ledger = Ledger()
    dial(ledger, "d1", {"attemptKey": "t1.1"})
    assert report(ledger.entries(), "primary", "c1", "t1")["supervisorEndedBy"] is None
    ledger.record("end", "api", LedgerRef("d1"))
    ended = report(ledger.entries(), "primary", "c1", "t1")
    assert (ended["supervisorEndedBy"], ended["supervisorEndedAt"]) == ("api", ledger.entries()[-1]["at"])


def test_the_report_names_the_side_that_ended_the_callers_call() -> None:
    ledger = Ledger()
    ledger.record("answered", "cloud", CALLER)
    ledger.record("joined", "cloud", CALLER)
    ledger.record("end", "api", CALLER)
    ledger.record("left", "api", CALLER)
    result = report(ledger.entries(), "primary", "c1", "t1")
    assert (result["callerLegUp"], result["callerEndedBy"], result["callerRoom"]) == (False, "api", None)


def test_the_ledger_is_bounded_and_counts_dropped_entries() -> None:
    ledger = Ledger()
    for _ in range(MAX_LEDGER_ENTRIES + 3):
        ledger.record("joined", "api", CALLER)
    entries = ledger.entries()
    assert (len(entries), ledger.dropped) == (MAX_LEDGER_ENTRIES, 3)
    assert (entries[0]["n"], entries[-1]["n"]) == (4, MAX_LEDGER_ENTRIES + 3)


def test_counts_include_dropped_entries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger_module, "MAX_LEDGER_ENTRIES", 5)
    ledger = Ledger()
    for n in range(7):
        dial(ledger, f"d{n}", {"attemptKey": f"t{n}-1"})
    ledger.record("answered", "cloud", CALLER)
    assert (ledger.counts, ledger.dropped) == ({"dial": 7, "answered": 1}, 3)


ROOMS, CALLS, AGENTS = ("primary", "consult", "other"), ("c1", "d1", "d2"), ("ai", "briefer")
MARKS: list[dict[str, Any] | None] = [
    None,
    {"attemptKey": "t1-1", "attempt": "1"},
    {"attemptKey": "t1-2", "warmxferId": "t1"},
    {"attemptKey": "t2-1", "attempt": "t1"},
    {"attempt": "rescue", "warmxferId": "t1"},
    {"attemptKey": 7, "nested": {"warmxferId": "t1"}},
]
KINDS = ("dial", "answered", "joined", "joined", "left", "listen", "speech", "switch", "end", "hangup")


@st.composite
def written(draw: st.DrawFn) -> tuple[str, LedgerRef, dict[str, Any]]:
    """One entry of any kind about any of these rooms, calls and agents."""
    kind = draw(st.sampled_from(KINDS))
    of_a_call = kind in ("dial", "answered", "switch", "end", "hangup")
    call_id = draw(st.sampled_from(CALLS if of_a_call else (*CALLS, None)))
    person = draw(st.sampled_from(AGENTS)) if call_id is None else f"person-{call_id}"
    ref = LedgerRef(call_id, draw(st.sampled_from((*ROOMS, None))), person, draw(st.sampled_from(MARKS)))
    details: dict[str, Any] = {
        "listen": {"enabled": draw(st.booleans())},
        "speech": {"text": "hello", "heardBy": draw(st.lists(st.sampled_from(["person-c1", "person-d1"])))},
        "switch": {"fromRoomId": draw(st.sampled_from((*ROOMS, None)))},
    }
    return kind, ref, details.get(kind, {})


@example(entries=[("joined", LedgerRef("d2", "consult", "person-d2"), {})], kept=9)
@example(entries=[("listen", LedgerRef(None, "primary", "ai"), {"enabled": False})], kept=1)
@example(entries=[("dial", LedgerRef("d1", "other", "sup", MARKS[1]), {})], kept=9)
@example(entries=[("dial", LedgerRef("d1", "other", "sup", MARKS[3]), {})], kept=9)
@settings(max_examples=100, deadline=None)
@given(entries=st.lists(written(), max_size=25), kept=st.integers(1, 30))
def test_the_entries_about_a_transfer_give_the_same_report_as_all_entries(
    entries: list[tuple[str, LedgerRef, dict[str, Any]]], kept: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ledger_module, "MAX_LEDGER_ENTRIES", kept)
        ledger = Ledger()
        ledger.record("answered", "cloud", CALLER)
        ledger.record("joined", "cloud", LedgerRef("c1", "consult", "ann"))
        for kind, ref, details in entries:
            ledger.record(kind, "api", ref, **details)
    for transfer_key in ("t1", "t2", "none"):
        ids = ("primary", "c1", transfer_key)
        assert report(ledger.about(*ids), *ids) == report(ledger.entries(), *ids)
    for room_id in ROOMS:
        of_room = [e for e in ledger.entries() if room_id in (e["roomId"], e.get("fromRoomId"))]
        assert ledger.entries(room_id=room_id) == of_room
    assert len(ledger.entries()) == min(len(entries) + 2, kept)


async def test_the_counts_of_the_ledger(sandbox: Sandbox) -> None:
    await sandbox.caller()
    counted = await sandbox.ok("GET", "/sandbox/ledger/counts")
    assert counted == {"counts": {"room_created": 1, "incoming": 1, "answered": 1, "joined": 1}, "dropped": 0}


async def test_the_ledger_records_a_call_in_order(sandbox: Sandbox) -> None:
    room_id = await sandbox.room()
    call_id = await sandbox.dial(room_id, supervisor("0101"), participant={"id": "sup"})
    await sandbox.wait_for_entry("speech")
    await sandbox.ok("POST", "/v2/sip/call/end", json={"callId": call_id})
    entries = await sandbox.ledger(room=room_id)
    kinds = ["room_created", "dial", "answered", "joined", "speech", "end", "left"]
    assert [(entry["kind"], entry["n"]) for entry in entries] == [
        (kind, n + 1) for n, kind in enumerate(kinds)
    ]
    assert [entry["by"] for entry in entries] == ["api", "api", "person", "person", "person", "api", "api"]
    assert {entry["participantId"] for entry in entries[1:]} == {"sup"}
    assert entries[4]["text"] == "Hello?"


async def test_the_report_needs_its_three_parameters(sandbox: Sandbox) -> None:
    answer = await sandbox.http.get("/sandbox/verdict", params={"primaryRoom": "r"})
    assert (answer.status_code, answer.json()["message"]) == (400, "callerCallId is required.")


async def test_reset_removes_everything(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    await sandbox.fault({"path": "/v2/rooms"}, "status", times=0)
    async with sandbox.agent(caller["roomId"]) as agent:
        await sandbox.ok("POST", "/sandbox/reset")
        assert await agent.wait_until_closed() == (1000, "deactivated")
    assert await sandbox.ledger() == []
    state = await sandbox.ok("GET", "/sandbox/state")
    assert (state["rooms"], state["calls"]) == ([], [])
    await sandbox.room()
