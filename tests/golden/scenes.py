"""Simulated transfers, without faults, that end in a way that no demo scenario and few seeds show.

Each stands for one end of the bridge guard, for a cancel in the handover, for one rescue of a caller whose AI
session is dead, for one notice to the supervisor, or for records of several events. `shown` says what a log
shows of these; the log of a scene shows exactly what the scene is for.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from tests.simulation.loop import spawn
from tests.simulation.patches import patched
from tests.simulation.plan import (
    OUR_NUMBER,
    RESCUES,
    SUPERVISOR_NUMBER,
    CallerPlan,
    Plan,
    Supervisor,
    TransferPlan,
)
from tests.simulation.processes import connect
from tests.simulation.world import World
from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.state_machine import CallerPlace, Record, Stage
from warmxfer.bus import Delivery, subjects
from warmxfer.schemas import (
    CallerReleased,
    CallerRescued,
    CancelRequested,
    LeaveConsultation,
    TransferNotice,
    WarmTransferPhase,
)

SEED = 1
GUARD_S = 30.0
POLL_S = 0.1
SESSION = "room-s1"
_, DIAL, AGENT = RESCUES

Handle = Callable[[Coordinator, Delivery], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Scene:
    """One transfer. `shows` is what its log shows."""

    name: str
    shows: frozenset[str]
    supervisor: Supervisor = "ready"
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    supervisor_talks_s: float | None = None
    """How long after the caller's arrival the supervisor hangs up; None: not at all."""
    caller_talks_s: float | None = None
    session_killed_at: WarmTransferPhase | None = None
    """The phase in which the process of the AI session is killed, for good."""
    asked_again_at_s: float | None = None
    """When the caller's session is asked for a new transfer; the first one is complete by then."""
    cancelled_at: WarmTransferPhase | None = None
    """The phase in which a user cancels the transfer."""
    caller_hangs_up_at_s: float | None = None
    handling_s: float = 0.0
    """How long the coordinator takes for a trigger: further events wait meanwhile."""


KILLED_IN_BRIEFING = WarmTransferPhase.BRIEFING_STARTED
KILLED_IN_GUARD = WarmTransferPhase.TRANSFER_COMPLETE
IN_BRIEFING_S = 15.0
"""A time at which the supervisor was heard and has not decided."""
LINES = ("caller_left", "called_off", "time_over")

SEVERAL = "several events in a record"
CANCELLED_IN_HANDOVER = "cancelled in the handover"

SCENES = [
    Scene("guard_quiet", frozenset({"guard: quiet"}), config={"bridge_guard_s": 5.0}),
    Scene("guard_caller_returned", frozenset({"guard: caller returned"}), supervisor_talks_s=6.0),
    Scene("guard_caller_hung_up", frozenset({"guard: caller hung up"}), caller_talks_s=6.0),
    Scene("guard_new_hold", frozenset({"guard: new hold"}), asked_again_at_s=30.0),
    Scene(
        "guard_caller_alone",
        frozenset({"guard: caller alone"}),
        supervisor_talks_s=9.0,
        session_killed_at=KILLED_IN_GUARD,
    ),
    Scene(
        "guard_rescue_by_dial",
        frozenset({"guard: caller rescued", "rescue by dial"}),
        config={"rescue": DIAL},
        supervisor_talks_s=9.0,
        session_killed_at=KILLED_IN_GUARD,
    ),
    Scene(
        "guard_rescue_by_agent",
        frozenset({"guard: caller rescued", "rescue by agent"}),
        config={"rescue": AGENT},
        supervisor_talks_s=9.0,
        session_killed_at=KILLED_IN_GUARD,
    ),
    Scene(
        "rescue_by_dial",
        frozenset({"rescue by dial"}),
        supervisor="declines",
        config={"rescue": DIAL},
        session_killed_at=KILLED_IN_BRIEFING,
    ),
    Scene(
        "rescue_by_agent",
        frozenset({"rescue by agent"}),
        supervisor="declines",
        config={"rescue": AGENT},
        session_killed_at=KILLED_IN_BRIEFING,
    ),
    Scene(
        "notice_caller_left",
        frozenset({"notice: caller left"}),
        supervisor="speakerphone",
        caller_hangs_up_at_s=IN_BRIEFING_S,
    ),
    Scene(
        "notice_called_off",
        frozenset({"notice: called off"}),
        supervisor="speakerphone",
        cancelled_at=WarmTransferPhase.BRIEFING_STARTED,
    ),
    Scene("notice_time_over", frozenset({"notice: time over"}), supervisor="speakerphone"),
    Scene(
        "cancelled_in_handover",
        frozenset({CANCELLED_IN_HANDOVER, SEVERAL}),
        cancelled_at=WarmTransferPhase.CALL_SWITCHED,
        handling_s=0.8,
    ),
    Scene("several_events", frozenset({"guard: quiet", SEVERAL}), handling_s=0.5),
]
"""A log that is missing is recorded. To change a scene, give it another name: its log stays."""


