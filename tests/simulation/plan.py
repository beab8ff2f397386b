"""What a seed stands for: the callers, the supervisors, and the transfers requested with their times."""

from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import Any, Literal

Supervisor = Literal[
    "ready",
    "hesitates",
    "declines",
    "busy",
    "no_answer",
    "rejects",
    "voicemail",
    "silent",
    "hangs_up_ringing",
    "hangs_up_briefing",
    "hangs_up_after_yes",
    "presses_one",
    "presses_two",
    "presses_early",
    "key_doubled",
    "key_late",
    "key_lost",
    "screened",
    "queued",
    "speakerphone",
]
SUPERVISORS: dict[Supervisor, float] = {
    "ready": 10,
    "hesitates": 2,
    "declines": 1,
    "busy": 1,
    "no_answer": 1,
    "rejects": 1,
    "voicemail": 1,
    "silent": 1,
    "hangs_up_ringing": 1,
    "hangs_up_briefing": 1.5,
    "hangs_up_after_yes": 1.5,
    "presses_one": 1,
    "presses_two": 0.5,
    "presses_early": 0.5,
    "key_doubled": 0.5,
    "key_late": 0.5,
    "key_lost": 0.5,
    "screened": 0.5,
    "queued": 0.5,
    "speakerphone": 0.5,
}
UNWILLING: frozenset[Supervisor] = frozenset(
    {"declines", "voicemail", "silent", "presses_two", "presses_early", "speakerphone"}
)
"""Lines that never accept."""
SUPERVISOR_NUMBER = "+14155550110"
RESCUER_NUMBER = "+14155550114"
OUR_NUMBER = "+14155550199"
PREMIUM_NUMBER = "+19005550123"


@dataclass(frozen=True, slots=True)
class TransferPlan:
    """One requested transfer. `body` is what is published, `flaw` is what is wrong with the request."""

    id: str
    session: str
    asked_at_s: float
    cancelled_at_s: float | None
    supervisor: Supervisor
    ring_s: float
    answer_s: float
    """How long the supervisor takes to reply."""
    hang_up_s: float
    """How long after answering (or after half of it, after the yes) a supervisor hangs up."""
    config: dict[str, Any]
    flaw: Literal["", "unreadable", "forbidden_number"]
    supervisor_talks_s: float | None = None
    """How long after the caller's arrival the supervisor hangs up. None: not because of the arrival."""
    caller_talks_s: float | None = None
    """How long after their own arrival the caller hangs up."""

    @property
    def body(self) -> dict[str, Any]:
        return {"room_id": self.session, "session": self.session, "config": self.config}


