"""A whole briefing without a room: script, judges and a model; each line is over as soon as it is said."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from warmxfer.actors.briefing.judge import Judges
from warmxfer.actors.briefing.script import Action, Briefing, Decide, Judge, LookUp, Say, Script
from warmxfer.actors.llm import ChatModel


@dataclass
class Talked:
    """What came of a talk."""

    decisions: list[Decide] = field(default_factory=list)
    said: list[str] = field(default_factory=list)


async def talk(
    model: ChatModel | None, heard: Sequence[str], summary: str = "Ann was charged twice."
) -> Talked:
    """Tell `summary`, ask, and let the supervisor say `heard` after the question."""
    judges, script, talked = Judges(model), Script("A moment."), Talked()

    async def carry_out(actions: list[Action]) -> None:
        for action in actions:
            match action:
                case Say(text):
                    talked.said.append(text)
                    await carry_out(script.ended(interrupted=False))
                case Judge(turn, ticket):
                    judgement = await judges.judge("Are you ready?", turn)
                    await carry_out(script.judged(ticket, judgement.verdict, judgement.reason))
                case LookUp(question, told, ticket):
                    await carry_out(script.looked_up(ticket, await judges.answer(question, told)))
                case Decide():
                    talked.decisions.append(action)

    await carry_out(script.live())
    await carry_out(script.brief(Briefing(summary, "Hi.", "Are you ready?", "Connecting.", "Understood.")))
    for turn in heard:
        await carry_out(script.heard(turn))
    return talked
