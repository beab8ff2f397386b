"""Draws the screens of a terminal, one after the other, as one SVG file that moves without a script. Pure.

The screens are side by side in one strip, and a style moves the strip by one screen at each moment. A reader
who prefers less motion sees the last screen.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple
from xml.sax.saxutils import escape

CELL_WIDTH, LINE_HEIGHT, FONT_SIZE, MARGIN = 8.0, 18.0, 13.3, 14.0
LAST_SCREEN_S = 8.0
"""How long the last screen stays before the film begins again."""

BACKGROUND, TEXT = "#15181d", "#d5dae1"
COLOURS = {
    "red": "#ff7b72",
    "green": "#6fcf7f",
    "yellow": "#e3b341",
    "brown": "#e3b341",  # the name that pyte has for yellow
    "blue": "#79b8ff",
    "magenta": "#d2a8ff",
    "cyan": "#56d4dd",
}


class Run(NamedTuple):
    """Characters of one style on one line, from column `at` on."""

    at: int
    text: str
    colour: str = ""
    bold: bool = False


Line = tuple[Run, ...]


class Screen(NamedTuple):
    """What a terminal shows from `at_s` on."""

    at_s: float
    lines: tuple[Line, ...]


def draw(screens: Sequence[Screen], columns: int, rows: int, title: str) -> str:
    """Return the film of `screens` as an SVG. Each line that several screens share is in it once."""
    width, height = columns * CELL_WIDTH + 2 * MARGIN, rows * LINE_HEIGHT + 2 * MARGIN
    ids: dict[Line, str] = {}
    for line in (line for screen in screens for line in screen.lines if line):
        ids.setdefault(line, f"l{len(ids)}")
    total_s = screens[-1].at_s + LAST_SCREEN_S
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" '
        f'width="{width:g}" height="{height:g}" role="img">',
        f"<title>{escape(title)}</title>",
        f"<style>{_style(screens, width, total_s)}</style>",
        f'<rect width="{width:g}" height="{height:g}" rx="8" fill="{BACKGROUND}"/>',
        f'<defs><clipPath id="c"><rect width="{width:g}" height="{height:g}"/></clipPath>',
        *(f'<text id="{id}">{"".join(_runs(line))}</text>' for line, id in ids.items()),
        '</defs><g clip-path="url(#c)"><g class="film">',
        *(_screen(number, screen, ids, width) for number, screen in enumerate(screens)),
        "</g></g></svg>",
    ]
    return "\n".join(parts) + "\n"


def _screen(number: int, screen: Screen, ids: dict[Line, str], width: float) -> str:
    used = "".join(
        f'<use href="#{ids[line]}" y="{MARGIN + (row + 0.75) * LINE_HEIGHT:g}"/>'
        for row, line in enumerate(screen.lines)
        if line
    )
    return f'<g transform="translate({number * width + MARGIN:g})">{used}</g>'


def _runs(line: Line) -> Iterator[str]:
    for run in line:
        weight = ' class="b"' if run.bold else ""
        colour = f' fill="{run.colour}"' if run.colour else ""
        length = f' textLength="{len(run.text) * CELL_WIDTH:g}"' if len(run.text) > 1 else ""
        yield f'<tspan x="{run.at * CELL_WIDTH:g}"{length}{weight}{colour}>{escape(run.text)}</tspan>'


def _style(screens: Sequence[Screen], width: float, total_s: float) -> str:
    steps = "".join(
        f"{100 * screen.at_s / total_s:.3f}%{{transform:translateX({-number * width:g}px)}}"
        for number, screen in enumerate(screens)
    )
    last = f"transform:translateX({-(len(screens) - 1) * width:g}px)"
    return (
        f"text{{font:{FONT_SIZE}px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace;fill:{TEXT};"
        "white-space:pre}.b{font-weight:bold}"
        f"@keyframes film{{{steps}100%{{{last}}}}}"
        f".film{{animation:film {total_s:.2f}s step-end infinite}}"
        f"@media (prefers-reduced-motion:reduce){{.film{{animation:none;{last}}}}}"
    )
