"""What the dialogue gets and what it wants done: the texts of a briefing, and the actions."""

from __future__ import annotations

from enum import Enum, StrEnum, auto

from msgspec import Struct

from warmxfer.schemas import SpokenLines

from .reply.rules import ReplyIntent

LINES = SpokenLines()


class DialogueState(Enum):
    """State of a dialogue. The docstring of `dialogue.py` lists the transitions."""

    WAITING = auto()
    IDENTIFYING = auto()
    SPEAKING = auto()
    LISTENING = auto()
    CLASSIFYING = auto()
    ANSWERING = auto()
    DECIDED = auto()


class AcceptBy(StrEnum):
    """How a supervisor may accept: in words, by key, or either. A refusal counts in words always."""

    VOICE = "voice"
    EITHER = "either"
    KEY = "key"


class OpeningLines(Struct, frozen=True):
    """Lines for a line on which a person has not been found yet. None of them is private."""

    one_moment: str = LINES.one_moment
    identify: str = LINES.identify
    screening: str = LINES.screening
    identify_key: str = LINES.identify_key


class Briefing(Struct, frozen=True):
    """The texts of one briefing. `keys` is said before a question if a key may answer it."""

    summary: str
    greeting: str
    question: str
    connecting: str
    understood: str
    confirm: str = LINES.confirm
    keys: str = LINES.keys
    accept_by: AcceptBy = AcceptBy.VOICE


class Say(Struct, frozen=True):
    text: str


class StopSpeaking(Struct, frozen=True):
    """Stop speaking, and drop the lines given to the room."""


class Decide(Struct, frozen=True):
    """Publish the decision. `reason`: a refusal in the supervisor's words. `by`: "voice" or "key".

    `words`: what the supervisor said or pressed.
    """

    intent: ReplyIntent
    reason: str = ""
    by: str = "voice"
    words: str = ""


class ClassifyReply(Struct, frozen=True):
    """Classify the reply `text`, and pass the result to `reply_classified` with `request_id`."""

    text: str
    request_id: int


class ClassifyFirstWords(Struct, frozen=True):
    """Classify who says `text`, and pass the result to `first_words_classified` with `request_id`."""

    text: str
    request_id: int


class AnswerQuestion(Struct, frozen=True):
    """Answer `question` from `summary`, and pass the answer to `question_answered` with `request_id`."""

    question: str
    summary: str
    request_id: int


Action = Say | StopSpeaking | Decide | ClassifyReply | ClassifyFirstWords | AnswerQuestion
