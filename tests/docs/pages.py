"""Parser for the pages of `docs/`: sections, tables and fenced blocks, each with its line number.

It knows only the Markdown that these pages use: headings, pipe tables, fences and numbered lists.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
FOLDERS = (
    "schemas",
    "metrics",
    "tracing",
    "bus",
    "client",
    "adapters",
    "actors",
    "integrations",
    "cli",
    "sandbox",
)
"""The folders that hold the product: those of the wheel."""

_HEADING = re.compile(r"(#{1,6}) (.+)")
_FENCE = re.compile(r"```(\w*)")
_ITEM = re.compile(r"([0-9]+)\. (.+)")
_CELLS = re.compile(r"(?<!\\)\|")
_CODE = re.compile(r"`([^`]+)`")


@dataclass
class Block:
    """A fenced block. `above` is the prose before it in the same section, nearest line first."""

    language: str
    text: str
    above: list[str]
    where: str


@dataclass
class Table:
    """A table. Each row maps the words of the header to a cell, which keeps its Markdown."""

    header: list[str]
    rows: list[dict[str, str]]
    where: str


@dataclass
class Section:
    """A heading and its content. `parts` are the sections one level below."""

    title: str
    level: int
    parent: Section | None
    prose: list[str] = field(default_factory=list)
    tables: list[Table] = field(default_factory=list)
    blocks: list[Block] = field(default_factory=list)
    parts: list[Section] = field(default_factory=list)

    def walk(self) -> Iterator[Section]:
        yield self
        for part in self.parts:
            yield from part.walk()

    @property
    def with_parents(self) -> list[Section]:
        """This section and its ancestors, innermost first."""
        return [self, *(self.parent.with_parents if self.parent else [])]

    def find(self, title: str) -> Section:
        """Return the section called `title`. Fails unless there is exactly one."""
        found = [each for each in self.walk() if each.title == title]
        assert len(found) == 1, f'the page has {len(found)} headings "{title}"; write exactly one'
        return found[0]

    def table(self, *header: str) -> Table:
        """Return the table with this header directly under the heading. Fails unless there is exactly one."""
        found = [table for table in self.tables if table.header == list(header)]
        assert len(found) == 1, (
            f'"{self.title}" has {len(found)} tables | {" | ".join(header)} |; write exactly one '
            f"(tables there: {[table.header for table in self.tables]})"
        )
        return found[0]

    @property
    def numbered_lists(self) -> list[list[str]]:
        """The numbered lists, item by item."""
        found: list[list[str]] = []
        for line in self.prose:
            if item := _ITEM.fullmatch(line):
                if item[1] == "1":
                    found.append([])
                found[-1].append(item[2])
        return found


def read_page(path: Path) -> Section:
    """Return the page as one section without a title that contains all others."""
    name = path.relative_to(ROOT).as_posix()
    section = Section("", 0, None)
    lines = iter(enumerate(path.read_text(encoding="utf-8").splitlines(), 1))
    for number, line in lines:
        if heading := _HEADING.fullmatch(line):
            section = _open(section, len(heading[1]), heading[2])
        elif fence := _FENCE.fullmatch(line):
            text = "\n".join(_until_fence(lines))
            above = [each for each in reversed(section.prose) if each.strip()]
            section.blocks.append(Block(fence[1], text, above, f"{name}:{number}"))
        else:
            section.prose.append(line)
            if line.startswith("|"):
                _add_row(section, line, f"{name}:{number}")
    return section.with_parents[-1]


def code(cell: str) -> str:
    """Return the text in backticks if it is the whole cell, else the cell itself."""
    found = _CODE.fullmatch(cell)
    return found[1] if found else cell


def codes(lines: list[str]) -> set[str]:
    """Return every text in backticks in `lines`."""
    return {each for line in lines for each in _CODE.findall(line)}


def assert_limits(section: Section, limits: Mapping[str, int]) -> None:
    """Assert that the table of limits in `section` has exactly these rows, each with its number."""
    rows = section.table("what", "limit").rows
    assert [row["what"] for row in rows] == list(limits)
    for row in rows:
        assert str(limits[row["what"]]) in row["limit"].replace(",", "").split(), row


def _open(section: Section, level: int, title: str) -> Section:
    while section.level >= level and section.parent is not None:
        section = section.parent
    part = Section(title, level, section)
    section.parts.append(part)
    return part


def _until_fence(lines: Iterator[tuple[int, str]]) -> Iterator[str]:
    for _, line in lines:
        if line.startswith("```"):
            return
        yield line


def _add_row(section: Section, line: str, where: str) -> None:
    cells = [cell.strip().replace(r"\|", "|") for cell in _CELLS.split(line)[1:-1]]
    if len(section.prose) < 2 or not section.prose[-2].startswith("|"):
        section.tables.append(Table(cells, [], where))
    elif not all(re.fullmatch(r":?-+:?", cell) for cell in cells):
        table = section.tables[-1]
        assert len(cells) == len(table.header), f"{where} has {len(cells)} cells, not {len(table.header)}"
        table.rows.append(dict(zip(table.header, cells, strict=True)))
