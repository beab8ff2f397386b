"""The invariants that the stream alone shows: one history, one end, nothing lost between state and command.

The numbers are those of docs/reliability.md. Each check yields one sentence per broken promise.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from warmxfer.actors.coordinator.state_machine import Ignored, Stage, Transfer, step
from warmxfer.actors.coordinator.state_machine.transitions import TRANSITIONS
from warmxfer.schemas import DeadlinePassed, Outcome, decode_command, encode

from .transfer_history import Story

if TYPE_CHECKING:
    from .world import World

EARLY_S = 0.001
GRACE_S = 15.0
ENOUGH_TO_BRIEF_S = 30.0
"""The story takes 10 s to tell; a model that hangs may take 3 s to be given up on."""
MODEL_FAULTS = frozenset({"model_hangs", "model_endless", "model_refuses", "model_fails", "webhook_lost"})
"""Faults that must not keep a willing supervisor from getting the call."""


def one_end(world: World, story: Story) -> Iterator[str]:
    """I11: exactly one terminal phase and one result, and no phase after it."""
    finals = [phase.seq for _, phase in story.phases if phase.phase.final]
    if len(finals) != 1 or len(story.results) != 1:
        yield f"I11: {len(finals)} final phases, {len(story.results)} results"
    elif finals[0] != len(story.phases):
        yield f"I11: phase {finals[0]} is final and {len(story.phases)} were said"


def one_path(world: World, story: Story) -> Iterator[str]:
    """I12, I20: numbers without gap or repeat, every step a row of the table, every trigger once."""
    said = [phase.seq for _, phase in story.phases]
    if said != list(range(1, len(said) + 1)):
        yield f"I12: phases are numbered {said}"
    kept = [record.state.seq for _, record in story.records]
    if kept != list(range(1, len(kept) + 1)):
        yield f"I12: records are numbered {kept}"
    triggers = [record.trigger for _, record in story.records]
    if len(set(triggers)) != len(triggers):
        yield f"I20: a trigger took effect twice: {triggers}"
    before = Stage.NEW
    for _, record in story.records:
        rule = TRANSITIONS[before].get(type(record.event))
        if rule is None or record.state.stage not in rule.to:
            yield f"I12: {type(record.event).__name__} led from {before.value} to {record.state.stage.value}"
        before = record.state.stage


def pure_fold(world: World, story: Story) -> Iterator[str]:
    """I13: replaying the log from empty gives every stored state and outbox, bit for bit."""
    state: Transfer | None = None
    for _, record in story.records:
        outcome = step(state, record.event, record.at)
        if isinstance(outcome, Ignored):
            yield f"I13: record {record.state.seq} replays to nothing: {outcome.why}"
            return
        if encode(outcome.state) != encode(record.state) or encode(outcome.outbox) != encode(record.outbox):
            yield f"I13: record {record.state.seq} replays to something else"
            return
        state = outcome.state


def nothing_between(world: World, story: Story) -> Iterator[str]:
    """I14: all that a record sends went out, and nothing went out that no record sends."""
    named = story.named()
    if missing := sorted(set(named) - world.stream.written):
        yield f"I14: never sent: {missing}"
    out = [*story.sent, *(stored for stored, _ in story.phases), *(stored for stored, _ in story.results)]
    strays = [stored.subject for stored in out if stored.msg_id not in named]
    strays = [subject for subject in strays if subject not in world.storm.poisoned]
    if strays:
        yield f"I14: sent by no record: {strays}"


def rising_fences(world: World, story: Story) -> Iterator[str]:
    """I15: level commands reach the stream in the order of their fences."""
    for ending in (f".do.primary.{story.plan.session}", ".do.consult"):
        fences = [decode_command(each.data).fence for each in story.sent if each.subject.endswith(ending)]  # type: ignore[union-attr]
        if any(later <= earlier for earlier, later in pairwise(fences)):
            yield f"I15: fences on {ending} are {fences}"


def one_deadline(world: World, story: Story) -> Iterator[str]:
    """I18: every live state has a durable deadline, an ended one none; no deadline is acted on too early."""
    for _, record in story.records:
        waits = not record.state.stage.ended or record.state.check_due_at is not None
        if waits is not (record.state.timer_due_at is not None):
            stage = record.state.stage.value
            yield f"I18: record {record.state.seq} in {stage} is armed for {record.state.timer_due_at}"
        if isinstance(record.event, DeadlinePassed) and record.at < record.event.due_at - EARLY_S:
            yield f"I18: a deadline was acted on {record.event.due_at - record.at:.3f} s early"
    over = story.ended_at is not None and story.records[-1][1].state.timer_due_at is None
    if over and story.timer_subject in world.stream.timers:
        yield "I16: the timer is still set"


def bounded_life(world: World, story: Story) -> Iterator[str]:
    """I19, L1, L3: it ends, and in time."""
    if not story.records:
        yield "L1: the request was acknowledged and has no record"
    elif story.ended_at is None:
        yield f"L3: still {story.records[-1][1].state.stage.value}"
    elif story.ended_at - story.began_at > longest_life_s(story) + world.stormed_s:
        yield f"I19: it lived for {story.ended_at - story.began_at:.1f} s"


def given_up(world: World, story: Story) -> Iterator[str]:
    """I22: what nobody can read is parked with its cause, and nothing else is given up."""
    parked = {letter["seq"]: letter["cause"] for letter in story.dead}
    poison = {seq for id, seq in world.storm.poison if id == story.id}
    if lost := sorted(poison - set(parked)):
        yield f"I22: poison {lost} was not parked"
    healthy = {seq: cause for seq, cause in parked.items() if seq not in poison}
    for seq, cause in healthy.items():
        yield f"I22: {world.stream[seq].subject} ({seq}) was given up: {cause}"


def summary_never_stops_it(world: World, story: Story) -> Iterator[str]:
    """I24: no failure of the model or the summarizer fails a transfer."""
    result = story.result
    if result is not None and "summarize" in f"{result.evidence} {result.detail}":
        yield f"I24: {result.outcome.value}: {result.detail}"


def willing_ends_complete(world: World, story: Story) -> Iterator[str]:
    """L2: without faults that matter a willing supervisor gets the call."""
    plan = story.plan
    willing = plan.supervisor == "ready" and not plan.flaw and plan.cancelled_at_s is None
    willing = willing and plan.config["briefing_timeout_s"] >= ENOUGH_TO_BRIEF_S
    alone = sum(each.plan.session == plan.session for each in world.stories.values()) == 1
    caller_stays = all(
        each.hangs_up_at_s is None for each in world.plan.callers if each.session == plan.session
    )
    if willing and alone and caller_stays and world.weather.allowed <= MODEL_FAULTS and not story.complete:
        yield f"L2: {story.result.outcome.value if story.result else 'no result'} in fair weather"


def honest_words(world: World, story: Story) -> Iterator[str]:
    """No transfer ends by a bug of ours."""
    if story.result is not None and story.result.outcome is Outcome.BROKEN:
        yield f"broken: {story.result.detail}"


def longest_life_s(story: Story) -> float:
    """I19's T_max: the sum of the longest that every stage may last, and a grace for late timers."""
    config = story.plan.config
    command_s, summary_s = config["command_timeout_s"], config["summary_timeout_s"]
    preparing_s = 6 * command_s + summary_s + 2
    switching_s = 2 * command_s + 1 + config["caller_arrival_timeout_s"] + command_s
    unwinding_s = 6 * command_s + 6 * command_s
    waiting_s = config["supervisor_join_timeout_s"] + config["briefing_timeout_s"]
    return 2 * preparing_s + waiting_s + switching_s + unwinding_s + GRACE_S


STREAM_CHECKS = (
    one_end,
    one_path,
    pure_fold,
    nothing_between,
    rising_fences,
    one_deadline,
    bounded_life,
    given_up,
    summary_never_stops_it,
    willing_ends_complete,
    honest_words,
)
