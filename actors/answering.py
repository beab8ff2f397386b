"""How an actor answers: one event, under a name that makes a repeat harmless.

Names (`Msg-Id`) count across the whole stream, and users name their requests by transfer ids; so every name
of ours has a colon in it, which no id can.
"""

from __future__ import annotations

from warmxfer.bus import Bus, subjects
from warmxfer.schemas import Answer, Fact, encode

DEADLINE_S = 5.0


def kind_of(fact: Fact) -> str:
    """The word under which `fact` travels."""
    return str(type(fact).__struct_config__.tag)


def name_of(answer: Answer) -> str:
    """The same kind of answer to the same command has the same name."""
    return f"{answer.command_id}:{kind_of(answer)}"


async def publish_answer(
    bus: Bus, transfer_id: str, answer: Answer, *, deadline_s: float = DEADLINE_S
) -> None:
    """Answer a command; a repeat within two minutes is stored once."""
    await bus.publish(
        subjects.event(transfer_id), encode(answer), msg_id=name_of(answer), deadline_s=deadline_s
    )
