"""Pages lead somewhere: links, anchors and files exist, and so does every `warmxfer` command they tell of."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from warmxfer.cli.app import app

from .environment import FOLDERS
from .pages import DOCS, ROOT, Section, read_page

PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]

_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"(?:^|[\s(])warmxfer ((?:[^\s#|;&)]+ ?)+)")
_NOT_OURS = re.compile(r"[a-z]+:")
_CODE_FENCES = ("", "sh", "bash", "console", "shell")


def links(page: Path) -> list[tuple[str, str]]:
    """Every link that stays in the repository: (file, anchor), either of them empty."""
    prose = [line for section in read_page(page).walk() for line in [section.title, *section.prose]]
    text = "\n".join(_SPAN.sub("code", line) for line in prose)
    targets = [a or b for a, b in _LINK.findall(text)]
    return [(path, anchor) for path, _, anchor in (each.partition("#") for each in targets if _ours(each))]


def anchors(page: Path) -> set[str]:
    """What may stand behind `#`, made of the headings as GitHub does."""
    found: set[str] = set()
    for section in read_page(page).walk():
        plain = re.sub(r"[^\w\- ]", "", section.title.lower()).replace(" ", "-")
        repeats = [plain, *(f"{plain}-{number}" for number in range(1, 100))]
        found.add(next(each for each in repeats if each not in found))
    return found


def commands(page: Path) -> list[str]:
    """What is typed after `warmxfer` in code on this page."""
    return [found.strip() for text in _code(read_page(page)) for found in _COMMAND.findall(text)]


def our_commands() -> dict[str, set[str]]:
    """The commands there are, each with its options."""
    cli: Any = typer.main.get_command(app)
    return {
        name: {"--help", *(option for each in command.params for option in each.opts + each.secondary_opts)}
        for name, command in cli.commands.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {path}, which is not there"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.name} links to {path}#{anchor}; no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    known = our_commands()
    for typed in commands(page):
        name, *rest = typed.split()
        if name.startswith(("-", "<")):
            continue
        assert name in known, f"{page.name}: `warmxfer {typed}`; there is no command {name}"
        unknown = {word.partition("=")[0] for word in rest if word.startswith("--")} - known[name]
        assert not unknown, f"{page.name}: `warmxfer {typed}`; {name} has no {', '.join(sorted(unknown))}"


def test_nobody_is_sent_to_an_index_that_does_not_have_us() -> None:
    """What is installed is a clone; `pip install 'warmxfer[videosdk]'` found nothing."""
    rooms = [path for room in FOLDERS for path in (ROOT / room).rglob("*.py")]
    told = [path for path in (*PAGES, *rooms) if re.search(r"install \W*warmxfer", path.read_text("utf-8"))]
    assert told == []


def test_the_readme_says_how_a_bare_command_is_found_before_it_writes_one() -> None:
    """ "command not found" was what the first pasted line said."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    bare = re.search(r"(?:^|`)warmxfer \w", page, re.M)
    assert bare is not None
    assert page.index("source .venv/bin/activate") < bare.start()


def test_every_command_is_told_of_somewhere() -> None:
    told = {typed.split()[0] for page in PAGES for typed in commands(page)}
    untold = set(our_commands()) - told
    assert not untold, f"no page tells of `warmxfer {', '.join(sorted(untold))}`: add it to README.md"


def _ours(target: str) -> bool:
    return _NOT_OURS.match(target) is None


def _code(page: Section) -> list[str]:
    spans = [span for section in page.walk() for line in section.prose for span in _SPAN.findall(line)]
    blocks = [block for section in page.walk() for block in section.blocks if block.language in _CODE_FENCES]
    return spans + [line for block in blocks for line in block.text.splitlines()]
