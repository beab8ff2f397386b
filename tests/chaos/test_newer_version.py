"""The pretended newer version is one whose workers know the stages that its coordinators write."""

from __future__ import annotations

import asyncio
import os
import sys

from .upgrade import newer_version

IMPORT_S = 60.0
COMPARE = """
from warmxfer.actors.common.sent_by_log import KNOWN_STAGES, RULES
from warmxfer.actors.common.log_record import LogState
from warmxfer.actors.coordinator.state_machine.state import Stage

assert Stage.BRIEFING == "asking_the_supervisor", Stage.BRIEFING
assert KNOWN_STAGES - set(Stage) == {"briefing"}, KNOWN_STAGES
assert set(Stage) - KNOWN_STAGES == {"new"}, KNOWN_STAGES
for word in ("briefing", Stage.BRIEFING.value):
    assert RULES["brief_supervisor"].wanted_late(LogState(id="t", stage=word)), word
"""


async def test_a_newer_worker_wants_the_commands_of_the_stage_that_only_it_knows() -> None:
    """A command of a briefing was once left to a newer worker by every worker, until it was dead-lettered."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        COMPARE,
        env=os.environ | newer_version(),
        stderr=asyncio.subprocess.PIPE,
    )
    _, stderr = await asyncio.wait_for(process.communicate(), IMPORT_S)
    assert process.returncode == 0, stderr.decode()
