"""The plot: what a transfer costs against the work in progress and against history, as one SVG. Pure."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from html import escape

from .rows import Row

WIDTH, PANEL_HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 720, 240, 64, 168, 40, 36
COLOURS = ("#1f5fa8", "#b3541e", "#3b7a3b", "#7a3b78")
HEADROOM = 1.15

Series = dict[str, list[tuple[float, float]]]


def plot(rows: Iterable[Row]) -> str:
    """Return the SVG of every row that has a point: one panel below another, x logarithmic, y from 0."""
    panels: dict[str, Series] = {}
    for row in rows:
        if row.point is not None and row.value is not None:
            lines = panels.setdefault(row.point.panel, {})
            lines.setdefault(row.point.line, []).append((row.point.x, row.value))
    height = PANEL_HEIGHT * max(len(panels), 1)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" '
        'font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>',
    ]
    for number, (title, lines) in enumerate(panels.items()):
        parts += _panel(title, lines, number * PANEL_HEIGHT)
    return "\n".join([*parts, "</svg>", ""])


def _panel(title: str, lines: Series, top: float) -> list[str]:
    points = [point for line in lines.values() for point in line]
    low, high = min(x for x, _ in points), max(x for x, _ in points)
    highest = max(y for _, y in points) * HEADROOM or 1.0
    floor_y, right = top + PANEL_HEIGHT - BOTTOM, WIDTH - RIGHT

    def place(x: float, y: float) -> tuple[float, float]:
        along = 0.5 if low == high else math.log(x / low) / math.log(high / low)
        return LEFT + along * (right - LEFT), floor_y - y / highest * (floor_y - top - TOP)

    parts = [
        f'<text x="{LEFT}" y="{top + 20}" font-weight="bold">{escape(title)}</text>',
        f'<path d="M{LEFT} {top + TOP} V{floor_y} H{right}" fill="none" stroke="#888888"/>',
    ]
    for share in (0.0, 0.5, 1.0):
        y = highest / HEADROOM * share
        at = place(low, y)[1]
        parts.append(f'<text x="{LEFT - 8}" y="{at + 4:.1f}" text-anchor="end">{y:.3g}</text>')
    for x in sorted({x for x, _ in points}):
        at = place(x, 0)[0]
        parts.append(f'<text x="{at:.1f}" y="{floor_y + 18:.1f}" text-anchor="middle">{x:,.0f}</text>')
    for index, (name, line) in enumerate(lines.items()):
        parts += _line(name, [place(*point) for point in sorted(line)], COLOURS[index % len(COLOURS)])
    return parts


def _line(name: str, places: Sequence[tuple[float, float]], colour: str) -> list[str]:
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    x, y = places[-1]
    return [
        f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
        *(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in places),
        f'<text x="{x + 8:.1f}" y="{y + 4:.1f}" fill="{colour}">{escape(name)}</text>',
    ]
