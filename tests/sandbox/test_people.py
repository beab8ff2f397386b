"""Every scripted person, observed through a call."""

import asyncio
import itertools
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from warmxfer.schemas import SpokenLines

from .client import SCALE, Agent, Sandbox, supervisor

QUESTION = "Ann was charged twice. Will you take the call?"
YES = "Yes, I'm ready, put them through."


@pytest.mark.parametrize(
    ("last_digits", "statuses", "last"),
    [
        ("0102", ["initiated", "failed"], {"reason": "busy", "sipCode": 486}),
        ("0104", ["initiated", "ringing", "rejected"], {"reason": "rejected", "sipCode": 603}),
        ("0107", ["initiated", "ringing", "abandoned"], {"reason": "callee-gone"}),
        ("0103", ["initiated", "ringing", "not-answered"], {"reason": "no-answer", "sipCode": 480}),
    ],
)
async def test_an_unanswered_phone_ends_the_call_with_its_cause(
    sandbox: Sandbox, last_digits: str, statuses: list[str], last: dict[str, Any]
) -> None:
    call_id = await sandbox.dial(await sandbox.room(), supervisor(last_digits), ringingTimeout=30)
    call = await sandbox.wait_until_ended(call_id)
    assert [entry["status"] for entry in call["timelog"]] == statuses
    details = call["timelog"][-1]
    assert call["status"] == details.pop("status") == statuses[-1]
    assert details.pop("timestamp").endswith("Z")
    assert details == last
    assert "answered" not in await sandbox.kinds()


@asynccontextmanager
async def briefing(sandbox: Sandbox, last_digits: str) -> AsyncIterator[Agent]:
    """Yield an agent in a room with the supervisor, once the supervisor can be heard."""
    room_id = await sandbox.room()
    async with sandbox.agent(room_id) as agent:
        await sandbox.dial(room_id, supervisor(last_digits), participant={"id": "sup"})
        await agent.wait_for("audio-stream-enabled", participantId="sup")
        yield agent


async def heard(agent: Agent) -> str:
    """Wait for the next speech and return its text."""
    return (await agent.wait_for("speech"))["text"]


@pytest.mark.parametrize("last_digits", ["0101", "0110", "0199"])
async def test_a_ready_supervisor_says_yes_to_a_question(sandbox: Sandbox, last_digits: str) -> None:
    async with briefing(sandbox, last_digits) as agent:
        assert await heard(agent) == "Hello?"
        await agent.say("Just a statement.")
        await agent.say(QUESTION)
        assert await heard(agent) == YES
        await agent.say("Are you still ready?")
        assert await heard(agent) == YES


async def test_a_person_who_thinks_long_says_at_once_that_they_are_one(sandbox: Sandbox) -> None:
    """Also while they think about the call. An agent that takes over asks this."""
    await sandbox.ok("PUT", f"/sandbox/people/{supervisor('0101')}", json={"replyS": 3_600})
    async with briefing(sandbox, "0101") as agent:
        assert await heard(agent) == "Hello?"
        await agent.say(SpokenLines().identify)
        assert await heard(agent) == YES
        await agent.say(QUESTION)
        await asyncio.sleep(0.1)
        assert "speech" not in [frame["type"] for frame in agent.drain()[-1:]]
        await agent.say(SpokenLines().identify)
        assert await heard(agent) == YES, "the person still thinks about the first question"


async def test_a_person_who_is_asked_again_goes_on_thinking(sandbox: Sandbox) -> None:
    """A briefing agent repeats its question after some silence. A slow person would never answer."""
    think_s = 20.0
    await sandbox.ok("PUT", f"/sandbox/people/{supervisor('0101')}", json={"replyS": think_s})
    async with briefing(sandbox, "0101") as agent:
        assert await heard(agent) == "Hello?"

        async def ask_again_and_again() -> None:
            for number in itertools.count():
                await agent.send(type="say", id=f"u{number}", text=QUESTION)
                await asyncio.sleep(think_s * SCALE * 0.6)

        asking = asyncio.create_task(ask_again_and_again())
        try:
            assert await heard(agent) == YES
        finally:
            asking.cancel()


