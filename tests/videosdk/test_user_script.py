"""A user's script, run as written for VideoSDK's WarmTransferRunner (upstream) and with two lines more.

Both runs use upstream's order of phases. With `pacing="overlap"` the room may be open before the summary is
ready, and a payload then names it earlier than upstream does.

The sandbox's people are on the phone. Phases, payloads, result and error are the same in both runs, except
the intended differences in `ON_PURPOSE`.
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

from warmxfer.cli.local_stack.stack import LocalStack

from .upstream_fixture import AgentConnections, close, framework_offline, open_connected, upstream_cloud

FILE = Path(__file__).with_name("user_script.py")
SCRIPT = FILE.read_text()
IMPORT_LINE = "from videosdk.agents.warm_transfer import"
SESSION_LINE = "    session = AgentSession("
NEW_LINES = [
    "from warmxfer.integrations.videosdk import install\n",
    '    install(session, pacing="sequential")\n',
]
READY, DECLINES = "+14155550101", "+14155550106"
NO_BALANCE = {"match": {"method": "POST", "path": "/v2/sip/call"}, "kind": "status", "status": 402}
ENDS_S = 40.0

ON_PURPOSE = {
    "more in a final payload": {"detail"},
    # Upstream names an agent that was about to join; warmxfer names one only if it joined.
    "may be null": {"consultation_session_id", "briefing_agent_participant_id", "supervisor_participant_id"},
    # Upstream sets it to the caller's call although nothing was switched.
    "only when it happened": "switched_call_id",
}


def with_install(script: str) -> str:
    """Return the script with the two new lines, each below the line that it belongs to."""
    lines: list[str] = []
    for line in script.splitlines(keepends=True):
        lines.append(line)
        lines += [NEW_LINES[0]] * line.startswith(IMPORT_LINE) + [NEW_LINES[1]] * line.startswith(
            SESSION_LINE
        )
    return "".join(lines)


@dataclass
class Recorded:
    """What the script recorded."""

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
async def local_stack() -> AsyncIterator[LocalStack]:
    async with LocalStack(time_scale=0.1) as local_stack:
        yield local_stack


async def run(local_stack: LocalStack, script: str, supervisor: str, *, own_pipeline: bool) -> Recorded:
    """Run `script` for one caller who requests `supervisor`.

    `own_pipeline`: the script passes a function that makes the pipeline of the briefing.
    """
    own: dict[str, Any] = {"__name__": "user_script"}
    exec(compile(script, str(FILE), "exec"), own)
    recorded = Recorded(own["phases"], own["connected"], own["everywhere"], own["ends"])
    async with AsyncExitStack() as stack:
        stack.enter_context(framework_offline())
        stack.enter_context(upstream_cloud(local_stack))
        connections = AgentConnections(local_stack, await local_stack.call())
        factory = connections.briefing if own_pipeline else None
        live = await open_connected(
            local_stack, connections, lambda pipeline: own["start"](pipeline, supervisor, factory)
        )
        stack.push_async_callback(close, live, connections)
        await live.stt.transcribe("Get me a supervisor.")
        async with asyncio.timeout(ENDS_S):
            while not (recorded.ends and recorded.last.startswith("transfer_")):
                await asyncio.sleep(0.01)
        recorded.briefings = connections.briefings
    return recorded


def test_two_lines_are_added() -> None:
    changes = difflib.ndiff(SCRIPT.splitlines(keepends=True), with_install(SCRIPT).splitlines(keepends=True))
    assert [change for change in changes if change[0] in "+-?"] == [f"+ {line}" for line in NEW_LINES]


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
async def test_the_script_gets_the_same_phases_and_result(
    local_stack: LocalStack,
    monkeypatch: pytest.MonkeyPatch,
    supervisor: str,
    fault: dict[str, Any] | None,
    own_pipeline: bool,
) -> None:
    monkeypatch.setenv("NATS_URL", local_stack.url_of("agent"))
    if fault:
        await local_stack.post("/sandbox/faults", {**fault, "times": 2})
    upstream = await run(local_stack, SCRIPT, supervisor, own_pipeline=own_pipeline)
    ours = await run(local_stack, with_install(SCRIPT), supervisor, own_pipeline=own_pipeline)
    assert ours.briefings == upstream.briefings == int(own_pipeline)
    assert ours.names == upstream.names
    assert ours.names[0] == upstream.names[0] == "started"
    assert ours.last == upstream.last
    assert [each["phase"] for each in ours.everywhere] == ours.names
    assert len(ours.connected) == len(upstream.connected)
    for payload in ours.phases:
        (counterpart,) = [each for each in upstream.phases if each["phase"] is payload["phase"]]
        assert _alike(payload, counterpart), (payload, counterpart)
    (end,), (upstream_end,) = ours.ends, upstream.ends
    assert isinstance(end, WarmTransferError) == isinstance(upstream_end, WarmTransferError)
    if isinstance(end, WarmTransferResult) and isinstance(upstream_end, WarmTransferResult):
        _assert_the_same_result(end, upstream_end)


def _assert_the_same_result(ours: WarmTransferResult, upstream: WarmTransferResult) -> None:
    assert type(ours) is type(upstream)
    assert (ours.success, ours.phase, ours.error) == (upstream.success, upstream.phase, upstream.error)
    ours_fields, upstream_fields = asdict(ours), asdict(upstream)
    if not ours.success:
        assert ours_fields.pop(ON_PURPOSE["only when it happened"]) is None
        upstream_fields.pop(ON_PURPOSE["only when it happened"])
    assert _kinds(ours_fields) == _kinds(upstream_fields)


def _alike(ours: dict[str, Any], upstream: dict[str, Any]) -> bool:
    """Return whether payload and data have the same fields with the same types."""
    outside = _kinds({**ours, "data": None}) == _kinds({**upstream, "data": None})
    return outside and _kinds(ours["data"]) == _kinds(upstream["data"])


def _kinds(data: dict[str, Any]) -> dict[str, str]:
    return {
        name: "null or text" if name in ON_PURPOSE["may be null"] else type(value).__name__
        for name, value in data.items()
        if name not in ON_PURPOSE["more in a final payload"]
    }
