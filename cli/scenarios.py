"""The demo's scenarios as data: supervisor, caller, settings and expected outcomes."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from warmxfer.schemas import Outcome, WarmTransferPhase

CALLER_ID = "+14155550100"
SUPERVISOR = "+141555501{:02}"
CALLER = "+141555502{:02}"


class Scenario(Struct, frozen=True, kw_only=True):
    """One transfer to play. `config` is added to the request; the user cancels at the phase `cancel_at`."""

    name: str
    shows: str
    supervisor: str = SUPERVISOR.format(1)
    caller: str = CALLER.format(1)
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    cancel_at: WarmTransferPhase | None = None
    expected: tuple[Outcome, ...] = (Outcome.COMPLETE,)
    person_says: str | None = "Hello?"
    """The first words of the person on the supervisor's line; None: no person speaks on it."""

    def request(self, room_id: str) -> dict[str, Any]:
        """Return the request that the user publishes."""
        destination = {
            "routing_rule_id": "demo",
            "sip_call_to": self.supervisor,
            "sip_call_from": CALLER_ID,
        }
        return {"room_id": room_id, "config": {"destination": destination, **self.config}}


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(name="ready", shows="the supervisor listens, says yes and talks with the caller"),
    Scenario(
        name="answers_late",
        shows="the supervisor answers after four rings",
        supervisor=SUPERVISOR.format(10),
    ),
    Scenario(
        name="busy",
        shows="the line is busy: the caller returns to the AI at once",
        supervisor=SUPERVISOR.format(2),
        expected=(Outcome.SUPERVISOR_BUSY,),
    ),
    Scenario(
        name="no_answer",
        shows="the phone rings and is not answered",
        supervisor=SUPERVISOR.format(3),
        config={"supervisor_join_timeout_s": 10.0},
        expected=(Outcome.SUPERVISOR_NO_ANSWER, Outcome.SUPERVISOR_JOIN_TIMEOUT),
    ),
    Scenario(
        name="rejected",
        shows="the supervisor rejects the call on the phone",
        supervisor=SUPERVISOR.format(4),
        expected=(Outcome.SUPERVISOR_REJECTED,),
    ),
    Scenario(
        name="voicemail",
        shows="an answering machine answers instead of the supervisor",
        supervisor=SUPERVISOR.format(5),
        expected=(Outcome.VOICEMAIL,),
        person_says=None,
    ),
    Scenario(
        name="declined",
        shows="the supervisor says no and gives a reason",
        supervisor=SUPERVISOR.format(6),
        expected=(Outcome.DECLINED,),
    ),
    Scenario(
        name="hangs_up_ringing",
        shows="the line drops before the supervisor answers",
        supervisor=SUPERVISOR.format(7),
        expected=(Outcome.SUPERVISOR_UNREACHABLE, Outcome.SUPERVISOR_DISCONNECTED),
    ),
    Scenario(
        name="hangs_up_briefing",
        shows="the supervisor hangs up during the briefing",
        supervisor=SUPERVISOR.format(8),
        expected=(Outcome.SUPERVISOR_DISCONNECTED,),
    ),
    Scenario(
        name="hangs_up_after_yes",
        shows="the supervisor says yes and hangs up: the caller is not moved",
        supervisor=SUPERVISOR.format(9),
        expected=(Outcome.SUPERVISOR_DISCONNECTED,),
    ),
    Scenario(
        name="silent",
        shows="the supervisor answers and never speaks",
        supervisor=SUPERVISOR.format(11),
        config={"briefing_timeout_s": 10.0},
        expected=(Outcome.BRIEFING_TIMEOUT,),
        person_says=None,
    ),
    Scenario(
        name="presses_one",
        shows="the supervisor presses 1 and gets the caller",
        supervisor=SUPERVISOR.format(21),
    ),
    Scenario(
        name="presses_two",
        shows="the supervisor presses 2: the caller stays with the AI",
        supervisor=SUPERVISOR.format(22),
        expected=(Outcome.DECLINED,),
    ),
    Scenario(
        name="key_before_the_greeting",
        shows="a 1 pressed before the greeting does not count; then the supervisor presses 2",
        supervisor=SUPERVISOR.format(23),
        expected=(Outcome.DECLINED,),
    ),
    Scenario(
        name="german_with_key",
        shows="a supervisor who speaks German presses 1",
        supervisor=SUPERVISOR.format(24),
        config={"lines": "de"},
        person_says="Ja, hallo, Müller?",
    ),
    Scenario(
        name="call_screening",
        shows="a screening robot is told who calls; the person who then picks up is briefed",
        supervisor=SUPERVISOR.format(25),
        person_says="Hello, this is Dana.",
    ),
    Scenario(
        name="foreign_mailbox",
        shows="a German mailbox answers: it hears nothing of the call",
        supervisor=SUPERVISOR.format(26),
        expected=(Outcome.VOICEMAIL,),
        person_says=None,
    ),
    Scenario(
        name="long_mailbox_greeting",
        shows="a mailbox says only at the end of a long greeting that it is one",
        supervisor=SUPERVISOR.format(27),
        expected=(Outcome.VOICEMAIL,),
        person_says=None,
    ),
    Scenario(
        name="speakerphone_echo",
        shows="a speakerphone gives the questions back: that is no yes; the supervisor hangs up",
        supervisor=SUPERVISOR.format(28),
        expected=(Outcome.SUPERVISOR_DISCONNECTED,),
    ),
    Scenario(
        name="hold_queue",
        shows="a hold queue is waited for; the person who then speaks is briefed from the start",
        supervisor=SUPERVISOR.format(29),
        person_says="Hello, support desk, this is Sam.",
    ),
    Scenario(
        name="caller_leaves_on_hold",
        shows="the caller hangs up on hold: the supervisor's phone does not keep ringing",
        supervisor=SUPERVISOR.format(10),
        caller=CALLER.format(2),
        expected=(Outcome.CALLER_LEFT,),
    ),
    Scenario(
        name="caller_leaves_while_briefing",
        shows="the caller hangs up during the briefing",
        caller=CALLER.format(3),
        expected=(Outcome.CALLER_LEFT,),
    ),
    Scenario(
        name="cancelled",
        shows="the user cancels while the supervisor's phone rings",
        supervisor=SUPERVISOR.format(3),
        cancel_at=WarmTransferPhase.SUPERVISOR_DIALED,
        expected=(Outcome.CANCELLED,),
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
