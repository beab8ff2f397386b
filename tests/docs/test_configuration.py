"""`docs/configuration.md` lists every environment variable, and says of each what the code does with it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import pytest

from warmxfer.actors.briefing import BriefingSettings
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.gateway import GatewaySettings
from warmxfer.actors.primary import PrimarySettings
from warmxfer.actors.primary.sandbox_agent import join
from warmxfer.actors.runtime.health_probe import HOST
from warmxfer.actors.runtime.log_setup import LEVELS
from warmxfer.actors.summarizer import SummarizerSettings
from warmxfer.adapters.telephony.videosdk.settings import VideoSDKSettings
from warmxfer.bus import BusSettings
from warmxfer.schemas import InvalidRequest

from .environment import Recorder, mentioned_in_source, read_in_source
from .pages import DOCS, code, read_page

PAGE = read_page(DOCS / "configuration.md")
HEADER = ["variable", "who reads it", "default", "meaning"]
ROWS = {
    code(row["variable"]): row
    for section in PAGE.walk()
    for table in section.tables
    if table.header == HEADER
    for row in table.rows
}

EVERY_PROCESS = "every process"
SETTINGS: Mapping[str, Any] = {
    EVERY_PROCESS: BusSettings,
    "coordinator": CoordinatorSettings,
    "primary": PrimarySettings,
    "summarizer": SummarizerSettings,
    "briefing": BriefingSettings,
    "gateway": GatewaySettings,
}
BY_THE_PROCESS = {
    "WARMXFER_LOG": "",
    "WARMXFER_LOG_LEVEL": "info",
    "WARMXFER_HEALTH_PORT": "",
    "WARMXFER_HEALTH_HOST": HOST,
    "WARMXFER_READY_FD": "",
}
"""Read where a process is set up, with their defaults: by every process, without a settings class."""

ENOUGH = {
    "WARMXFER_ROOM_ID": "m9wk-4tzs-c2ha",
    "VIDEOSDK_API_KEY": "key",
    "VIDEOSDK_SECRET": "secret",
    "WARMXFER_LLM_BASE_URL": "http://127.0.0.1:9/v1",
    "WARMXFER_LLM_MODEL": "m",
}
"""What has to be set for every settings class to read all it can."""

NONE = "—"
RANGE = re.compile(r"from (\S+) to (\d\S*)")


def test_every_variable_that_is_read_has_a_row() -> None:
    missing = {name: where for name, where in read_in_source().items() if name not in ROWS}
    assert not missing, f"docs/configuration.md has no row for {_list(missing)}"


def test_every_row_is_a_variable_that_is_read() -> None:
    ghosts = set(ROWS) - set(read_in_source())
    assert not ghosts, f"docs/configuration.md has rows for {', '.join(sorted(ghosts))}, which nobody reads"


def test_no_sentence_names_a_variable_that_is_not_read() -> None:
    ghosts = {name: where for name, where in mentioned_in_source().items() if name not in read_in_source()}
    assert not ghosts, f"the code tells people of variables it does not read: {_list(ghosts)}"


@pytest.mark.parametrize("name", ROWS)
def test_who_reads_it(name: str) -> None:
    readers = [who for who, kind in SETTINGS.items() if name in _asked(kind)]
    if name in BY_THE_PROCESS:
        readers = [EVERY_PROCESS]
    assert ROWS[name]["who reads it"] == ", ".join(readers), f"docs/configuration.md, {name}: who reads it"


@pytest.mark.parametrize("name", ROWS)
def test_the_default_is_what_happens_when_it_is_not_set(name: str) -> None:
    shown = code(ROWS[name]["default"])
    default = "" if shown == NONE else shown
    if name in BY_THE_PROCESS:
        assert default == BY_THE_PROCESS[name]
        return
    without = {other: value for other, value in ENOUGH.items() if other != name}
    for who in ROWS[name]["who reads it"].split(", "):
        if name in ENOUGH:
            assert shown == NONE, f"{name} has no default"
        else:
            assert _shown(who, without) == _shown(who, {**without, name: default}), f"{name} is not {shown}"


def test_ranges_are_told() -> None:
    ranges = {
        (name, said)
        for name, row in ROWS.items()
        for who in row["who reads it"].split(", ")
        if name not in BY_THE_PROCESS and (said := _range(SETTINGS[who], name))
    }
    untold = [f'{name}: say "{said}"' for name, said in sorted(ranges) if said not in ROWS[name]["meaning"]]
    assert len(ranges) > 5
    assert not untold, f"docs/configuration.md: {'; '.join(untold)}"


def test_log_levels_are_told() -> None:
    assert ROWS["WARMXFER_LOG_LEVEL"]["meaning"] == ", ".join(LEVELS)


def _asked(kind: Any) -> set[str]:
    env = Recorder(ENOUGH)
    kind.from_env(env)
    return env.asked


def _range(kind: Any, name: str) -> str:
    """What a refusal of nonsense says about the range; empty where any text will do, or no number will."""
    try:
        kind.from_env({**ENOUGH, name: "nonsense"})
    except InvalidRequest as refusal:
        found = RANGE.search(str(refusal))
        return f"{found[1]} to {found[2].rstrip('.')}" if found else ""
    return ""


def _shown(who: str, env: Mapping[str, str]) -> str:
    """The settings in `env`, as text: what they open is made anew each time, and compares by identity."""
    vendor = VideoSDKSettings.from_env(env) if who == "gateway" else None
    return f"{SETTINGS[who].from_env(env)!r} {vendor!r}"


def _list(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({where})" for name, where in sorted(found.items()))


def test_the_page_says_how_long_a_primary_waits_for_its_room() -> None:
    assert f"ends after {join.WAIT_S:g} s with a sentence" in ROWS["WARMXFER_ROOM_ID"]["meaning"]
