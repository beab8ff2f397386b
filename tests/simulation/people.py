"""Simulated supervisors: whether they answer, what they say, when they hang up."""

from __future__ import annotations

from typing import TYPE_CHECKING

from warmxfer.adapters.telephony import DialRequest
from warmxfer.schemas import CallCause, SpokenLines

from .cloud import Call
from .plan import TransferPlan

if TYPE_CHECKING:
    from .world import World

AUDIBLE_S = (0.0, 1.0)
YES = "Yes, go ahead."
NO = "No, I can't take this call right now."
UNCLEAR = "Sorry, what was that?"
SCREENING = "Say your name, and why you're calling."
QUEUE = "All of our agents are busy. Please stay on the line."
HELLO = "Hello, this is Dana."
QUEUE_S = 6.0
LATE_KEY_S = 9.0
"""Longer than a briefing agent waits before it asks again."""
VOICEMAIL = "You have reached the voicemail of Dana. Please leave a message after the tone."


RESCUER_RINGS_S = 2.0


class People:
    """All supervisors of a run."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._asked: dict[str, int] = {}
        world.cloud.on_dialed = self.phone_rings
        world.cloud.on_said = self.hears
        world.cloud.on_arrived = self.caller_arrives
        self.persons_since: dict[str, float] = {}
        """When a person spoke first, by the transfer's id, on lines that a robot or a queue answers."""
        self.callers_hung_up: set[str] = set()
        """Call ids of the callers who hung up by themselves."""

    def phone_rings(self, call: Call, order: DialRequest) -> None:
        plan, later = self._world.plans[call.transfer_id], self._world.later
        later(order.ringing_timeout_s, self._rang_out, call)
        if call.is_rescue:
            later(RESCUER_RINGS_S, self._world.cloud.answer, call)
            return
        if call.repeated_by_cloud or plan.supervisor == "no_answer":
            return
        match plan.supervisor:
            case "busy":
                later(min(plan.ring_s, 1.5), self._hangs_up, call, CallCause.BUSY, 486)
            case "rejects":
                later(plan.ring_s, self._hangs_up, call, CallCause.REJECTED, 603)
            case "hangs_up_ringing":
                later(plan.ring_s, self._hangs_up, call, CallCause.ABANDONED, 487)
            case _:
                later(plan.ring_s, self._picks_up, call, plan)

    def caller_arrives(self, call: Call, room_id: str) -> None:
        """Let caller and supervisor hang up a while after they are together, as the plan says."""
        plan = self._world.plans.get(room_id.removeprefix("room-"))
        if plan is None:
            return
        if plan.supervisor_talks_s is not None:
            self._world.later(plan.supervisor_talks_s, self._supervisors_hang_up, plan.id)
        if plan.caller_talks_s is not None:
            self._world.later(plan.caller_talks_s, self._caller_hangs_up_in, call, room_id)

    def caller_hangs_up(self, call: Call) -> None:
        if call.record.up:
            self.callers_hung_up.add(call.record.call_id)
            self._world.cloud.hang_up(call, CallCause.HUNG_UP)

    def hears(self, call: Call, words: str) -> None:
        """Reply to a question after a while, as the plan says for this supervisor."""
        is_supervisor = call.record.direction == "outbound" and not call.is_rescue
        if is_supervisor and words == SpokenLines().screening:
            self._world.later(2.0, self._person_speaks, call)
        if not words.endswith("?") or not call.transfer_id or not is_supervisor:
            return
        plan = self._world.plans[call.transfer_id]
        asked = self._asked[call.record.call_id] = self._asked.get(call.record.call_id, 0) + 1
        match plan.supervisor:
            case "ready" | "hangs_up_briefing":
                self._says(call, YES, plan.answer_s)
            case "hesitates":
                self._says(call, UNCLEAR if asked == 1 else YES, plan.answer_s)
            case "declines":
                self._says(call, NO, plan.answer_s)
            case "hangs_up_after_yes":
                self._says(call, YES, plan.answer_s)
                self._world.later(plan.answer_s + plan.hang_up_s / 2, self._hangs_up, call)
            case "screened" | "queued" if plan.id in self.persons_since:
                self._says(call, YES, plan.answer_s)
            case "speakerphone":
                self._says(call, " ".join(words.split()[-4:]), 0.3)
            case _:
                self._answers_by_key(call, plan, asked)

    def _answers_by_key(self, call: Call, plan: TransferPlan, asked: int) -> None:
        match plan.supervisor:
            case "presses_one":
                self._presses(call, "1", plan.answer_s)
            case "presses_two" | "presses_early":
                self._presses(call, "2", plan.answer_s)
            case "key_doubled":
                self._presses(call, "1", plan.answer_s)
                self._presses(call, "1", plan.answer_s)
            case "key_late":
                self._presses(call, "1", plan.answer_s + LATE_KEY_S)
            case "key_lost" if asked > 2:
                self._presses(call, "1", plan.answer_s)
            case _:
                pass

    def _picks_up(self, call: Call, plan: TransferPlan) -> None:
        if not self._world.cloud.answer(call):
            return
        self._world.later(self._world.chance.uniform(*AUDIBLE_S), self._becomes_audible, call)
        if plan.supervisor not in ("voicemail", "silent", "screened", "queued"):
            self._says(call, HELLO, 1.0 + plan.answer_s)
        if plan.supervisor == "voicemail":
            self._says(call, VOICEMAIL, 2.0)
        if plan.supervisor == "screened":
            self._says(call, SCREENING, 1.5)
        if plan.supervisor == "queued":
            self._says(call, QUEUE, 1.5)
            self._world.later(1.5 + QUEUE_S, self._person_speaks, call)
        if plan.supervisor == "presses_early":
            self._presses(call, "1", 1.1)
        if plan.supervisor == "hangs_up_briefing":
            self._world.later(plan.hang_up_s, self._hangs_up, call)

    def _becomes_audible(self, call: Call) -> None:
        if call.record.up:
            self._world.cloud.make_audible(
                self._world.cloud.rooms[call.record.room_id or ""], call.record.participant_id or ""
            )

    def _person_speaks(self, call: Call) -> None:
        """A person takes over the line from a robot or a queue."""
        if call.record.up and call.transfer_id not in self.persons_since:
            self.persons_since[call.transfer_id] = self._world.now
            self._says(call, HELLO, 0.0)

    def _presses(self, call: Call, digit: str, after_s: float) -> None:
        def now() -> None:
            if call.record.up:
                self._world.cloud.press(call.record.room_id or "", call.record.participant_id or "", digit)

        self._world.later(after_s, now)

    def _says(self, call: Call, words: str, after_s: float) -> None:
        def now() -> None:
            if call.record.up:
                self._world.cloud.say(call.record.room_id or "", call.record.participant_id or "", words)

        self._world.later(after_s, now)

    def _rang_out(self, call: Call) -> None:
        if call.record.up and call.answered_at is None:
            self._world.cloud.hang_up(call, CallCause.NO_ANSWER, 480)

    def _supervisors_hang_up(self, id: str) -> None:
        for call in list(self._world.cloud.calls.values()):
            is_supervisor = call.record.direction == "outbound" and not call.is_rescue
            if call.transfer_id == id and is_supervisor and not call.repeated_by_cloud:
                self._hangs_up(call)

    def _caller_hangs_up_in(self, call: Call, room_id: str) -> None:
        if call.record.up and call.record.room_id == room_id:
            self._world.faults.record("caller_hangs_up", room_id.removeprefix("room-"))
            self.caller_hangs_up(call)

    def _hangs_up(
        self, call: Call, cause: CallCause = CallCause.HUNG_UP, sip_code: int | None = None
    ) -> None:
        if call.record.up:
            self._world.faults.record("supervisor_hangs_up", call.transfer_id)
            self._world.cloud.hang_up(call, cause, sip_code)
