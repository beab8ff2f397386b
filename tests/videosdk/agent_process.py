"""A user's voice agent in a process of its own, so that a test can kill it: the drop-in and the framework.

    python -m tests.videosdk.agent_process URL SANDBOX_URL SECRET SUPERVISOR RESCUE CALLER

`RESCUE` and `CALLER` are JSON. The agent requests a transfer at once. Runs until it is killed.
"""

from __future__ import annotations

import asyncio
import json
import sys
from types import SimpleNamespace
from typing import Any

from videosdk.agents import AgentSession, Pipeline
from videosdk.agents.warm_transfer import SIPDestination, WarmTransferConfig

from warmxfer.cli.local_stack.stack import PlacedCall
from warmxfer.integrations.videosdk import install

from .upstream_fixture import AgentConnections, EscalatingAgent, framework_offline, open_connected

COMMAND_TIMEOUT_S = 8.0
"""Long enough for a busy machine, and how long the release is waited for."""
BRIEFING_TIMEOUT_S = 8.0


async def main(
    url: str,
    sandbox_url: str,
    secret: str,
    supervisor: str,
    rescue: dict[str, str] | None,
    caller: PlacedCall,
) -> None:
    local_stack: Any = SimpleNamespace(url_of=lambda _: url, sandbox_url=sandbox_url, secret=secret)
    destination = SIPDestination(routing_rule_id="rr_1", sip_call_to=supervisor, sip_call_from="+14155550100")
    agent = EscalatingAgent(WarmTransferConfig(destination=destination, briefing_timeout=BRIEFING_TIMEOUT_S))

    def session(pipeline: Pipeline) -> AgentSession:
        made = AgentSession(agent=agent, pipeline=pipeline)
        install(made, url, command_timeout_s=COMMAND_TIMEOUT_S, rescue=rescue)
        return made

    with framework_offline():
        live = await open_connected(local_stack, AgentConnections(local_stack, caller), session)
        await live.stt.transcribe("Get me a supervisor.")
        await asyncio.Event().wait()


if __name__ == "__main__":
    *words, rescue_json, caller_json = sys.argv[1:]
    asyncio.run(main(*words, json.loads(rescue_json), PlacedCall(**json.loads(caller_json))))
