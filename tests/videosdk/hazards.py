"""The hazards that can be played for both: what goes wrong in each, and what it looks like when it did."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from warmxfer.cli.local_stack.stack import LocalStack

from .framework_fixture import sandbox
from .offline import Mind
from .side_by_side import SESSION_PATIENCE_S, Play, Trouble

BUSY, NO_ANSWER = "+14155550102", "+14155550103"
DECLINES, SILENT = "+14155550106", "+14155550111"


def fault(kind: str, match: dict[str, Any], **more: Any) -> Any:
    async def switch_on(house: LocalStack) -> None:
        await house.post("/sandbox/faults", {"match": match, "kind": kind, "times": 1, **more})

    return switch_on


async def hang_up_on_hold(play: Play) -> None:
    await play.until("supervisor_dialed")
    await asyncio.sleep(0.5)
    await play.house.post(f"/sandbox/people/{play.caller.participant_id}/hangup", {})


async def hang_up_after_the_yes(play: Play) -> None:
    room_id = (await play.until("briefing_complete"))["consultation_room_id"]
    rooms = (await sandbox(play.house, "GET", "/sandbox/state"))["rooms"]
    (supervisor,) = [
        who["id"] for room in rooms if room["roomId"] == room_id for who in room["participants"] if who["sip"]
    ]
    await play.house.post(f"/sandbox/people/{supervisor}/hangup", {})


async def speak_on_hold(play: Play) -> None:
    await play.until("caller_on_hold")
    speaking = asyncio.create_task(play.live.session.say("One moment, please."))
    await asyncio.sleep(0.1)
    play.let_in = play.live.session._accept_user_input
    await speaking


async def hang_while_closing(play: Play) -> None:
    play.live.mouth.hangs_on_close = True
    try:
        await asyncio.Event().wait()
    finally:
        play.live.mouth.hangs_on_close = False


async def want_a_thread(play: Play) -> None:
    """Somebody else's work in a process whose pool has one thread left."""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    loop.set_default_executor(pool)
    try:
        while True:
            asked_at = loop.time()
            await asyncio.to_thread(int)
            play.thread_wait_s = max(play.thread_wait_s, loop.time() - asked_at)
            await asyncio.sleep(0.05)
    finally:
        loop.set_default_executor(ThreadPoolExecutor())
        pool.shutdown(wait=False)


SWITCH = {"method": "POST", "path": "/v2/sip/call/switch-room"}
POST_CALL = {"method": "POST", "path": "/v2/sip/call"}

TROUBLES = (
    Trouble(
        "H1",
        "the supervisor does not answer in time",
        lambda end: end.legs_up > 0,
        NO_ANSWER,
        {"supervisor_join_timeout": 2.0},
    ),
    Trouble("H2", "the supervisor declines", lambda end: end.legs_up > 0, DECLINES),
    Trouble(
        "H3",
        "the supervisor never says yes",
        lambda end: end.success,
        SILENT,
        {"briefing_timeout": 3.0},
    ),
    Trouble(
        "H4",
        "the caller hangs up on hold",
        lambda end: end.success or end.legs_up > 0,
        during=hang_up_on_hold,
    ),
    Trouble(
        "H6",
        "the supervisor hangs up after saying yes",
        lambda end: end.alone or end.success,
        before=fault("delay", SWITCH, delayS=5.0),
        during=hang_up_after_the_yes,
    ),
    Trouble(
        "H7",
        "the switch is accepted, the caller never arrives",
        lambda end: end.success,
        before=fault("never_arrives", {"switch": True}),
    ),
    Trouble(
        "H8",
        "the switch answers 500 once",
        lambda end: end.legs_up > 0,
        before=fault("status", SWITCH, status=500),
    ),
    Trouble(
        "H9",
        "the dial answers 429 once",
        lambda end: not end.success,
        before=fault("status", POST_CALL, status=429, retryAfterS=0.2),
    ),
    Trouble("H13", "the agent speaks on hold", lambda end: end.let_in, during=speak_on_hold),
    Trouble(
        "H16",
        "the caller has hung up when they are given back",
        lambda end: end.session_goes_on,
        NO_ANSWER,
        {"supervisor_join_timeout": 2.0},
        during=hang_up_on_hold,
        settle_s=SESSION_PATIENCE_S + 2.0,
    ),
    Trouble(
        "H17",
        "the model that summarises hangs",
        lambda end: not end.success,
        config={"summary_llm": Mind(hangs=True)},
    ),
    Trouble(
        "H18",
        "the provider takes 3 s to look up a call",
        lambda end: end.longest_stall_s > 2.0,
        before=fault("delay", {"method": "GET", "path": "/v2/sip/call*"}, delayS=30.0),
    ),
    Trouble(
        "H19",
        "the provider takes 3 s to dial, and the process has one thread left",
        lambda end: end.thread_wait_s > 2.0,
        before=fault("delay", POST_CALL, delayS=30.0),
        during=want_a_thread,
    ),
    Trouble(
        "H20",
        "the supervisor is busy",
        lambda end: end.said != "supervisor_busy",
        BUSY,
        {"supervisor_join_timeout": 3.0},
    ),
    Trouble(
        "H21",
        "a component of the session hangs while it closes",
        lambda end: not end.success,
        during=hang_while_closing,
    ),
    Trouble(
        "H23",
        "a tool asks for the transfer and waits for it",
        lambda end: not end.hold_line_heard,
    ),
)
