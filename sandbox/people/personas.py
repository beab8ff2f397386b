"""Scripted people of the sandbox, selected by phone number, like a payment provider's test cards.

A person receives only events that a phone can notice: joins, speech, and a change of hold. Delays are
simulated seconds.
"""

from collections import deque
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any, Final, TypeGuard

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
    heard, `reply_s` the time to think before a reply about the call.
    """

    script: str
    behaviour: "Behaviour"
    pickup: Pickup = Pickup.ANSWERS
    ring_s: float = 1.0
    audio_s: float = 0.2
    reply_s: float = 0.5
    greeting: str = "Hello?"


Behaviour = Callable[[Phone, Person], Coroutine[Any, Any, None]]

ASKS_FOR_A_PERSON: Final = "speaking with a person"
"""Words of the line `identify` as it is unless a request changes it."""
PERSON_REPLY_S: Final = 0.5
YES: Final = "Yes, I'm ready, put them through."
NO: Final = "No, sorry, I can't take this call right now, I am in a meeting."
GREETING_TO_CALLER: Final = "Hi, this is the supervisor."
GREETING_TO_SUPERVISOR: Final = "Hello, is somebody there?"
STILL_THERE: Final = "Are you still there?"
GREETING_OF_RESCUER: Final = "Hello, this is the front office. Our assistant failed; I am with you now."
VOICEMAIL: Final = "Hi, you have reached the voicemail of Dana. Please leave a message after the beep."
MAILBOX_RING_S: Final = 15.0
"""A mailbox answers where a person does not: long after the briefing agent has joined the room."""
VOICEMAIL_SILENCE_S: Final = 90.0
SCREENING: Final = (
    "Hi, the person you're calling is using a screening service from Google, and will get a copy of this "
    "conversation. Go ahead and say your name, and why you're calling."
)
FOREIGN_MAILBOX: Final = (
    "Hier ist die Mailbox von Dana Berger. Ich bin gerade nicht erreichbar. "
    "Bitte hinterlassen Sie eine Nachricht nach dem Signalton."
)
LONG_MAILBOX: Final = (
    "Hello and thank you for your call to Dana Berger at the Riverside branch office. "
    + "We are glad to hear from you and we value every call that reaches our team of specialists here. " * 5
    + "Please leave a message after the beep."
)
HOLD_QUEUE: Final = (
    "All of our agents are busy. Please stay on the line and your call will be answered in order."
)
ECHOES: Final = 3
REFUND_STORY: Final = (
    "Hi, this is Ann. I was charged twice for order 4417.",
    "Both charges were on Monday, forty nine dollars each.",
    "I would like one of them refunded to my card, please.",
    "No, I'd rather speak to a person about it.",
)


# Supervisors


async def supervise(phone: Phone, person: Person, *answers: str, until: str | None = None) -> None:
    """Act as a supervisor: say the greeting, answer questions, and greet the first caller that speaks.

    Each question gets the next of `answers`; the last answer is repeated. Returns after `until` was said.
    """
    if person.greeting:
        await phone.say(person.greeting)
    remaining, greeted = deque(answers), False
    async for event in phone.events(Spoke):
        assert isinstance(event, Spoke)
        if not event.speaker.is_agent:
            if not greeted:
                greeted = True
                await phone.say(GREETING_TO_CALLER)
        elif remaining and await _should_answer(phone, person, event):
            answer = remaining.popleft() if len(remaining) > 1 else remaining[0]
            await phone.say(answer)
            if answer == until:
                return


async def _should_answer(phone: Phone, person: Person, speech: Spoke) -> bool:
    """Return whether the agent asked a question, and then stays silent while the person thinks.

    A person says at once that they are one, however long they think about the call. That question ends their
    thinking about another one; a repeat of the other one does not.
    """
    if not _is_question(speech) or phone.agent_is_speaking:
        return False
    think_s = min(person.reply_s, PERSON_REPLY_S) if _asks_for_a_person(speech) else person.reply_s
    return await phone.wait_unless(_asks_for_a_person, think_s) and not phone.agent_is_speaking


def _is_question(event: RoomEvent) -> TypeGuard[Spoke]:
    """Return whether the agent has asked something."""
    return isinstance(event, Spoke) and event.speaker.is_agent and event.text.rstrip().endswith("?")


def _asks_for_a_person(event: RoomEvent) -> bool:
    """Return whether the agent has asked who is on the line."""
    return _is_question(event) and ASKS_FOR_A_PERSON in event.text


async def ready(phone: Phone, person: Person) -> None:
    await supervise(phone, person, YES)


async def declines(phone: Phone, person: Person) -> None:
    await supervise(phone, person, NO)


async def curious(phone: Phone, person: Person) -> None:
    await supervise(phone, person, "Who is the caller?", YES)


async def yes_then_gone(phone: Phone, person: Person) -> None:
    await supervise(phone, person, YES, until=YES)
    await phone.wait(0.05)
    phone.hang_up()


async def gone_mid_briefing(phone: Phone, person: Person) -> None:
    await phone.say(person.greeting)
    async for event in phone.events(SpeechBegan):
        if isinstance(event, SpeechBegan) and event.speaker.is_agent:
            await phone.wait(0.6)
            phone.hang_up()
            return


async def eager(phone: Phone, person: Person) -> None:
    """Say yes during the narration, where it must not count, and again when asked."""
    await phone.say(person.greeting)
    async for event in phone.events(SpeechBegan):
        if isinstance(event, SpeechBegan) and event.speaker.is_agent:
            await phone.wait(0.3)
            await phone.say("yes")
            break
    await supervise(phone, replace(person, greeting=""), "Yes.")


async def silent(phone: Phone, person: Person) -> None:
    """Stay on the line and never speak."""


async def presses(phone: Phone, person: Person, key: str) -> None:
    """Say the greeting, and press `key` each time the agent has asked."""
    if person.greeting:
        await phone.say(person.greeting)
    greeted = False
    async for event in phone.events(Spoke):
        assert isinstance(event, Spoke)
        if not event.speaker.is_agent:
            if not greeted:
                greeted = True
                await phone.say(GREETING_TO_CALLER)
        elif await _should_answer(phone, person, event):
            phone.press(key)


async def presses_one(phone: Phone, person: Person) -> None:
    await presses(phone, person, "1")


async def presses_two(phone: Phone, person: Person) -> None:
    await presses(phone, person, "2")


async def presses_early(phone: Phone, person: Person) -> None:
    """Press 1 before the agent has said anything, where it must not count; then decline."""
    phone.press("1")
    await presses(phone, person, "2")


async def german_with_key(phone: Phone, person: Person) -> None:
    """Greet in German, ask a question back, and press 1."""
    await phone.say("Ja, hallo, Müller?")
    await presses(phone, replace(person, greeting=""), "1")


async def screened(phone: Phone, person: Person) -> None:
    """Let a screening robot ask first; pick up once the agent has said who calls, and accept."""
    await phone.say(SCREENING)
    async for event in phone.events(Spoke):
        if isinstance(event, Spoke) and event.speaker.is_agent and "calle" in event.text.lower():
            break
    await phone.wait(1.0)
    await supervise(phone, replace(person, greeting="Hello, this is Dana."), YES)


async def foreign_mailbox(phone: Phone, person: Person) -> None:
    await phone.say(FOREIGN_MAILBOX)
    await phone.wait(VOICEMAIL_SILENCE_S)
    phone.hang_up()


async def long_mailbox(phone: Phone, person: Person) -> None:
    await phone.say(LONG_MAILBOX)
    await phone.wait(VOICEMAIL_SILENCE_S)
    phone.hang_up()


async def echoes(phone: Phone, person: Person) -> None:
    """Give the end of each question back, as a speakerphone does; hang up after some of them."""
    await phone.say(person.greeting)
    echoed = 0
    async for event in phone.events(Spoke):
        if _is_question(event):
            await phone.say(" ".join(event.text.split()[-5:]))
            echoed += 1
            if echoed == ECHOES:
                phone.hang_up()
                return


async def held_in_queue(phone: Phone, person: Person) -> None:
    """Be a hold queue first, then a person who is ready."""
    await phone.say(HOLD_QUEUE)
    await phone.wait(5.0)
    await supervise(phone, replace(person, greeting="Hello, support desk, this is Sam."), YES)


async def rescuer(phone: Phone, person: Person) -> None:
    """Talk to a caller whose AI is gone, and stay on the line."""
    await phone.say(GREETING_OF_RESCUER)


async def voicemail(phone: Phone, person: Person) -> None:
    await phone.say(VOICEMAIL)
    await phone.wait(VOICEMAIL_SILENCE_S)
    phone.hang_up()


# Callers

_NOTICED_BY_CALLERS: Final = (ListenChanged, Joined, Left, ParticipantMoved, AudioEnabled, Spoke)
Reaction = Callable[[Phone], None]


async def converse(
    phone: Phone,
    person: Person,
    on_hold: Reaction | None = None,
    on_moved: Reaction | None = None,
) -> None:
    """Act as a caller: tell one line of the story each time the AI has spoken.

    After a switch, greet the other person once that person can be heard.
    """
    story, was_held, moved, greeted = deque(REFUND_STORY), False, False, False

    def tell_next_line() -> None:
        must_wait = phone.held or phone.other_person_audible or phone.agent_is_speaking or phone.is_speaking
        if story and not must_wait:
            phone.speak(story.popleft())

    async for event in phone.events(*_NOTICED_BY_CALLERS):
        match event:
            case ListenChanged() | Joined() | Left() if phone.held != was_held:
                was_held = phone.held
                if was_held and on_hold is not None:
                    on_hold(phone)
            case ParticipantMoved():
                moved, was_held = True, phone.held
                if on_moved is not None:
                    on_moved(phone)
            case Spoke() if event.speaker.is_agent:
                phone.call_later(person.reply_s, tell_next_line)
        if moved and not greeted and _may_greet(phone, event):
            greeted = True
            phone.speak(GREETING_TO_SUPERVISOR)


def _may_greet(phone: Phone, event: RoomEvent) -> bool:
    return isinstance(event, ParticipantMoved | Joined | AudioEnabled | Spoke) and phone.other_person_audible


async def patient(phone: Phone, person: Person) -> None:
    await converse(phone, person)


async def leaves_on_hold(phone: Phone, person: Person) -> None:
    await converse(phone, person, on_hold=lambda phone: phone.call_later(1.5, phone.hang_up))


async def leaves_on_answer(phone: Phone, person: Person) -> None:
    await converse(phone, person, on_hold=lambda phone: phone.when_supervisor_answers(phone.hang_up))


async def leaves_on_switch(phone: Phone, person: Person) -> None:
    await converse(phone, person, on_moved=lambda phone: phone.call_later(0.2, phone.hang_up))


async def talks_on_hold(phone: Phone, person: Person) -> None:
    def ask_again() -> None:
        if phone.held:
            phone.speak(STILL_THERE)
            phone.call_later(2.0, ask_again)

    await converse(phone, person, on_hold=lambda phone: phone.call_later(2.0, ask_again))


SUPERVISORS: Final = {
    "+14155550101": Person("ready", ready),
    "+14155550102": Person("busy", silent, Pickup.BUSY, ring_s=0.3),
    "+14155550103": Person("no_answer", silent, Pickup.RINGS_OUT),
    "+14155550104": Person("rejects", silent, Pickup.REJECTS, ring_s=0.6),
    "+14155550105": Person("voicemail", voicemail, ring_s=MAILBOX_RING_S),
    "+14155550106": Person("declines", declines),
    "+14155550107": Person("drops", silent, Pickup.DROPS, ring_s=0.8),
    "+14155550108": Person("gone_mid_briefing", gone_mid_briefing),
    "+14155550109": Person("yes_then_gone", yes_then_gone),
    "+14155550110": Person("late", ready, ring_s=4.0),
    "+14155550111": Person("silent", silent),
    "+14155550112": Person("curious", curious),
    "+14155550113": Person("eager", eager),
    "+14155550114": Person("rescuer", rescuer),
    "+14155550121": Person("presses_one", presses_one),
    "+14155550122": Person("presses_two", presses_two),
    "+14155550123": Person("presses_early", presses_early),
    "+14155550124": Person("german_with_key", german_with_key),
    "+14155550125": Person("screened", screened),
    "+14155550126": Person("foreign_mailbox", foreign_mailbox, ring_s=MAILBOX_RING_S),
    "+14155550127": Person("long_mailbox", long_mailbox, ring_s=MAILBOX_RING_S),
    "+14155550128": Person("echoes", echoes),
    "+14155550129": Person("held_in_queue", held_in_queue),
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
