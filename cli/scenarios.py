"""The demo's scenarios, as data: who is called, who calls, what happens, how it must end."""

from __future__ import annotations

from typing import Any

from msgspec import Struct, field

from warmxfer.schemas import Outcome, WarmTransferPhase

CALLER_ID = "+14155550100"
SUPERVISOR = "+141555501{:02}"
CALLER = "+141555502{:02}"


class Scenario(Struct, frozen=True, kw_only=True):
    """`config` goes into the request's; `cancel_at` is the phase at which the user cancels."""

    name: str
    shows: str
    supervisor: str = SUPERVISOR.format(1)
    caller: str = CALLER.format(1)
    config: dict[str, Any] = field(default_factory=dict[str, Any])
    cancel_at: WarmTransferPhase | None = None
    expected: tuple[Outcome, ...] = (Outcome.COMPLETE,)

    def request(self, room_id: str) -> dict[str, Any]:
        """What the user publishes."""
        destination = {
            "routing_rule_id": "demo",
            "sip_call_to": self.supervisor,
            "sip_call_from": CALLER_ID,
        }
        return {"room_id": room_id, "config": {"destination": destination, **self.config}}


SCENARIOS: tuple[Scenario, ...] = (
    Scenario(name="ready", shows="the supervisor listens, says yes, and is connected"),
    Scenario(
        name="answers_late",
        shows="a supervisor who takes four rings",
        supervisor=SUPERVISOR.format(10),
    ),
    Scenario(
        name="busy",
        shows="a busy line gives the caller back at once",
        supervisor=SUPERVISOR.format(2),
        expected=(Outcome.SUPERVISOR_BUSY,),
    ),
    Scenario(
        name="no_answer",
        shows="it rings, and nobody picks up",
        supervisor=SUPERVISOR.format(3),
        config={"supervisor_join_timeout_s": 10.0},
        expected=(Outcome.SUPERVISOR_NO_ANSWER, Outcome.SUPERVISOR_JOIN_TIMEOUT),
    ),
    Scenario(
        name="rejected",
        shows="the call is declined on the phone",
        supervisor=SUPERVISOR.format(4),
        expected=(Outcome.SUPERVISOR_REJECTED,),
    ),
    Scenario(
        name="voicemail",
        shows="an answering machine is not a supervisor",
        supervisor=SUPERVISOR.format(5),
        expected=(Outcome.VOICEMAIL,),
    ),
    Scenario(
        name="declined",
        shows="the supervisor says no, and why",
        supervisor=SUPERVISOR.format(6),
        expected=(Outcome.DECLINED,),
    ),
    Scenario(
        name="hangs_up_ringing",
        shows="the line drops before anybody answers",
        supervisor=SUPERVISOR.format(7),
        expected=(Outcome.SUPERVISOR_UNREACHABLE, Outcome.SUPERVISOR_DISCONNECTED),
    ),
    Scenario(
        name="hangs_up_briefing",
        shows="the supervisor hangs up in the middle of the briefing",
        supervisor=SUPERVISOR.format(8),
        expected=(Outcome.SUPERVISOR_DISCONNECTED,),
    ),
    Scenario(
        name="hangs_up_after_yes",
        shows="yes, and gone: the caller is not moved into an empty room",
        supervisor=SUPERVISOR.format(9),
        expected=(Outcome.SUPERVISOR_DISCONNECTED,),
    ),
    Scenario(
        name="silent",
        shows="a supervisor who never says a word",
        supervisor=SUPERVISOR.format(11),
        config={"briefing_timeout_s": 10.0},
        expected=(Outcome.BRIEFING_TIMEOUT,),
    ),
    Scenario(
        name="caller_leaves_on_hold",
        shows="the caller hangs up on hold: nobody is left ringing",
        supervisor=SUPERVISOR.format(10),
        caller=CALLER.format(2),
        expected=(Outcome.CALLER_LEFT,),
    ),
    Scenario(
        name="caller_leaves_while_briefing",
        shows="the caller hangs up while the supervisor is being told",
        caller=CALLER.format(3),
        expected=(Outcome.CALLER_LEFT,),
    ),
    Scenario(
        name="cancelled",
        shows="the asker thinks better of it while it rings",
        supervisor=SUPERVISOR.format(3),
        cancel_at=WarmTransferPhase.SUPERVISOR_DIALED,
        expected=(Outcome.CANCELLED,),
    ),
)
BY_NAME = {scenario.name: scenario for scenario in SCENARIOS}
