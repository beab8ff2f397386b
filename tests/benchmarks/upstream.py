"""VideoSDK's WarmTransferRunner (upstream), one transfer after the other, for a row of `warmxfer bench`.

    python -m tests.benchmarks.upstream --transfers 20

The framework is real and offline, and the sandbox is the cloud. Prints one line of JSON: the CPU time per
transfer of this process, which has the framework, the AI session and the runner, and how long each transfer
took. That time is not upstream's alone: the fixture's speech takes most of it. Exits 1 if a transfer does not
complete.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import sys
import time

import structlog

from tests.videosdk.many_sessions import open_calls
from warmxfer.cli.local_stack.stack import LocalStack

PACE = 0.001
"""People who need almost no time. At 0 the sandbox's people do not answer."""
LIMIT_S = 60.0


async def measure(transfers: int) -> dict[str, object]:
    """Run `transfers` transfers and return what they took. Raises `RuntimeError` if one does not complete."""
    latencies_s = list[float]()
    async with (
        LocalStack(
            time_scale=PACE, counts=dict.fromkeys(("coordinator", "summarizer", "briefing"), 0)
        ) as stack,
        open_calls(stack, transfers, with_warmxfer=False) as calls,
    ):
        cpu_s = time.process_time()
        for live, agent in calls:
            began_at = time.perf_counter()
            await live.stt.transcribe("Get me a supervisor.")
            async with asyncio.timeout(LIMIT_S):
                result = await agent.ending
            if not getattr(result, "success", False):
                raise RuntimeError(f"a transfer of upstream is not complete: {result}")
            latencies_s.append(time.perf_counter() - began_at)
        cpu_s = time.process_time() - cpu_s
    return {"latencies_s": latencies_s, "cpu_s": cpu_s / transfers}


def main() -> int:
    """Print the result as JSON."""
    parser = argparse.ArgumentParser(description="Upstream, one transfer after the other.")
    parser.add_argument("--transfers", type=int, default=20)
    arguments = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    try:
        print(json.dumps(asyncio.run(measure(arguments.transfers))))
    except RuntimeError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
