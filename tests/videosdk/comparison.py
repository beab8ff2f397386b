"""Writes the table of docs/comparison.md: every trouble played for the original and for us.

python -m tests.videosdk.comparison
"""

from __future__ import annotations

import asyncio
from pathlib import Path

from warmxfer.actors.house import House

from .beside import TIME_SCALE, play
from .troubles import TROUBLES

PAGE = Path(__file__).parents[2] / "docs" / "comparison.md"
BEGIN, END = "<!-- played: python -m tests.videosdk.comparison -->\n", "<!-- end -->\n"


async def rows() -> list[str]:
    """One row of the table for each trouble."""
    lines = ["| | trouble | the original | here |", "|---|---|---|---|"]
    async with House(time_scale=TIME_SCALE) as house:
        for trouble in TROUBLES:
            original = await play(house, trouble, ours=False)
            ours = await play(house, trouble, ours=True)
            shown = trouble.wrong(original) and not trouble.wrong(ours)
            lines.append(f"| {trouble.id} | {trouble.what} | {original} | {ours} |")
            print(lines[-1], "" if shown else "  <-- NOT SHOWN", flush=True)
    return lines


def main() -> None:
    """Play, and put the table between its marks."""
    table = "\n".join(asyncio.run(rows()))
    head, rest = PAGE.read_text().split(BEGIN)
    PAGE.write_text(f"{head}{BEGIN}\n{table}\n\n{END}{rest.split(END)[1]}")


if __name__ == "__main__":
    main()
