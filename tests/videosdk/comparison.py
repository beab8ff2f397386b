"""Writes the table of docs/comparison.md: each hazard with upstream and with warmxfer.

    python -m tests.videosdk.comparison

Exits 1 if a hazard does not occur with upstream, or occurs with warmxfer.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import structlog

from warmxfer.cli.local_stack.stack import LocalStack

from .hazard_runner import TIME_SCALE, run_hazard
from .hazards import HAZARDS

PAGE = Path(__file__).parents[2] / "docs" / "comparison.md"
BEGIN, END = "<!-- played: python -m tests.videosdk.comparison -->\n", "<!-- end -->\n"


async def run_all() -> tuple[list[str], list[str]]:
    """Return the lines of the table, and the ids of the hazards that were not shown."""
    lines, not_shown = ["| | hazard | upstream | warmxfer |", "|---|---|---|---|"], []
    async with LocalStack(time_scale=TIME_SCALE) as local_stack:
        for hazard in HAZARDS:
            upstream = await run_hazard(local_stack, hazard, with_warmxfer=False)
            warmxfer = await run_hazard(local_stack, hazard, with_warmxfer=True)
            lines.append(f"| {hazard.id} | {hazard.title} | {upstream} | {warmxfer} |")
            print(lines[-1], flush=True)
            if not hazard.occurred(upstream) or hazard.occurred(warmxfer):
                not_shown.append(hazard.id)
    return lines, not_shown


def main() -> int:
    """Run all hazards, and write the table between its marks."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    lines, not_shown = asyncio.run(run_all())
    head, rest = PAGE.read_text().split(BEGIN)
    table = "\n".join(lines)
    PAGE.write_text(f"{head}{BEGIN}\n{table}\n\n{END}{rest.split(END)[1]}")
    if not_shown:
        print("not shown:", ", ".join(not_shown))
    return 1 if not_shown else 0


if __name__ == "__main__":
    sys.exit(main())
