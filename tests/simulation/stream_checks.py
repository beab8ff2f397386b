"""Invariants that the stream shows: one history, one end, no state without its commands.

The numbers are those of docs/reliability.md. Each check yields one sentence per violation. The checks that
the chaos runs share are in `tests/testkit/invariants.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from tests.testkit.invariants import HISTORY_CHECKS, only_poison_dead_lettered
from tests.testkit.transfer_history import TransferHistory, transfer_of
from warmxfer.actors.coordinator.outbox import timers_due
from warmxfer.actors.coordinator.state_machine import Stage, decode_record, last_record
from warmxfer.bus import subjects
from warmxfer.bus.archive import log_of
from warmxfer.schemas import DeadlinePassed, NoticeKind, Outcome, decode_command

from .fault_schedule import POISON
from .plan import TransferPlan

if TYPE_CHECKING:
    from .world import World

EARLY_S = 0.001
GUARD_NOTICES = (NoticeKind.CALLER_RETURNED, NoticeKind.CALLER_RESCUED, NoticeKind.CALLER_ALONE)
GRACE_S = 15.0
MIN_BRIEFING_S = 30.0
"""The briefing takes 10 s to speak. A model that hangs may add 3 s before its time-out."""
MODEL_FAULTS = frozenset({"model_hangs", "model_endless", "model_refuses", "model_fails", "webhook_lost"})
"""A willing supervisor must get the call although these faults strike."""


def shared_checks(world: World, history: TransferHistory) -> Iterator[str]:
    """I11, I12, I13, I20: the invariants of a history alone."""
    for check in HISTORY_CHECKS:
        yield from map(str, check(history))


def every_message_from_a_record(world: World, history: TransferHistory) -> Iterator[str]:
    """I14: each message that a record orders was stored, and no other message was stored.

    A timer that was due is not set again while the event that says so is handled.
    """
    ordered = history.subjects_by_msg_id()
    if missing := sorted(set(ordered) - world.streams.written - _timers_passed(history)):
        yield f"I14: never sent: {missing}"
    stored = [*history.sent, *(each for each, _ in history.phases), *(each for each, _ in history.results)]
    stored += [each for each, notice in history.notices if notice.notice in GUARD_NOTICES]
    unordered = [each.subject for each in stored if each.msg_id not in ordered]
    unordered = [subject for subject in unordered if subject not in world.fault_schedule.poisoned]
    if unordered:
        yield f"I14: sent by no record: {unordered}"


def _timers_passed(history: TransferHistory) -> set[str]:
    """Return the message ids of timers whose deadline was passed by the event of the next record."""
    return {
        id
        for (_, record), (_, later) in pairwise(history.records)
        if isinstance(later.event, DeadlinePassed)
        for id in timers_due(record, later.event.due_at)
    }


def fencing_tokens_rise(world: World, history: TransferHistory) -> Iterator[str]:
    """I15: fenced commands are stored in the order of their fencing tokens."""
    session = world.plans[history.id].session
    for subject in (subjects.session_commands(session), subjects.consult(history.id)):
        commands = [decode_command(each.data) for each in history.sent if each.subject == subject]
        fences: list[int] = [each.fence for each in commands]  # type: ignore[union-attr]
        if any(later <= earlier for earlier, later in pairwise(fences)):
            yield f"I15: fences on {subject} are {fences}"


def one_deadline(world: World, history: TransferHistory) -> Iterator[str]:
    """I16, I18: a live state has one durable deadline, an ended state none; no deadline is applied early."""
    for _, record in history.transitions:
        state = record.state
        waits = not state.stage.ended or state.stage is Stage.GUARDING or state.check_due_at is not None
        waits |= state.archive_due_at is not None
        if waits is not (record.state.timer_due_at is not None):
            stage = record.state.stage.value
            yield f"I18: record {record.state.seq} in {stage} has its timer at {record.state.timer_due_at}"
        if isinstance(record.event, DeadlinePassed) and record.at < record.event.due_at - EARLY_S:
            yield f"I18: a deadline was applied {record.event.due_at - record.at:.3f} s early"
    for stored in history.sent:
        if stored.subject == history.guard_timer_subject and not _is_guarding(history, stored.seq):
            yield "I18: a running transfer has the timer of a guard"
        if stored.subject == history.timer_subject and _is_guarding(history, stored.seq):
            yield "I18: the timer of a guard counts as a running transfer"
    over = history.ended_at is not None and history.records[-1][1].state.timer_due_at is None
    timers = {history.timer_subject, history.guard_timer_subject, history.archive_timer_subject}
    if over and timers & set(world.streams.timers):
        yield "I16: the timer is still set"


def _is_guarding(history: TransferHistory, seq: int) -> bool:
    """Return whether the newest record before stream number `seq` is one of a guard."""
    before = [record for stored, record in history.records if stored.seq < seq]
    return bool(before) and before[-1].state.stage is Stage.GUARDING


def bounded_life(world: World, history: TransferHistory) -> Iterator[str]:
    """I19, L1, L3: each transfer ends, and in time."""
    if not history.records:
        yield "L1: the request was acknowledged and has no record"
    elif history.ended_at is None:
        yield f"L3: still {history.records[-1][1].state.stage.value}"
    elif (
        history.ended_at - history.began_at > longest_life_s(world.plans[history.id]) + world.faults_lasted_s
    ):
        yield f"I19: it lived for {history.ended_at - history.began_at:.1f} s"


ARCHIVED_SOON_S = 120.0
LEFT_TO_NEWER_S = 32.0
"""For how long a message of an unknown type is given back. The least wait for the archive is longer."""


STORED_LATE = re.compile(r"\.intent\.|\.dead$")
"""What a gateway or a coordinator may store while another coordinator archives the transfer."""


def waits_for_archive(history: TransferHistory) -> bool:
    """Return whether the transfer is to be archived soon. One that is not confirmed waits for a day."""
    if not history.records:
        return False
    stored, record = history.records[-1]
    due_at = record.state.archive_due_at
    return due_at is not None and due_at < stored.at + ARCHIVED_SOON_S


def archived_completely(world: World, history: TransferHistory) -> Iterator[str]:
    """I35: an archived transfer has its whole log in the archive, and left the working streams.

    A claim or a dead letter that is stored after the archiving stays until `max_age`. No actor reads them.
    """
    if not history.records or not history.records[-1][1].state.archived:
        if history.records and waits_for_archive(history):
            yield "I35: it was not archived"
        return
    if any(record.state.archived for _, record in history.records[:-1]):
        yield "I35: a record follows the archiving"
    if not history.archived:
        yield "I35: it left the streams and is not in the archive"
        return
    # The last record of the stream has no personal data. The archive has it whole.
    records = [stored.data for stored, _ in history.records[:-1]]
    *archived, last = [each.data for each in log_of(history.archived[-1].data).stored_records()]
    whole = decode_record(last)
    if archived != records or last_record(whole) != history.records[-1][1]:
        yield "I35: the archive has another log"
    if len(history.records) > 1 and whole.state.request != history.records[-2][1].state.request:
        yield "I35: the archive has another last record"
    left = [
        each.subject
        for name in subjects.WORKING_STREAMS
        for each in world.streams.by_name[name].after(0)
        if transfer_of(each) == history.id and each.subject != subjects.log(history.id)
        if not (STORED_LATE.search(each.subject) and each.at > history.archived[-1].at)
    ]
    if left:
        yield f"I35: it was archived, and the streams have {left}"


def dead_letters(world: World, history: TransferHistory) -> Iterator[str]:
    """I22: an unreadable message has a dead letter with its cause, and no other message has one."""
    poison = {seq for id, seq in world.fault_schedule.poison if id == history.id}
    poison -= _removed_early(world, poison, history)
    yield from map(str, only_poison_dead_lettered(history, poison))


def _removed_early(world: World, poison: set[int], history: TransferHistory) -> set[int]:
    """Return the poison that was removed while it was left to a newer version: the wait is short here.

    An outage uses up no wait, but it uses up the time of the message.
    """
    if not history.archived:
        return set()
    archived_at, streams = history.archived[-1].at, world.streams
    handled = [stored.at for stored, record in history.records if not record.state.archived]
    outages_ended = [end for _, *ended in world.fault_schedule.outages for end in ended if end < archived_at]
    waits_since = max([*handled, *outages_ended], default=0.0)
    return {
        each.seq
        for each in streams.after(0)
        if each.data == POISON
        and each.seq in poison
        and transfer_of(each) == history.id
        and streams.by_name[subjects.place_of(each.subject).stream].get(each.seq) is None
        and archived_at - max(each.at, waits_since) < LEFT_TO_NEWER_S
    } - {letter["seq"] for letter in history.dead_letters}


def summary_fails_nothing(world: World, history: TransferHistory) -> Iterator[str]:
    """I24: no failure of the model or the summarizer fails a transfer."""
    result = history.result
    if result is not None and "summarize" in f"{result.evidence} {result.detail}":
        yield f"I24: {result.outcome.value}: {result.detail}"


def willing_supervisor_completes(world: World, history: TransferHistory) -> Iterator[str]:
    """L2: without faults that matter, a willing supervisor gets the call."""
    plan = world.plans[history.id]
    willing = plan.supervisor == "ready" and not plan.flaw and plan.cancelled_at_s is None
    willing = willing and plan.supervisor_talks_s is None and plan.caller_talks_s is None
    willing = willing and plan.config["briefing_timeout_s"] >= MIN_BRIEFING_S
    alone = sum(each.session == plan.session for each in world.plan.transfers) == 1
    caller_stays = all(
        each.hangs_up_at_s is None for each in world.plan.callers if each.session == plan.session
    )
    if willing and alone and caller_stays and world.faults.allowed <= MODEL_FAULTS and not history.complete:
        outcome = history.result.outcome.value if history.result else "no result"
        yield f"L2: {outcome}, without a fault that matters"


def never_broken(world: World, history: TransferHistory) -> Iterator[str]:
    """No transfer ends with the outcome of an internal error."""
    if history.result is not None and history.result.outcome is Outcome.BROKEN:
        yield f"broken: {history.result.detail}"


def longest_life_s(plan: TransferPlan) -> float:
    """Return T_max of I19: the sum of the longest time in each stage, plus a grace for late timers."""
    config = plan.config
    command_s, summary_s = config["command_timeout_s"], config["summary_timeout_s"]
    preparing_s = 6 * command_s + summary_s + 2
    switching_s = 2 * command_s + 1 + config["caller_arrival_timeout_s"] + command_s
    handover_s = command_s + 2 * command_s
    unwinding_s = 6 * command_s + 6 * command_s
    waiting_s = config["supervisor_join_timeout_s"] + config["briefing_timeout_s"]
    return 2 * preparing_s + waiting_s + switching_s + handover_s + unwinding_s + GRACE_S


STREAM_CHECKS = (
    shared_checks,
    every_message_from_a_record,
    fencing_tokens_rise,
    one_deadline,
    bounded_life,
    archived_completely,
    dead_letters,
    summary_fails_nothing,
    willing_supervisor_completes,
    never_broken,
)
