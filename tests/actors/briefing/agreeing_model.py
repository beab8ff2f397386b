"""One sentence of a supervisor, beside a model that finds a yes, or a person, in everything."""

from __future__ import annotations

from collections.abc import Sequence

from warmxfer.actors.briefing.dialogue_actions import OpeningLines
from warmxfer.actors.briefing.reply.classifier import ReplyClassifier, ToolName
from warmxfer.actors.briefing.trial import Trial, new_briefing, try_first_words, try_reply
from warmxfer.adapters.llm import Message, Reply, Tool, ToolCall

QUESTION = "Are you ready to take the call?"


class AgreeingModel:
    """A model that finds a yes, or a person, in everything, and takes everything for English."""

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        names = {tool.name for tool in tools}
        name = ToolName.PERSON if ToolName.PERSON in names else ToolName.DONE
        return Reply("", ToolCall(name, {"language": "en"}))

    async def aclose(self) -> None:
        return None


RULES = ReplyClassifier()
AGREEING = ReplyClassifier(AgreeingModel())


async def reply(words: str, question: str = QUESTION, classifier: ReplyClassifier = AGREEING) -> Trial:
    """Return what the dialogue makes of a reply to `question`."""
    return await try_reply(classifier, words, OpeningLines(), new_briefing("Hi.", question, "Shall I?"))


async def first_words(words: str, classifier: ReplyClassifier = AGREEING) -> Trial:
    """Return what the dialogue makes of the first words of a call."""
    return await try_first_words(classifier, words, OpeningLines(), new_briefing("Hi.", QUESTION, "Shall I?"))
