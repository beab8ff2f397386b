"""Writes the table of docs/comparison.md: every trouble played for the original and for us.

    python -m tests.videosdk.comparison

Exits 1 where one did not go wrong for the original, or did for us.
"""

from __future__ import annotations

import asyncio
import logging
import sys
from pathlib import Path

import structlog

from warmxfer.cli.local_stack.stack import LocalStack

from .hazards import TROUBLES
from .side_by_side import TIME_SCALE, play

PAGE = Path(__file__).parents[2] / "docs" / "comparison.md"
BEGIN, END = "<!-- played: python -m tests.videosdk.comparison -->\n", "<!-- end -->\n"


async def played() -> tuple[list[str], list[str]]:
    """The table, a row for each trouble, and the troubles that were not shown."""
    lines, not_shown = ["| | trouble | the original | here |", "|---|---|---|---|"], []
    async with LocalStack(time_scale=TIME_SCALE) as house:
        for trouble in TROUBLES:
            original = await play(house, trouble, ours=False)
            ours = await play(house, trouble, ours=True)
            lines.append(f"| {trouble.id} | {trouble.what} | {original} | {ours} |")
            print(lines[-1], flush=True)
            if not trouble.wrong(original) or trouble.wrong(ours):
                not_shown.append(trouble.id)
    return lines, not_shown


def main() -> int:
    """Play, and put the table between its marks."""
    logging.disable(logging.CRITICAL)
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR))
    lines, not_shown = asyncio.run(played())
    head, rest = PAGE.read_text().split(BEGIN)
    table = "\n".join(lines)
    PAGE.write_text(f"{head}{BEGIN}\n{table}\n\n{END}{rest.split(END)[1]}")
    if not_shown:
        print("not shown:", ", ".join(not_shown))
    return 1 if not_shown else 0


if __name__ == "__main__":
    sys.exit(main())
