"""A whole transfer with the sandbox alone."""

from .client import Sandbox


async def test_caller_and_supervisor_talk_at_the_end_of_a_transfer(sandbox: Sandbox) -> None:
    caller = await sandbox.caller()
    primary = caller["roomId"]
    consultation = await sandbox.room(customRoomId="t1-consultation")
    async with sandbox.agent(primary, "ai") as ai, sandbox.agent(consultation, "briefer") as briefer:
        await ai.say("How can I help?")
        await ai.wait_for("speech", participantId=caller["participantId"])
        await ai.send(type="listen", enabled=False)
        dial_fields = {"participant": {"id": "sup"}, "metadata": {"transferKey": "t1", "attemptKey": "t1.1"}}
        await sandbox.dial(consultation, "+14155550101", **dial_fields)
        await briefer.wait_for("audio-stream-enabled", participantId="sup")
        await briefer.say("Ann was charged twice. Are you ready to take the call?")
        await briefer.wait_for("speech", text="Yes, I'm ready, put them through.")
        await sandbox.switch(caller["callId"], consultation)
        await briefer.wait_for("participant-joined")
        await briefer.wait_for("speech", text="Hello, is somebody there?")
        await briefer.wait_for("speech", text="Hi, this is the supervisor.")
        await briefer.send(type="leave")
        query = {"primaryRoom": primary, "callerCallId": caller["callId"], "transferKey": "t1"}
        report = await sandbox.ok("GET", "/sandbox/verdict", params=query)
    assert report == {
        "dials": {"t1.1": 1},
        "rescues": 0,
        "switches": {"forward": 1, "back": 0},
        "supervisorLegsUp": 1,
        "supervisorEndedBy": None,
        "supervisorEndedAt": None,
        "callerLegUp": True,
        "callerEndedBy": None,
        "callerRoom": consultation,
        "callerHeld": True,
        "callerAlone": False,
        "talking": [[caller["participantId"], "sup"], ["sup", caller["participantId"]]],
    }
