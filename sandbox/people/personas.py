"""Scripted people of the sandbox, selected by phone number, like a payment provider's test cards.

A person receives only events that a phone can notice: joins, speech, and a change of hold. Delays are
simulated seconds.
"""

from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final

from ..rooms.observer import RoomEvent
from ..rooms.room_events import (
    AudioEnabled,
    Joined,
    Left,
    ListenChanged,
    ParticipantMoved,
    SpeechBegan,
    Spoke,
)
from ..telephony.phone import Phone


class Pickup(Enum):
    """Outcome of the ringing phase."""

    ANSWERS = auto()
    BUSY = auto()
    RINGS_OUT = auto()
    REJECTS = auto()
    DROPS = auto()


@dataclass(frozen=True, slots=True)
class Person:
    """One scripted person.

    `ring_s` is the time until `pickup` happens, `audio_s` the time from the answer until the person can be
    heard, `reply_s` the time to think before a reply.
    """

    script: str
    behaviour: "Behaviour"
    pickup: Pickup = Pickup.ANSWERS
    ring_s: float = 1.0
    audio_s: float = 0.2
    reply_s: float = 0.5
    greeting: str = "Hello?"


Behaviour = Callable[[Phone, Person], Coroutine[Any, Any, None]]

YES: Final = "Yes, I'm ready, put them through."
NO: Final = "No, sorry, I can't take this call right now, I am in a meeting."
TO_CALLER: Final = "Hi, this is the supervisor."
TO_SUPERVISOR: Final = "Hello, is somebody there?"
STILL_THERE: Final = "Are you still there?"
VOICEMAIL: Final = "Hi, you have reached the voicemail of Dana. Please leave a message after the beep."
VOICEMAIL_TAPE_S: Final = 30.0
REFUND: Final = (
    "Hi, this is Ann. I was charged twice for order 4417.",
    "Both charges were on Monday, forty nine dollars each.",
    "I would like one of them refunded to my card, please.",
    "No, I'd rather speak to a person about it.",
)


# Supervisors


async def supervise(line: Phone, me: Person, *answers: str, until: str | None = None) -> None:
    """Act as a supervisor: say the greeting, answer questions, and greet the first caller that speaks.

    Each question gets the next of `answers`; the last answer is repeated. Returns after `until` was said.
    """
    if me.greeting:
        await line.say(me.greeting)
    left, met = deque(answers), False
    async for happening in line.happenings():
        if not isinstance(happening, Spoke):
            continue
        if not happening.speaker.is_agent:
            if not met:
                met = True
                await line.say(TO_CALLER)
        elif left and await _asked(line, me, happening):
            answer = left.popleft() if len(left) > 1 else left[0]
            await line.say(answer)
            if answer == until:
                return


async def _asked(line: Phone, me: Person, heard: Spoke) -> bool:
    """Return whether `heard` was a question and the agent stays silent for `reply_s` after it."""
    if not heard.text.rstrip().endswith("?") or line.agent_is_speaking:
        return False
    await line.wait(me.reply_s)
    return not line.agent_is_speaking


async def ready(line: Phone, me: Person) -> None:
    await supervise(line, me, YES)


async def declines(line: Phone, me: Person) -> None:
    await supervise(line, me, NO)


async def curious(line: Phone, me: Person) -> None:
    await supervise(line, me, "Who is the caller?", YES)


async def yes_then_gone(line: Phone, me: Person) -> None:
    await supervise(line, me, YES, until=YES)
    await line.wait(0.05)
    line.hang_up()


async def gone_mid_briefing(line: Phone, me: Person) -> None:
    await line.say(me.greeting)
    async for happening in line.happenings():
        if isinstance(happening, SpeechBegan) and happening.speaker.is_agent:
            await line.wait(0.6)
            line.hang_up()
            return


async def eager(line: Phone, me: Person) -> None:
    """Say yes during the narration, where it must not count, and again when asked."""
    await line.say(me.greeting)
    async for happening in line.happenings():
        if isinstance(happening, SpeechBegan) and happening.speaker.is_agent:
            await line.wait(0.3)
            await line.say("yes")
            break
    await supervise(line, replace(me, greeting=""), "Yes.")