def shown(records: Iterable[Record]) -> set[str]:
    """Return which of the things that scenes stand for a log shows."""
    found, stage, notices = set[str](), Stage.NEW, list[str]()
    for record in records:
        event = record.event
        if record.also:
            found.add(SEVERAL)
        notices += [each.notice.value for each in record.outbox if isinstance(each, TransferNotice)]
        if isinstance(event, CallerRescued):
            found.add(f"rescue by {event.by}")
        for each in record.outbox:
            if isinstance(each, LeaveConsultation) and each.notice is not None and record.state.request:
                lines = record.state.request.config.lines
                told = next(name for name in LINES if getattr(lines, name) == each.notice)
                found.add(f"notice: {told.replace('_', ' ')}")
        if stage is Stage.HANDING_OVER and isinstance(event, CancelRequested):
            found.add(CANCELLED_IN_HANDOVER)
        if (stage, record.state.stage) == (Stage.GUARDING, Stage.COMPLETED):
            if isinstance(event, CallerReleased) and event.cause == "new_transfer":
                found.add("guard: new hold")
            elif record.state.caller is CallerPlace.HUNG_UP:
                found.add("guard: caller hung up")
            elif notices:
                found.add(f"guard: {notices[-1].replace('_', ' ')}")
            else:
                found.add("guard: quiet")
        stage = record.state.stage
    return found


def play_scene(scene: Scene) -> tuple[list[bytes], list[Record]]:
    """Run a scene. Return the log of its first transfer. Raises SystemExit if an invariant is broken."""
    with patched(), pytest.MonkeyPatch.context() as patch:
        if scene.handling_s:
            patch.setattr(Coordinator, "handle", _slow(Coordinator.handle, scene.handling_s))
        world = World(SEED, plan=_plan(scene))
        world.faults.stopped = True
        if scene.session_killed_at is not None:
            _when_reached(
                world, scene.session_killed_at, lambda: world.processes.crash_or_stall("crash_primary")
            )
        if scene.cancelled_at is not None:
            _when_reached(
                world, scene.cancelled_at, lambda: spawn(world.loop, world.users, _cancel(), "cancels")
            )
        problems = world.run().problems
    if problems:
        raise SystemExit(f"{scene.name}: {'; '.join(problems)}")
    # The record of the archiving is stored without the request, so it replays to another state.
    kept = [each for each in world.histories["x1"].records if not each[1].state.archived]
    return [stored.data for stored, _ in kept], [record for _, record in kept]


def _slow(handle: Handle, handling_s: float) -> Handle:
    """Return `handle`, which begins `handling_s` later."""

    async def handle_slowly(coordinator: Coordinator, delivery: Delivery) -> None:
        await asyncio.sleep(handling_s)
        await handle(coordinator, delivery)

    return handle_slowly


async def _cancel() -> None:
    bus = await connect("users")
    await bus.publish(subjects.cancel("x1"), b"{}", msg_id="cancel-x1")


def _when_reached(world: World, phase: WarmTransferPhase, act: Callable[[], object]) -> None:
    """Call `act` when the first transfer has reached `phase`."""
    if world.phases.get("x1") == phase.value:
        act()
    else:
        world.later(POLL_S, _when_reached, world, phase, act)


def _plan(scene: Scene) -> Plan:
    first = TransferPlan(
        id="x1",
        session=SESSION,
        asked_at_s=1.0,
        cancelled_at_s=None,
        supervisor=scene.supervisor,
        ring_s=2.0,
        answer_s=1.0,
        hang_up_s=1.0,
        flaw="",
        supervisor_talks_s=scene.supervisor_talks_s,
        caller_talks_s=scene.caller_talks_s,
        config={
            "destination": {
                "routing_rule_id": "rule-1",
                "sip_call_to": SUPERVISOR_NUMBER,
                "sip_call_from": OUR_NUMBER,
            },
            "command_timeout_s": 4.0,
            "summary_timeout_s": 5.0,
            "supervisor_join_timeout_s": 20.0,
            "briefing_timeout_s": 30.0,
            "on_briefing_timeout": "cancel",
            "caller_arrival_timeout_s": 10.0,
            "pacing": "overlap",
            "summarize_by": "summarizer",
            "brief_by": "briefing",
            "record": True,
            "bridge_guard_s": GUARD_S,
            **scene.config,
        },
    )
    transfers = [first]
    if scene.asked_again_at_s is not None:
        transfers.append(replace(first, id="x2", asked_at_s=scene.asked_again_at_s))
    return Plan(
        callers=(
            CallerPlan(
                SESSION, scene.caller_hangs_up_at_s, ai_stays_dead=scene.session_killed_at is not None
            ),
        ),
        transfers=tuple(transfers),
        fault_time_s=30.0,
        lease_s=20.0,
        has_model=True,
        thinks_s=(0.1, 1.0),
        skews_s=(0.0,),
    )
