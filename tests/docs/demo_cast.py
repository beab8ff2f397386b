"""Records `warmxfer demo` in a terminal, and draws the recording as `docs/pictures/demo.svg`.

    uv run --group dev python -m tests.docs.demo_cast --write

The run is a real one. Its pauses are cut to `MAX_PAUSE_S`, and its lines come at most every `LINE_S`, so that
they can be read. Spinners stand still.
"""

from __future__ import annotations

import argparse
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterable, Sequence
from fcntl import ioctl
from itertools import groupby
from pathlib import Path
from typing import Any, NamedTuple

import pyte

from .cast_svg import COLOURS, Line, Run, Screen, draw
from .pages import DOCS

PICTURE = DOCS / "pictures" / "demo.svg"
COLUMNS, ROWS = 104, 34
MAX_PAUSE_S, LINE_S = 1.5, 0.16
DEADLINE_S = 120.0
COMMAND = "uv run warmxfer demo"
CURSOR_UP = b"\x1b[1A"
SPINNER = re.compile("[\u2801-\u28ff]")


class Output(NamedTuple):
    """What a program wrote to its terminal, and when."""

    at_s: float
    data: bytes


def record(command: Sequence[str], columns: int = COLUMNS, rows: int = ROWS) -> list[Output]:
    """Run `command` in a terminal of this size and return what it wrote. Raises RuntimeError if it fails."""
    parent, child = pty.openpty()
    ioctl(child, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    env = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "LINES")}
    process = subprocess.Popen(
        command, stdin=child, stdout=child, stderr=child, env={**env, "TERM": "xterm-256color"}
    )
    os.close(child)
    began, found = time.monotonic(), list[Output]()
    try:
        while time.monotonic() - began < DEADLINE_S:
            if not select.select([parent], [], [], 0.05)[0]:
                continue
            try:
                data = os.read(parent, 65_536)
            except OSError:  # Linux: the program has closed the terminal.
                break
            found.append(Output(time.monotonic() - began, data))
    finally:
        os.close(parent)
        process.terminate()
        code = process.wait()
    if code != 0:
        raise RuntimeError(f"{' '.join(command)} exited with {code}")
    return found


def screens(outputs: Iterable[Output], columns: int = COLUMNS, rows: int = ROWS) -> list[Screen]:
    """Return what a terminal of this size shows, line by line."""
    terminal = pyte.Screen(columns, rows)
    stream = pyte.ByteStream(terminal)
    found: list[Screen] = []
    shown_at = changed_at = 0.0
    for at_s, data in outputs:
        redrawn = CURSOR_UP in data  # The lines of a checklist change at once.
        for part in (data,) if redrawn else data.splitlines(keepends=True):
            stream.feed(part)
            lines = tuple(_line(terminal.buffer[row], columns) for row in range(rows))
            if found and found[-1].lines == lines:
                continue
            shown_at += min(max(at_s - changed_at, LINE_S), MAX_PAUSE_S)
            changed_at = at_s
            found.append(Screen(shown_at, lines))
    return found


def _line(cells: Any, columns: int) -> Line:
    """Return the runs of one line, without the blanks at its end."""
    styled = [(SPINNER.sub("⠿", cells[column].data), *_style(cells[column])) for column in range(columns)]
    runs: list[Run] = []
    at = 0
    for (colour, bold), group in groupby(styled, key=lambda cell: (cell[1], cell[2])):
        text = "".join(cell[0] for cell in group)
        if text.strip():
            lead = len(text) - len(text.lstrip())
            runs.append(Run(at + lead, text.strip(), colour, bold))
        at += len(text)
    return tuple(runs)


def _style(cell: Any) -> tuple[str, bool]:
    """Return colour and weight. pyte drops the attribute dim, which is drawn by its absence of colour."""
    return COLOURS.get(cell.fg.removeprefix("bright"), ""), bool(cell.bold)


def main() -> None:
    """Record the demo and draw it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", required=True, help=f"write {PICTURE}")
    parser.parse_args()
    prompt = Output(0.0, b"\x1b[1m$\x1b[0m " + COMMAND.encode() + b"\r\n\r\n")
    outputs = record([str(Path(sys.executable).with_name("warmxfer")), "demo"])
    drawn = screens([prompt, *outputs])
    PICTURE.parent.mkdir(exist_ok=True)
    PICTURE.write_text(draw(drawn, COLUMNS, ROWS, f"{COMMAND}, recorded"), encoding="utf-8")
    print(f"{PICTURE}: {len(drawn)} screens, {PICTURE.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
