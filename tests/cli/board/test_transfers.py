"""The transfers that the board shows: any order, any repeats, always within the limits."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from warmxfer.cli.board import transfers as module
from warmxfer.cli.board.step import Step
from warmxfer.cli.board.transfers import FORGOTTEN_AFTER_S, Row, Transfers
from warmxfer.schemas import NoticeKind, PhaseChanged, TransferNotice, WarmTransferPhase
from warmxfer.schemas.timeline import TimeLimits, TransferOutline

LIMITS = TimeLimits(
    preparation_s=70.0, ring_s=30.0, briefing_s=60.0, switch_s=21.0, arrival_s=15.0, cleanup_s=66.0
)
COMPLETE = (
    *("started", "summary_generating", "summary_ready", "caller_on_hold", "consultation_room_created"),
    *("supervisor_dialed", "supervisor_joined", "briefing_started", "briefing_complete"),
    *("call_switched", "transfer_complete"),
)


def phase(seq: int, name: str, at: float | None = None, **data: Any) -> PhaseChanged:
    return PhaseChanged(WarmTransferPhase(name), data, 1_000.0 + seq if at is None else at, None, seq)


def whole_transfer() -> list[PhaseChanged]:
    resolution: dict[str, dict[str, Any]] = {"briefing_complete": {"resolution": "ready"}}
    return [phase(seq, name, **resolution.get(name, {})) for seq, name in enumerate(COMPLETE, 1)]


def outline(id: str) -> TransferOutline:
    return TransferOutline(
        id=id,
        started_at=1_000.5,
        room_id="room-1",
        supervisor="Dana",
        destination="+•••••••••01",
        limits=LIMITS,
    )


def shown(transfers: Transfers) -> dict[str, Row]:
    return {row.id: row for row in transfers.rows()}


def quiet() -> Transfers:
    return Transfers(lambda _: None)


def test_a_transfer_appears_with_its_first_phase_and_is_named_by_its_outline() -> None:
    changed: list[str] = []
    transfers = Transfers(changed.append)
    transfers.apply("a", phase(1, "started"))
    row = shown(transfers)["a"]
    assert (row.step, row.supervisor, row.limit_s, row.on_hold) == (Step.PREPARING, "", None, False)
    transfers.apply("a", phase(2, "caller_on_hold"))
    transfers.apply("a", phase(3, "supervisor_dialed"))
    assert shown(transfers)["a"].on == "the supervisor to answer"
    transfers.apply_outline("a", outline("a"))
    row = shown(transfers)["a"]
    assert (row.on, row.limit_s, row.started_at, row.on_hold) == ("Dana to answer", 30.0, 1_000.5, True)
    assert changed == ["a"] * 4


def test_no_number_of_a_phase_is_in_a_row() -> None:
    transfers = quiet()
    transfers.apply("a", phase(1, "supervisor_dialed", response={"to": "+14155550101"}, summary="private"))
    assert "4155550101" not in str(transfers.rows())
    assert "private" not in str(transfers.rows())


def test_an_end_has_its_outcome_and_the_time_to_human() -> None:
    transfers = quiet()
    for each in whole_transfer():
        transfers.apply("a", each)
    transfers.apply("b", phase(1, "started"))
    transfers.apply("b", phase(2, "transfer_failed", reason="gateway_absent", detail="No gateway replied."))
    rows = shown(transfers)
    assert (rows["a"].outcome, rows["a"].to_human_s, rows["a"].ended_at) == ("complete", 10.0, 1_011.0)
    assert (rows["b"].outcome, rows["b"].detail) == ("gateway_absent", "No gateway replied.")
    assert rows["b"].to_human_s is None
    assert transfers.running == 0
    figures = transfers.ends.figures(1_012.0, 60.0)
    assert (figures.ended, figures.reached, figures.median_s) == (2, 1, 10.0)


def test_a_notice_is_shown_beside_its_transfer() -> None:
    transfers = quiet()
    notice = TransferNotice(NoticeKind.CALLER_ALONE, "The caller is alone.", {}, 5.0)
    transfers.apply_notice("a", notice)
    assert transfers.rows() == []
    transfers.apply("a", phase(1, "started"))
    transfers.apply_notice("a", notice)
    assert shown(transfers)["a"].notice == "caller_alone"


@settings(max_examples=60)
@given(st.integers(0, 10_000))
def test_the_order_and_repeats_of_phases_do_not_matter(seed: int) -> None:
    straight, shuffled = quiet(), quiet()
    for each in whole_transfer():
        straight.apply("a", each)
    choice = random.Random(seed)
    for each in choice.sample(whole_transfer() * 2, len(COMPLETE) * 2):
        shuffled.apply("a", each)
    assert shuffled.rows() == straight.rows()
    assert shuffled.running == straight.running == 0
    assert shuffled.ends.figures(1_100.0, 60.0) == straight.ends.figures(1_100.0, 60.0)


def test_a_missing_phase_is_asked_for_a_few_times() -> None:
    transfers = quiet()
    transfers.apply("gap", phase(3, "caller_on_hold"))
    transfers.apply("whole", phase(1, "started"))
    asked = [transfers.incomplete(10) for _ in range(5)]
    assert asked == [["gap"]] * module.MAX_OUTLINE_TRIES + [[], []]


def test_an_outline_that_cannot_be_read_is_asked_for_a_few_times() -> None:
    transfers = quiet()
    transfers.apply("ended", phase(1, "transfer_failed"))
    transfers.apply("running", phase(1, "started"))
    assert transfers.without_outline(10) == ["running", "ended"]
    assert transfers.without_outline(1) == ["running"]
    for _ in range(module.MAX_OUTLINE_TRIES):
        transfers.apply_outline("running", None)
    assert transfers.without_outline(10) == ["ended"]
    transfers.apply_outline("ended", outline("ended"))
    assert transfers.without_outline(10) == []


def test_more_running_transfers_than_the_limit_are_counted_and_shown_later(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_RUNNING", 2)
    transfers = quiet()
    for id in ("a", "b", "c", "d"):
        transfers.apply(id, phase(1, "started"))
    assert (set(shown(transfers)), transfers.not_shown, transfers.incomplete(10)) == ({"a", "b"}, 2, [])
    transfers.apply("c", phase(2, "transfer_cancelled"))
    assert (transfers.not_shown, shown(transfers)["c"].step) == (1, Step.ENDED)
    transfers.apply("a", phase(2, "transfer_complete"))
    assert transfers.incomplete(10)[-1:] == ["d"]
    transfers.apply("d", phase(1, "started"))
    assert (transfers.not_shown, transfers.running) == (0, 2)


def test_the_oldest_end_leaves_first(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_ENDED", 2)
    changed: list[str] = []
    transfers = Transfers(changed.append)
    for number, id in enumerate(("a", "b", "c")):
        transfers.apply(id, phase(1, "transfer_failed", at=1_000.0 + number))
    assert set(shown(transfers)) == {"b", "c"}
    assert changed[-1] == "a", "who watches learns that it left"
    assert transfers.ends.figures(1_010.0, 60.0).ended == 3, "it still counts"


def test_what_is_old_leaves() -> None:
    transfers = quiet()
    transfers.apply("ended", phase(1, "transfer_failed", at=0.0))
    transfers.apply("running", phase(1, "started", at=0.0))
    transfers.forget_old(module.HOUR_S + 1)
    assert set(shown(transfers)) == {"running"}
    transfers.forget_old(FORGOTTEN_AFTER_S + 1)
    assert (shown(transfers), transfers.running) == ({}, 0)