@dataclass(frozen=True, slots=True)
class CallerPlan:
    session: str
    hangs_up_at_s: float | None
    ai_stays_dead: bool = False
    """A crash of the process of this caller's AI is for good."""


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything about a run that does not depend on how it goes.

    `fault_time_s`: minimum time during which faults may strike. `skews_s`: error of the wall clocks.
    `thinks_s`: shortest and longest time that the model takes.
    """

    callers: tuple[CallerPlan, ...]
    transfers: tuple[TransferPlan, ...]
    fault_time_s: float
    lease_s: float
    has_model: bool
    thinks_s: tuple[float, float]
    skews_s: tuple[float, ...]


RESCUES: tuple[dict[str, str] | None, ...] = (
    None,
    {
        "by": "dial",
        "routing_rule_id": "rule-1",
        "sip_call_to": RESCUER_NUMBER,
        "sip_call_from": OUR_NUMBER,
    },
    {"by": "agent", "agent_id": "agent-1"},
)


def lose_sessions(rescues: random.Random, plan: Plan) -> Plan:
    """Let the AI of some callers stay dead after a crash, and configure rescues."""
    callers = tuple(replace(each, ai_stays_dead=rescues.random() < 0.4) for each in plan.callers)
    transfers = tuple(
        replace(each, config={**each.config, "rescue": rescues.choice(RESCUES)})
        if rescues.random() < 0.8
        else each
        for each in plan.transfers
    )
    return replace(plan, callers=callers, transfers=transfers)


def draw(rng: random.Random, talks: random.Random | None) -> Plan:
    """Draw the plan of one run. `talks` decides what happens once caller and supervisor are together.

    It is a generator of its own, so that what it draws changes nothing else in the plan of a seed. None: no
    hang-up depends on it.
    """
    # A slow model: the supervisor answers before the summary is ready.
    slow = rng.random() < 0.35
    count = rng.choices((1, 2, 3, 4), (0.5, 0.25, 0.15, 0.1))[0]
    sessions: list[str] = []
    transfers: list[TransferPlan] = []
    for index in range(count):
        same_caller = bool(sessions) and rng.random() < 0.3
        session = rng.choice(sessions) if same_caller else f"room-s{len(sessions) + 1}"
        if not same_caller:
            sessions.append(session)
        transfer = _transfer(rng, f"x{index + 1}", session, slow)
        transfers.append(transfer if talks is None else _talk(talks, transfer))
    callers = tuple(
        CallerPlan(each, rng.uniform(1.0, 45.0) if rng.random() < 0.2 else None) for each in sessions
    )
    skewed = rng.random() < 0.2
    return Plan(
        callers=callers,
        transfers=tuple(transfers),
        fault_time_s=rng.uniform(15.0, 60.0),
        lease_s=rng.choice((6.0, 20.0)),
        has_model=slow or rng.random() < 0.6,
        thinks_s=(2.0, 9.0) if slow else (0.1, 1.0),
        skews_s=tuple(rng.choice((-3_600.0, -5.0, 0.0, 5.0, 86_400.0)) if skewed else 0.0 for _ in range(8)),
    )


def _hangs_up_s(talks: random.Random, share: float) -> float | None:
    """Return a time in the handover or later, for a share of the people."""
    handover_s, later_s = talks.uniform(0.0, 3.0), talks.uniform(0.0, 25.0)
    return talks.choices((None, handover_s, later_s), (1 - share, share / 2, share / 2))[0]


def _talk(talks: random.Random, plan: TransferPlan) -> TransferPlan:
    """Let people hang up in the handover, in the bridge guard and after it; draw the length of the guard."""
    guard_s = talks.choices((None, 0.0, 5.0, 12.0, 30.0), (0.5, 0.1, 0.1, 0.15, 0.15))[0]
    supervisor_s = _hangs_up_s(talks, 0.5)
    caller_s = _hangs_up_s(talks, 0.2)
    config = plan.config if guard_s is None else {**plan.config, "bridge_guard_s": guard_s}
    return replace(plan, config=config, supervisor_talks_s=supervisor_s, caller_talks_s=caller_s)


def _transfer(rng: random.Random, id: str, session: str, slow: bool) -> TransferPlan:
    flaw: Any = rng.choices(("", "unreadable", "forbidden_number"), (0.93, 0.04, 0.03))[0]
    number = PREMIUM_NUMBER if flaw == "forbidden_number" else SUPERVISOR_NUMBER
    return TransferPlan(
        id=id,
        session=session,
        asked_at_s=rng.uniform(0.5, 20.0) if id != "x1" else rng.uniform(0.5, 2.0),
        cancelled_at_s=rng.uniform(1.0, 40.0) if rng.random() < 0.15 else None,
        supervisor=rng.choices(tuple(SUPERVISORS), tuple(SUPERVISORS.values()))[0],
        ring_s=rng.uniform(0.3, 1.5 if slow else 6.0),
        answer_s=rng.uniform(0.2, 3.0),
        hang_up_s=rng.uniform(0.0, 6.0),
        flaw=flaw,
        config={
            "destination": {
                "routing_rule_id": "rule-1",
                "sip_call_to": number,
                "sip_call_from": OUR_NUMBER,
            },
            "command_timeout_s": rng.choice((4.0, 10.0)),
            "summary_timeout_s": 8.0 if slow else rng.choice((2.0, 5.0, 8.0)),
            "supervisor_join_timeout_s": rng.choice((10.0, 20.0, 40.0)),
            "briefing_timeout_s": rng.choice((15.0, 30.0)),
            "on_briefing_timeout": rng.choices(("cancel", "proceed"), (0.8, 0.2))[0],
            "caller_arrival_timeout_s": rng.choice((4.0, 10.0)),
            "pacing": rng.choices(("overlap", "sequential"), (0.7, 0.3))[0],
            "summarize_by": rng.choices(("summarizer", "session"), (0.8, 0.2))[0],
            "record": rng.random() < 0.4,
            "brief_by": rng.choices(("briefing", "session"), (0.8, 0.2))[0],
        },
    )
