"""Every link, anchor and `warmxfer` command on a page exists."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import typer

from warmxfer.cli.app import build_app

from .environment_variables import FOLDERS
from .pages import DOCS, ROOT, Section, read_page

USER_PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]
PAGES = sorted({*USER_PAGES, *ROOT.glob("*.md")})

_LINK = re.compile(r"(?<!!)\[[^\]]+\]\(([^)\s]+)\)|!\[[^\]]*\]\(([^)\s]+)\)")
_SPAN = re.compile(r"`([^`]+)`")
_COMMAND = re.compile(r"(?:^|[\s(])warmxfer ((?:[^\s#|;&)]+ ?)+)")
_URL = re.compile(r"[a-z]+:")
_PATH = re.compile(rf"(?:{'|'.join([*FOLDERS, 'tests', 'ops', 'docs'])})/[\w./-]*")
_CODE_FENCES = ("", "sh", "bash", "console", "shell")


def links(page: Path) -> list[tuple[str, str]]:
    """Return every link into the repository as (file, anchor). Either may be empty."""
    prose = [line for section in read_page(page).walk() for line in [section.title, *section.prose]]
    text = "\n".join(_SPAN.sub("code", line) for line in prose)
    targets = [a or b for a, b in _LINK.findall(text)]
    return [
        (path, anchor)
        for path, _, anchor in (each.partition("#") for each in targets if _in_repository(each))
    ]


def anchors(page: Path) -> set[str]:
    """Return the anchors of the page, made from its headings as GitHub makes them."""
    found: set[str] = set()
    for section in read_page(page).walk():
        plain = re.sub(r"[^\w\- ]", "", section.title.lower()).replace(" ", "-")
        repeats = [plain, *(f"{plain}-{number}" for number in range(1, 100))]
        found.add(next(each for each in repeats if each not in found))
    return found


def commands(page: Path) -> list[str]:
    """Return the arguments of every `warmxfer` command in code on this page."""
    return [found.strip() for text in _code(read_page(page)) for found in _COMMAND.findall(text)]


def cli_commands() -> dict[str, set[str]]:
    """Return every command of the command line with its options."""
    cli: Any = typer.main.get_command(build_app())
    return {
        name: {"--help", *(option for each in command.params for option in each.opts + each.secondary_opts)}
        for name, command in cli.commands.items()
    }


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_and_anchors_exist(page: Path) -> None:
    for path, anchor in links(page):
        target = (page.parent / path).resolve() if path else page
        assert target.exists(), f"{page.name} links to {path}; no such file"
        if anchor and target.suffix == ".md":
            assert anchor in anchors(target), f"{page.name} links to {path}#{anchor}; no such heading"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_files_and_folders_in_backticks_exist(page: Path) -> None:
    spans = [span for section in read_page(page).walk() for span in _SPAN.findall("\n".join(section.prose))]
    named = [found[0] for span in spans if (found := _PATH.fullmatch(span.partition("::")[0]))]
    missing = [path for path in named if not (ROOT / path).exists()]
    assert not missing, f"{page.name} names {', '.join(missing)}; no such file"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_exist(page: Path) -> None:
    known = cli_commands()
    for typed in commands(page):
        name, *rest = typed.split()
        if name.startswith(("-", "<")):
            continue
        assert name in known, f"{page.name}: `warmxfer {typed}`; there is no command {name}"
        unknown = {word.partition("=")[0] for word in rest if word.startswith("--")} - known[name]
        assert not unknown, f"{page.name}: `warmxfer {typed}`; {name} has no {', '.join(sorted(unknown))}"


def test_no_page_installs_warmxfer_from_an_index() -> None:
    """No index has warmxfer: `pip install 'warmxfer[videosdk]'` found nothing. Users install a clone."""
    modules = [path for folder in FOLDERS for path in (ROOT / folder).rglob("*.py")]
    wrong = [
        path for path in (*PAGES, *modules) if re.search(r"install \W*warmxfer", path.read_text("utf-8"))
    ]
    assert wrong == []


def test_the_readme_activates_the_environment_before_its_first_bare_command() -> None:
    """Without it the first pasted line failed with "command not found"."""
    page = (ROOT / "README.md").read_text(encoding="utf-8")
    bare = re.search(r"(?:^|`)warmxfer \w", page, re.M)
    assert bare is not None
    assert page.index("source .venv/bin/activate") < bare.start()


def test_every_command_is_on_a_page() -> None:
    shown = {typed.split()[0] for page in USER_PAGES for typed in commands(page)}
    missing = set(cli_commands()) - shown
    assert not missing, f"no page shows `warmxfer {', '.join(sorted(missing))}`: add it to README.md"


def _in_repository(target: str) -> bool:
    return _URL.match(target) is None


def _code(page: Section) -> list[str]:
    spans = [span for section in page.walk() for line in section.prose for span in _SPAN.findall(line)]
    blocks = [block for section in page.walk() for block in section.blocks if block.language in _CODE_FENCES]
    return spans + [line for block in blocks for line in block.text.splitlines()]
