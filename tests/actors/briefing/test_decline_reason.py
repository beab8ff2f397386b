"""The reason of a decline is stored without private numbers and without characters that are not seen."""

from __future__ import annotations

from warmxfer.actors.briefing.dialogue import Decide
from warmxfer.actors.briefing.event_publisher import ConsultationEvents
from warmxfer.actors.briefing.reply.rules import ReplyIntent
from warmxfer.bus import Bus, subjects
from warmxfer.schemas import JoinConsultation, SupervisorDeclined, decode_event


async def test_the_reason_of_a_decline_holds_no_private_number(bus: Bus, transfer_id: str) -> None:
    join = JoinConsultation(
        command_id=f"{transfer_id}-1",
        deadline_at=0.0,
        room_id="room-1",
        participant_id="agent",
        supervisor_participant_id="supervisor",
        caller_participant_id="caller",
    )
    reason = "No. Tell them \u202ethat card four one one one 1111 1111 1111 was refused for order 4417."
    events = ConsultationEvents(bus, transfer_id, join, "briefing")
    await events.publish_decision(Decide(ReplyIntent.DECLINED, reason))
    stored = await bus.get_last(subjects.event(transfer_id, "briefing"))
    assert stored is not None
    assert decode_event(stored.data) == SupervisorDeclined(
        reason="No. Tell them that card xxxx11 was refused for order 4417."
    )