async def test_a_question_gets_no_answer_while_the_agent_has_more_to_say(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0101") as agent:
        assert await heard(agent) == "Hello?"
        await agent.send(type="say", id="u1", text="Who is calling, you ask?")
        await agent.send(type="say", id="u2", text="It is Ann, and she was charged twice.")
        await agent.wait_for("said", id="u2")
        await asyncio.sleep(0.1)
        assert "speech" not in [frame["type"] for frame in agent.drain()[-2:]]


async def test_a_voicemail_plays_its_greeting_and_hangs_up(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0105") as agent:
        assert "voicemail of Dana" in await heard(agent)
        await agent.say(QUESTION)
        left = await agent.wait_for("participant-left")
        assert left["participantId"] == "sup"
        assert [frame["type"] for frame in agent.frames].count("speech") == 1


async def test_a_supervisor_declines(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0106") as agent:
        assert await heard(agent) == "Hello?"
        await agent.say(QUESTION)
        assert await heard(agent) == "No, sorry, I can't take this call right now, I am in a meeting."


async def test_a_supervisor_hangs_up_during_the_briefing(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0108") as agent:
        await agent.send(type="say", id="u1", text="word " * 400)
        await agent.wait_for("participant-left", participantId="sup")
        assert "said" not in [frame["type"] for frame in agent.frames]
    [hangup] = await sandbox.ledger(kind="hangup")
    assert (hangup["by"], hangup["status"], hangup["participantId"]) == ("person", "ended", "sup")


async def test_a_supervisor_says_yes_and_hangs_up(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0109") as agent:
        assert await heard(agent) == "Hello?"
        await agent.say(QUESTION)
        assert await heard(agent) == YES
        await agent.wait_for("participant-left", participantId="sup")


async def test_a_silent_supervisor_stays_and_never_speaks(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0111") as agent:
        await agent.say(QUESTION)
        await asyncio.sleep(0.2)
        assert {"speech", "participant-left"}.isdisjoint(frame["type"] for frame in agent.drain())


async def test_a_curious_supervisor_asks_a_question_first(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0112") as agent:
        assert await heard(agent) == "Hello?"
        await agent.say(QUESTION)
        assert await heard(agent) == "Who is the caller?"
        await agent.say("It is Ann. Will you take her?")
        assert await heard(agent) == YES


async def test_an_eager_supervisor_says_yes_too_early(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0113") as agent:
        assert await heard(agent) == "Hello?"
        await agent.send(type="say", id="u1", text="Ann was charged twice on Monday. " * 20)
        assert await heard(agent) == "yes"
        await agent.wait_for("said", id="u1")
        await agent.say(QUESTION)
        assert await heard(agent) == "Yes."


async def test_a_patient_caller_tells_the_story_line_by_line(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    async with sandbox.agent(caller["roomId"], "ai") as ai:
        story = []
        for turn in ("How can I help?", "When was that?", "What shall I do?", "I could do it."):
            await ai.say(turn)
            story.append(await heard(ai))
        assert story[0] == "Hi, this is Ann. I was charged twice for order 4417."
        assert len(set(story)) == 4
        await ai.say("Anything else?")
        await asyncio.sleep(0.1)
        assert ai.drain()[-1]["type"] == "said"


async def test_a_held_caller_says_nothing(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    async with sandbox.agent(caller["roomId"], "ai") as ai:
        await ai.send(type="listen", enabled=False)
        await ai.say("Please hold the line.")
        await asyncio.sleep(0.2)
    assert [entry["participantId"] for entry in await sandbox.ledger(kind="speech")] == ["ai"]


async def test_a_caller_continues_the_story_after_a_switch_back(sandbox: Sandbox) -> None:
    caller, target = await sandbox.caller(), await sandbox.room()
    async with sandbox.agent(caller["roomId"], "ai") as ai, sandbox.agent(target):
        await sandbox.switch(caller["callId"], target)
        await ai.wait_for("participant-left")
        await sandbox.switch(caller["callId"], caller["roomId"])
        await ai.wait_for("participant-joined")
        await ai.wait_for("audio-stream-enabled")
        await ai.say("Nobody is free. Shall I go on?")
        assert (await heard(ai)).startswith("Hi, this is Ann.")


async def test_a_caller_hangs_up_on_hold(sandbox: Sandbox) -> None:
    caller = await sandbox.caller("+14155550202")
    async with sandbox.agent(caller["roomId"], "ai") as ai:
        await ai.send(type="listen", enabled=False)
        held = await sandbox.wait_for_entry("listen")
        hangup = await sandbox.wait_for_entry("hangup", callId=caller["callId"])
    assert hangup["by"] == "person"
    assert hangup["at"] - held["at"] >= 1.5 * SCALE


async def test_a_caller_hangs_up_when_the_supervisor_answers(sandbox: Sandbox) -> None:
    caller = await sandbox.caller("+14155550203")
    async with sandbox.agent(caller["roomId"], "ai") as ai:
        earlier = await sandbox.dial(await sandbox.room(), supervisor("0101"))
        await ai.send(type="listen", enabled=False)
        await sandbox.wait_for_entry("listen")
        await sandbox.wait_for_entry("answered", callId=earlier)
        assert (await sandbox.call(caller["callId"]))["end"] is None
        later = await sandbox.dial(await sandbox.room(), supervisor("0101"))
        hangup = await sandbox.wait_until_ended(caller["callId"])
    assert hangup["status"] == "ended"
    kinds = [(e["kind"], e["callId"]) for e in await sandbox.ledger() if e["kind"] in ("answered", "hangup")]
    assert kinds[-2:] == [("answered", later), ("hangup", caller["callId"])]


async def test_a_caller_hangs_up_right_after_the_switch(sandbox: Sandbox) -> None:
    caller, target = await sandbox.caller("+14155550204"), await sandbox.room()
    async with sandbox.agent(target) as agent:
        await sandbox.switch(caller["callId"], target)
        await agent.wait_for("participant-joined")
        await agent.wait_for("participant-left", participantId=caller["participantId"])


async def test_a_caller_speaks_repeatedly_on_hold(sandbox: Sandbox) -> None:
    caller = await sandbox.caller("+14155550205")
    async with (
        sandbox.agent(caller["roomId"], "ai") as ai,
        sandbox.agent(caller["roomId"], "observer") as observer,
    ):
        await ai.send(type="listen", enabled=False)
        assert [await heard(observer) for _ in range(2)] == ["Are you still there?"] * 2
        await ai.send(type="listen", enabled=True)
        await sandbox.wait_for_entry("listen", enabled=True)
        observer.drain()
        asked = len(await sandbox.ledger(kind="speech"))
        await asyncio.sleep(0.3)
        assert len(await sandbox.ledger(kind="speech")) <= asked + 1


async def test_a_number_can_be_assigned_to_another_person(sandbox: Sandbox) -> None:
    person = await sandbox.ok(
        "PUT", f"/sandbox/people/{supervisor('0101')}", json={"script": "declines", "ringS": 3.0}
    )
    assert person == {"number": supervisor("0101"), "script": "declines", "ringS": 3.0}
    async with briefing(sandbox, "0101") as agent:
        await heard(agent)
        await agent.say(QUESTION)
        assert (await heard(agent)).startswith("No, sorry")
    [ring, answer] = (await sandbox.ledger(kind="dial")) + (await sandbox.ledger(kind="answered"))
    assert answer["at"] - ring["at"] >= 3.0 * SCALE


@pytest.mark.parametrize("body", [{"script": "unknown"}, {"ringS": "long"}, {"colour": "red"}])
async def test_an_invalid_override_is_refused(sandbox: Sandbox, body: dict[str, Any]) -> None:
    assert (await sandbox.http.put("/sandbox/people/+14155550101", json=body)).status_code == 400


async def test_the_admin_api_makes_a_person_speak_and_hang_up(sandbox: Sandbox) -> None:
    caller = await sandbox.caller(participantId="ann")
    async with sandbox.agent(caller["roomId"]) as agent:
        assert await sandbox.ok("POST", "/sandbox/people/ann/say", json={"text": "Boo."}) == {
            "saying": [caller["callId"]]
        }
        assert await heard(agent) == "Boo."
        await sandbox.ok("POST", "/sandbox/people/ann/hangup")
        await agent.wait_for("participant-left", participantId="ann")
    assert (await sandbox.http.post("/sandbox/people/ann/hangup")).status_code == 404
    assert (await sandbox.wait_for_entry("hangup"))["by"] == "person"


async def test_a_rescuer_greets_and_stays(sandbox: Sandbox) -> None:
    async with briefing(sandbox, "0114") as agent:
        assert (await heard(agent)).startswith("Hello, this is the front office.")
        await agent.say(QUESTION)
        assert "hangup" not in await sandbox.kinds()
