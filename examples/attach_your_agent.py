"""Attach a voice agent of a framework of your own, so that a transfer can hold and release its caller.

`FakeCall` stands for a live call of your framework. `MySession` is the adapter that you write for it.
The supervisor of this example declines. So the caller is held, and then released with an apology.

Run it in a clone:

    uv run warmxfer up                                     # first terminal; prints the caller's room id
    . LOCAL_ENV                                            # second terminal; the file that `up` names
    uv run python examples/attach_your_agent.py ROOM_ID
"""

import asyncio
import sys

from warmxfer.actors.primary import attach
from warmxfer.bus import Bus, BusSettings
from warmxfer.client import Client
from warmxfer.schemas import PhaseChanged, TranscriptTurn, WarmxferError

NAME = "my-agent"  # the default name is the room id, which the agent of `warmxfer up` uses already
DECLINES, OUR_NUMBER = "+14155550106", "+14155550100"


class FakeCall:
    """One live call. It prints what your framework would do."""

    async def do(self, *action: str) -> None:
        print("call:", *action, flush=True)


class MySession:
    """The adapter: `warmxfer.actors.primary.Session` for a `FakeCall`."""

    caller_participant_id = None  # unknown to this framework

    def __init__(self, call: FakeCall, room_id: str) -> None:
        self.call, self.room_id = call, room_id

    async def mute(self) -> None:
        await self.call.do("stop listening")

    async def unmute(self) -> None:
        await self.call.do("listen")

    async def suspend_auto_end(self) -> None:
        await self.call.do("stay when alone")

    async def restore_auto_end(self) -> None:
        await self.call.do("end when alone")

    async def say(self, text: str, *, interruptible: bool) -> None:
        await self.call.do("say", text)

    async def history(self) -> list[TranscriptTurn]:
        return [TranscriptTurn("caller", "I was charged twice.")]

    async def summarize(self, prompt: str) -> str | None:
        return None  # no model of its own: the summarizer writes the summary

    async def leave(self) -> None:
        await self.call.do("hang up")

    async def on_phase(self, phase: PhaseChanged) -> None:
        print("phase:", phase.phase, flush=True)


async def main(room_id: str) -> None:
    destination = {"routing_rule_id": "rr_demo", "sip_call_to": DECLINES, "sip_call_from": OUR_NUMBER}
    request = {"room_id": room_id, "session": NAME, "config": {"destination": destination}}
    session = MySession(FakeCall(), room_id)
    async with await Bus.connect(BusSettings.from_env(), name=NAME) as bus, attach(bus, session, name=NAME):
        # A real agent also calls `participant_left` and `closed` of the attachment that `attach` returns.
        transfer = await Client(bus).request(request)
        result = await transfer.result()
        print("detail:", result.detail)
        print("outcome:", result.outcome)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("Give the room of the caller: python examples/attach_your_agent.py ROOM_ID")
    try:
        asyncio.run(main(sys.argv[1]))
    except WarmxferError as error:
        sys.exit(str(error))