async def silent(line: Phone, me: Person) -> None:
    """Stay on the line and never speak."""


async def voicemail(line: Phone, me: Person) -> None:
    await line.say(VOICEMAIL)
    await line.wait(VOICEMAIL_TAPE_S)
    line.hang_up()


# Callers

Reaction = Callable[[Phone], None]


async def converse(
    line: Phone,
    me: Person,
    on_hold: Reaction | None = None,
    on_moved: Reaction | None = None,
) -> None:
    """Act as a caller: tell one line of the story each time the AI has spoken.

    After a switch, greet the other person once that person can be heard.
    """
    story, was_held, moved, greeted = deque(REFUND), False, False, False

    def go_on() -> None:
        distracted = line.held or line.somebody_to_talk_to or line.agent_is_speaking or line.i_am_speaking
        if story and not distracted:
            line.speak(story.popleft())

    async for happening in line.happenings():
        match happening:
            case ListenChanged() | Joined() | Left() if line.held != was_held:
                was_held = line.held
                if was_held and on_hold is not None:
                    on_hold(line)
            case ParticipantMoved():
                moved, was_held = True, line.held
                if on_moved is not None:
                    on_moved(line)
            case Spoke() if happening.speaker.is_agent:
                line.later(me.reply_s, go_on)
        if moved and not greeted and _may_greet(line, happening):
            greeted = True
            line.speak(TO_SUPERVISOR)


def _may_greet(line: Phone, happening: RoomEvent) -> bool:
    return (
        isinstance(happening, ParticipantMoved | Joined | AudioEnabled | Spoke) and line.somebody_to_talk_to
    )


async def patient(line: Phone, me: Person) -> None:
    await converse(line, me)


async def leaves_on_hold(line: Phone, me: Person) -> None:
    await converse(line, me, on_hold=lambda line: line.later(1.5, line.hang_up))


async def leaves_on_answer(line: Phone, me: Person) -> None:
    await converse(line, me, on_hold=lambda line: line.when_supervisor_answers(line.hang_up))


async def leaves_on_switch(line: Phone, me: Person) -> None:
    await converse(line, me, on_moved=lambda line: line.later(0.2, line.hang_up))


async def talks_on_hold(line: Phone, me: Person) -> None:
    def ask_again() -> None:
        if line.held:
            line.speak(STILL_THERE)
            line.later(2.0, ask_again)

    await converse(line, me, on_hold=lambda line: line.later(2.0, ask_again))


SUPERVISORS: Final = {
    "+14155550101": Person("ready", ready),
    "+14155550102": Person("busy", silent, Pickup.BUSY, ring_s=0.3),
    "+14155550103": Person("no_answer", silent, Pickup.RINGS_OUT),
    "+14155550104": Person("rejects", silent, Pickup.REJECTS, ring_s=0.6),
    "+14155550105": Person("voicemail", voicemail),
    "+14155550106": Person("declines", declines),
    "+14155550107": Person("drops", silent, Pickup.DROPS, ring_s=0.8),
    "+14155550108": Person("gone_mid_briefing", gone_mid_briefing),
    "+14155550109": Person("yes_then_gone", yes_then_gone),
    "+14155550110": Person("late", ready, ring_s=4.0),
    "+14155550111": Person("silent", silent),
    "+14155550112": Person("curious", curious),
    "+14155550113": Person("eager", eager),
}
CALLERS: Final = {
    "+14155550201": Person("patient", patient),
    "+14155550202": Person("leaves_on_hold", leaves_on_hold),
    "+14155550203": Person("leaves_on_answer", leaves_on_answer),
    "+14155550204": Person("leaves_on_switch", leaves_on_switch),
    "+14155550205": Person("talks_on_hold", talks_on_hold),
}
SCRIPTS: Final = {person.script: person for person in (*SUPERVISORS.values(), *CALLERS.values())}
DEFAULT_PERSON: Final = {"outbound": SUPERVISORS["+14155550101"], "inbound": CALLERS["+14155550201"]}
