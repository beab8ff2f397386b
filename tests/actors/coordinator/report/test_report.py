"""The report of a transfer, made from the recorded logs of every outcome."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.golden.record import log_path, log_paths, read_log
from tests.testkit.folded_log import folded, replayed
from warmxfer.actors.coordinator.report import EndedBy, TransferReport, report, report_of_log
from warmxfer.actors.coordinator.report.report import ENDED_BY
from warmxfer.actors.coordinator.state_machine import Stage, encode_record, expand_log
from warmxfer.schemas import CallerReleased, CommandReply, Outcome, encode

LOGS = [pytest.param(path, id=path.stem) for path in log_paths()]


def report_of(name: str) -> TransferReport:
    return report(read_log(log_path(name)))


def test_a_complete_transfer_has_every_moment_in_order() -> None:
    made = report_of("ready")
    moments = made.moments
    order = [
        moments.asked_at,
        moments.held_at,
        moments.first_ring_at,
        moments.heard_at,
        moments.accepted_at,
        moments.together_at,
        moments.over_at,
    ]
    assert [each for each in order if each is not None] == sorted(order)  # type: ignore[type-var]
    assert made.durations.to_human_s == 4.153
    assert made.durations.hold_s == 4.129
    assert made.durations.talk_s is None
    assert (made.outcome, made.ended_by, made.unconfirmed) == ("complete", None, [])
    (attempt,) = made.attempts
    assert (attempt.outcome, attempt.decided_by, attempt.timer) == ("accepted", "supervisor_ready", "")


def test_the_caller_held_in_vain_is_on_hold_until_the_release() -> None:
    made = report_of("no_answer")
    (attempt,) = made.attempts
    assert (attempt.outcome, attempt.cause, attempt.sip_code) == ("supervisor_no_answer", "no_answer", 480)
    assert attempt.heard_at is None
    assert made.moments.held_at is not None
    assert made.moments.released_at is not None
    assert made.durations.hold_s == pytest.approx(made.moments.released_at - made.moments.held_at, abs=0.001)
    assert made.durations.to_human_s is None
    assert made.ended_by is EndedBy.TIMER


def test_the_timer_that_decided_an_attempt_is_named() -> None:
    (attempt,) = report_of("silent").attempts
    assert (attempt.outcome, attempt.timer) == ("briefing_timeout", "briefing_timeout_s")


@pytest.mark.parametrize(
    ("name", "by"),
    [("guard_caller_alone", EndedBy.SUPERVISOR), ("guard_caller_hung_up", EndedBy.CALLER)],
)
def test_the_end_of_the_talk_is_known_while_the_ai_watches(name: str, by: EndedBy) -> None:
    made = report_of(name)
    assert (made.outcome, made.ended_by) == ("complete", by)
    assert made.durations.talk_s is not None
    assert made.durations.talk_s > 0


def test_a_transfer_that_proceeds_without_a_yes_says_so() -> None:
    records = read_log(log_path("seed_17_x3"))
    (attempt,) = report(records).attempts
    assert attempt.outcome == "proceeded"
    assert report(records).moments.accepted_at is None


@pytest.mark.parametrize("path", LOGS)
def test_every_command_is_in_the_report_with_its_reply(path: Path) -> None:
    records = read_log(path)
    sent = [
        each["command_id"]
        for line in path.read_bytes().splitlines()
        for each in json.loads(line)["outbox"]
        if "command_id" in each
    ]
    made = report(records)
    assert [each.command_id for each in made.commands] == sent
    replies = {
        each.event.command_id: each.event.__struct_config__.tag
        for each in reversed([*expand_log(records)])
        if isinstance(each.event, CommandReply | CallerReleased)
    }
    for command in made.commands:
        if command.kind != "brief_supervisor":
            assert command.reply == replies.get(command.command_id, "")
        assert (command.took_s is None) == (command.reply == "")


@pytest.mark.parametrize(
    ("name", "again"),
    [
        ("ready", []),
        # A caller and a supervisor are recorded, which is no repeat. The caller is brought back, three times.
        ("guard_rescue_by_dial", ["return_caller", "return_caller"]),
        ("caller_leaves_while_briefing", ["end_call"]),
        ("seed_51_x1", ["create_room"]),
        ("seed_36_x2", ["end_call", "end_call", "close_room"]),
    ],
)
def test_a_command_that_was_sent_before_is_marked(name: str, again: list[str]) -> None:
    repeats = [each for each in report_of(name).commands if each.again]
    assert [each.kind for each in repeats if each.kind != "check_legs"] == again


@pytest.mark.parametrize("path", LOGS)
def test_a_report_of_every_prefix_of_a_log_is_made_and_holds_no_number(path: Path) -> None:
    """The report of a running transfer has no outcome. Moments that are known do not change."""
    records = read_log(path)
    before: TransferReport | None = None
    for end in range(1, len(records) + 1):
        made = report(records[:end])
        state = records[end - 1].state
        assert bool(made.outcome) == (state.decision is not None)
        assert state.stage.ended or not made.unconfirmed
        if before is not None:
            for name in ("held_at", "first_ring_at", "heard_at", "accepted_at", "together_at", "over_at"):
                known = getattr(before.moments, name)
                assert known is None or known == getattr(made.moments, name), name
        before = made
    assert before is not None
    assert not re.search(rb"\+1\d{6}", encode(before))


def test_each_outcome_but_complete_says_who_ended_the_transfer() -> None:
    assert set(ENDED_BY) == set(Outcome) - {Outcome.COMPLETE}


def test_the_logs_contain_a_transfer_with_something_unconfirmed() -> None:
    found = {sentence for path in log_paths() for sentence in report(read_log(path)).unconfirmed}
    assert any("replies to" in sentence or sentence.startswith("No reply came") for sentence in found), found
    ended = [report(read_log(path)) for path in log_paths()]
    assert {each.stage for each in ended} <= {stage.value for stage in Stage if stage.ended}


@pytest.mark.parametrize("size", [2, 3, 8])
@pytest.mark.parametrize("path", LOGS)
def test_a_log_with_several_events_in_a_record_has_the_same_report(path: Path, size: int) -> None:
    log = replayed(read_log(path))
    bodies = [encode_record(each) for each in log]
    joined = [encode_record(each) for each in folded(log, size)]
    assert report_of_log("t", joined) == report_of_log("t", bodies)
