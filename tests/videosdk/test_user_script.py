"""One script of a user's, run twice: as it was written for the original, and with two lines more for us.

In the original's own pacing: with ours, what does not depend on each other is prepared side by side, so the
room may be there before the summary is, and then a payload names it earlier than the original can.

Real people of the sandbox are on the phone both times. The same phases come with the same payloads, and the
tool gets the same result or the same error; where we differ on purpose, `ON_PURPOSE` says so.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from videosdk.agents.warm_transfer import WarmTransferError, WarmTransferResult

from warmxfer.bus import Bus, BusSettings
from warmxfer.cli.local_stack.stack import LocalStack

from .framework_fixture import Seats, close, framework_offline, open_seated, original_cloud

FILE = Path(__file__).with_name("user_script.py")
ORIGINAL = FILE.read_text()
WITH = "from videosdk.agents.warm_transfer import"
MADE = "    session = AgentSession("
OURS = ["from warmxfer.integrations.videosdk import install\n", '    install(session, pacing="sequential")\n']
READY, DECLINES = "+14155550101", "+14155550106"
NO_BALANCE = {"match": {"method": "POST", "path": "/v2/sip/call"}, "kind": "status", "status": 402}
ENDS_S = 40.0

ON_PURPOSE = {
    "more in a final payload": {"detail"},
    # The original names an agent that was about to join; ours names one that did, or did not.
    "may be null": {"consultation_session_id", "briefing_agent_participant_id", "supervisor_participant_id"},
    # The original fills it with the caller's call although nothing was switched.
    "only when it happened": "switched_call_id",
}


def moved_over(script: str) -> str:
    """The script with our two lines, each right below the one it belongs to."""
    lines: list[str] = []
    for line in script.splitlines(keepends=True):
        lines.append(line)
        lines += [OURS[0]] * line.startswith(WITH) + [OURS[1]] * line.startswith(MADE)
    return "".join(lines)


@dataclass
class Played:
    """What the script noted down."""

    phases: list[dict[str, Any]]
    connected: list[dict[str, Any]]
    everywhere: list[dict[str, Any]]
    ends: list[WarmTransferResult | WarmTransferError]
    briefings: int = 0
    """How often the user's function made a pipeline."""

    @property
    def names(self) -> list[str]:
        return [each["phase"].value for each in self.phases]

    @property
    def last(self) -> str:
        return self.names[-1] if self.phases else ""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def house() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=0.1) as house:
        yield house


async def run(house: LocalStack, script: str, supervisor: str, *, own_pipeline: bool) -> Played:
    """Let `script` serve one caller, who wants to speak to `supervisor`.

    `own_pipeline`: the script passes a function that makes the pipeline of the briefing.
    """
    own: dict[str, Any] = {"__name__": "user_script"}
    exec(compile(script, str(FILE), "exec"), own)
    played = Played(own["phases"], own["connected"], own["everywhere"], own["ends"])
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        stack.enter_context(original_cloud(house))
        bus = await stack.enter_async_context(await Bus.connect(BusSettings(url=house.nats_url), name="test"))
        seats = Seats(bus, await house.call())
        factory = seats.briefing if own_pipeline else None
        live = await open_seated(house, seats, lambda pipeline: own["start"](pipeline, supervisor, factory))
        stack.push_async_callback(close, live, seats)
        await live.ear.hears("Get me a supervisor.")
        async with asyncio.timeout(ENDS_S):
            while not (played.ends and played.last.startswith("transfer_")):
                await asyncio.sleep(0.01)
        played.briefings = seats.briefings
    return played


def test_moving_over_is_two_lines() -> None:
    changes = difflib.ndiff(
        ORIGINAL.splitlines(keepends=True), moved_over(ORIGINAL).splitlines(keepends=True)
    )
    assert [change for change in changes if change[0] in "+-?"] == [f"+ {line}" for line in OURS]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    ("supervisor", "fault", "own_pipeline"),
    [
        (READY, None, False),
        (DECLINES, None, False),
        (READY, NO_BALANCE, False),
        (READY, None, True),
        (DECLINES, None, True),
    ],
    ids=["ready", "declines", "no balance", "ready, own pipeline", "declines, own pipeline"],
)
async def test_a_users_script_sees_the_same(
    house: LocalStack,
    monkeypatch: pytest.MonkeyPatch,
    supervisor: str,
    fault: dict[str, Any] | None,
    own_pipeline: bool,
) -> None:
    monkeypatch.setenv("NATS_URL", house.nats_url)
    if fault:
        await house.post("/sandbox/faults", {**fault, "times": 2})
    theirs = await run(house, ORIGINAL, supervisor, own_pipeline=own_pipeline)
    ours = await run(house, moved_over(ORIGINAL), supervisor, own_pipeline=own_pipeline)
    assert ours.briefings == theirs.briefings == int(own_pipeline)
    assert ours.names == theirs.names
    assert ours.names[0] == theirs.names[0] == "started"
    assert ours.last == theirs.last
    assert [each["phase"] for each in ours.everywhere] == ours.names
    assert len(ours.connected) == len(theirs.connected)
    for told in ours.phases:
        (as_theirs,) = [each for each in theirs.phases if each["phase"] is told["phase"]]
        assert _alike(told, as_theirs), (told, as_theirs)
    (end,), (their_end,) = ours.ends, theirs.ends
    assert isinstance(end, WarmTransferError) == isinstance(their_end, WarmTransferError)
    if isinstance(end, WarmTransferResult) and isinstance(their_end, WarmTransferResult):
        _assert_the_same_result(end, their_end)


def _assert_the_same_result(ours: WarmTransferResult, theirs: WarmTransferResult) -> None:
    assert type(ours) is type(theirs)
    assert (ours.success, ours.phase, ours.error) == (theirs.success, theirs.phase, theirs.error)
    mine, other = asdict(ours), asdict(theirs)
    if not ours.success:
        assert mine.pop(ON_PURPOSE["only when it happened"]) is None
        other.pop(ON_PURPOSE["only when it happened"])
    assert _kinds(mine) == _kinds(other)


def _alike(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """The same fields of the same types, in the payload and in its data."""
    outside = _kinds({**ours, "data": None}) == _kinds({**theirs, "data": None})
    return outside and _kinds(ours["data"]) == _kinds(theirs["data"])


def _kinds(data: dict[str, Any]) -> dict[str, str]:
    return {
        name: "null or text" if name in ON_PURPOSE["may be null"] else type(value).__name__
        for name, value in data.items()
        if name not in ON_PURPOSE["more in a final payload"]
    }
