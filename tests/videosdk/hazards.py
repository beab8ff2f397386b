"""The hazards that can be run with both: how each is caused, and how to see that it occurred."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from warmxfer.cli.local_stack.stack import LocalStack

from .hazard_runner import SESSION_TIMEOUT_S, Hazard, Run
from .offline import ScriptedLLM
from .upstream_fixture import sandbox

BUSY, NO_ANSWER = "+14155550102", "+14155550103"
DECLINES, SILENT = "+14155550106", "+14155550111"


def fault(kind: str, match: dict[str, Any], **more: Any) -> Any:
    async def inject(local_stack: LocalStack) -> None:
        await local_stack.post("/sandbox/faults", {"match": match, "kind": kind, "times": 1, **more})

    return inject


async def hang_up_on_hold(run: Run) -> None:
    await run.until("supervisor_dialed")
    await asyncio.sleep(0.5)
    await run.local_stack.post(f"/sandbox/people/{run.caller.participant_id}/hangup", {})


async def hang_up_after_ready(run: Run) -> None:
    room_id = (await run.until("briefing_complete"))["consultation_room_id"]
    rooms = (await sandbox(run.local_stack, "GET", "/sandbox/state"))["rooms"]
    (supervisor,) = [
        participant["id"]
        for room in rooms
        if room["roomId"] == room_id
        for participant in room["participants"]
        if participant["sip"]
    ]
    await run.local_stack.post(f"/sandbox/people/{supervisor}/hangup", {})


async def speak_on_hold(run: Run) -> None:
    await run.until("caller_on_hold")
    speaking = asyncio.create_task(run.live.session.say("One moment, please."))
    await asyncio.sleep(0.1)
    run.input_taken = run.live.session._accept_user_input
    await speaking


async def hang_while_closing(run: Run) -> None:
    run.live.tts.hangs_on_close = True
    try:
        await asyncio.Event().wait()
    finally:
        run.live.tts.hangs_on_close = False


async def use_threads(run: Run) -> None:
    """Do other work in a process whose pool has one thread left."""
    loop, pool = asyncio.get_running_loop(), ThreadPoolExecutor(1)
    loop.set_default_executor(pool)
    try:
        while True:
            requested_at = loop.time()
            await asyncio.to_thread(int)
            run.thread_wait_s = max(run.thread_wait_s, loop.time() - requested_at)
            await asyncio.sleep(0.05)
    finally:
        loop.set_default_executor(ThreadPoolExecutor())
        pool.shutdown(wait=False)


SWITCH = {"method": "POST", "path": "/v2/sip/call/switch-room"}
POST_CALL = {"method": "POST", "path": "/v2/sip/call"}

HAZARDS = (
    Hazard(
        "H1",
        "the supervisor does not answer in time",
        lambda end: end.legs_up > 0,
        NO_ANSWER,
        {"supervisor_join_timeout": 2.0},
    ),
    Hazard("H2", "the supervisor declines", lambda end: end.legs_up > 0, DECLINES),
    Hazard(
        "H3",
        "the supervisor never says yes",
        lambda end: end.success,
        SILENT,
        {"briefing_timeout": 3.0},
    ),
    Hazard(
        "H4",
        "the caller hangs up on hold",
        lambda end: end.success or end.legs_up > 0,
        during=hang_up_on_hold,
    ),
    Hazard(
        "H6",
        "the supervisor hangs up after saying yes",
        lambda end: end.caller_alone or end.success,
        before=fault("delay", SWITCH, delayS=5.0),
        during=hang_up_after_ready,
    ),
    Hazard(
        "H7",
        "the switch is accepted, the caller never arrives",
        lambda end: end.success,
        before=fault("never_arrives", {"switch": True}),
    ),
    Hazard(
        "H8",
        "the switch answers 500 once",
        lambda end: end.legs_up > 0,
        before=fault("status", SWITCH, status=500),
    ),
    Hazard(
        "H9",
        "the dial answers 429 once",
        lambda end: not end.success,
        before=fault("status", POST_CALL, status=429, retryAfterS=0.2),
    ),
    Hazard("H13", "the agent speaks on hold", lambda end: end.input_taken, during=speak_on_hold),
    Hazard(
        "H16",
        "the caller hangs up before they are returned",
        lambda end: end.session_stays_open,
        NO_ANSWER,
        {"supervisor_join_timeout": 2.0},
        during=hang_up_on_hold,
        settle_s=SESSION_TIMEOUT_S + 2.0,
    ),
    Hazard(
        "H17",
        "the model that summarises hangs",
        lambda end: not end.success,
        config={"summary_llm": ScriptedLLM(hangs=True)},
    ),
    Hazard(
        "H18",
        "the provider takes 3 s to look up a call",
        lambda end: end.longest_stall_s > 2.0,
        before=fault("delay", {"method": "GET", "path": "/v2/sip/call*"}, delayS=30.0),
    ),
    Hazard(
        "H19",
        "the provider takes 3 s to dial, and the process has one thread left",
        lambda end: end.thread_wait_s > 2.0,
        before=fault("delay", POST_CALL, delayS=30.0),
        during=use_threads,
    ),
    Hazard(
        "H20",
        "the supervisor is busy",
        lambda end: end.error != "supervisor_busy",
        BUSY,
        {"supervisor_join_timeout": 3.0},
    ),
    Hazard(
        "H21",
        "a component of the session hangs while it closes",
        lambda end: not end.success,
        during=hang_while_closing,
    ),
    Hazard(
        "H23",
        "a tool asks for the transfer and waits for it",
        lambda end: not end.hold_line_said,
    ),
)
