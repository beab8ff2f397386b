"""`docs/configuration.md` lists every environment variable with its reader, default and range in the code."""

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
from warmxfer.actors.runtime.unknown_variables import PREFIX, known_variables
from warmxfer.actors.summarizer import SummarizerSettings
from warmxfer.adapters.telephony.videosdk.settings import VideoSDKSettings
from warmxfer.bus import BusSettings
from warmxfer.cli.board.access import TokenSettings
from warmxfer.cli.variables import EVERY, VARIABLES
from warmxfer.schemas import InvalidRequest

from .environment_variables import Recorder, mentioned_in_source, read_in_source
from .pages import DOCS, code, read_page

PAGE = read_page(DOCS / "configuration.md")
HEADER = ["variable", "read by", "default", "meaning"]
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
    "board": TokenSettings,
}
WITHOUT_SETTINGS_CLASS = {
    "WARMXFER_LOG": "",
    "WARMXFER_LOG_LEVEL": "info",
    "WARMXFER_HEALTH_PORT": "",
    "WARMXFER_HEALTH_HOST": HOST,
    "WARMXFER_READY_FD": "",
    "WARMXFER_TRACES": "off",
    "WARMXFER_STORE_KEY": "",
    "WARMXFER_STORE_DIR": "",
    "WARMXFER_STORE_ENCRYPTED": "",
}
"""Variables that the process set-up reads without a settings class, with their defaults."""

REQUIRED = {
    "WARMXFER_ROOM_ID": "m9wk-4tzs-c2ha",
    "VIDEOSDK_API_KEY": "key",
    "VIDEOSDK_SECRET": "secret",
    "WARMXFER_DIAL_REGIONS": "US",
    "WARMXFER_LLM_BASE_URL": "http://127.0.0.1:9/v1",
    "WARMXFER_LLM_MODEL": "m",
}
"""The values without which a settings class stops before it has looked up every variable."""

OF_COMMANDS = {
    "WARMXFER_STORE_KEY": "`warmxfer up`",
    "WARMXFER_STORE_DIR": "`warmxfer doctor`",
    "WARMXFER_STORE_ENCRYPTED": "`warmxfer doctor`",
    "WARMXFER_BOARD_TOKEN": "board",
}
"""Variables that one command reads, and no actor."""
OF_NATS_SERVER = {"NATS_SERVER_NAME", "NATS_STORE_KEY", "NATS_ROUTES", "NATS_PASSWORD_ROUTE"}
"""Variables of the broker's own environment, which `warmxfer permissions` names in its configuration."""
NONE = "—"
SECRET = re.compile(r"\ba secret\b")
RANGE = re.compile(r"from (\S+) to (\d\S*)")


def test_every_variable_that_is_read_has_a_row() -> None:
    missing = {name: where for name, where in read_in_source().items() if name not in ROWS}
    assert not missing, f"docs/configuration.md has no row for {_list(missing)}"


def test_every_row_is_a_variable_that_is_read() -> None:
    unread = set(ROWS) - set(read_in_source())
    assert not unread, (
        f"docs/configuration.md has rows for {', '.join(sorted(unread))}; the code does not read them"
    )


def test_the_variables_that_are_known_are_those_of_the_page() -> None:
    assert known_variables() == {name for name in ROWS if name.startswith(PREFIX)}


def test_the_table_of_the_command_line_is_that_of_the_page() -> None:
    table = [
        (
            each.name,
            EVERY_PROCESS if each.roles == EVERY else ", ".join(each.roles) or OF_COMMANDS[each.name],
            each.default or NONE,
        )
        for each in VARIABLES
    ]
    assert table == [(name, row["read by"], code(row["default"])) for name, row in ROWS.items()]


def test_what_the_page_calls_a_secret_is_hidden_by_the_command_line() -> None:
    secrets = {name for name, row in ROWS.items() if SECRET.search(row["meaning"])}
    assert secrets == {each.name for each in VARIABLES if each.secret}


def test_no_string_of_the_code_names_a_variable_that_is_not_read() -> None:
    known = read_in_source().keys() | OF_NATS_SERVER
    unread = {name: where for name, where in mentioned_in_source().items() if name not in known}
    assert not unread, f"strings of the code name variables that it does not read: {_list(unread)}"


@pytest.mark.parametrize("name", ROWS)
def test_the_readers_are_those_of_the_code(name: str) -> None:
    readers = [process for process, kind in SETTINGS.items() if name in _looked_up(kind)]
    if name in WITHOUT_SETTINGS_CLASS:
        readers = [OF_COMMANDS.get(name, EVERY_PROCESS)]
    assert ROWS[name]["read by"] == ", ".join(readers), f"docs/configuration.md, {name}: read by"


@pytest.mark.parametrize("name", ROWS)
def test_the_default_has_the_effect_of_an_unset_variable(name: str) -> None:
    shown = code(ROWS[name]["default"])
    default = "" if shown == NONE else shown
    if name in WITHOUT_SETTINGS_CLASS:
        assert default == WITHOUT_SETTINGS_CLASS[name]
        return
    without = {other: value for other, value in REQUIRED.items() if other != name}
    for process in ROWS[name]["read by"].split(", "):
        if name in REQUIRED:
            assert shown == NONE, f"{name} has no default"
        else:
            assert _settings(process, without) == _settings(process, {**without, name: default}), (
                f"{name} is not {shown}"
            )


def test_every_range_is_in_the_meaning() -> None:
    ranges = {
        (name, range_)
        for name, row in ROWS.items()
        for process in row["read by"].split(", ")
        if name not in WITHOUT_SETTINGS_CLASS and (range_ := _range(SETTINGS[process], name))
    }
    missing = [
        f'{name}: write "{range_}"' for name, range_ in sorted(ranges) if range_ not in ROWS[name]["meaning"]
    ]
    assert len(ranges) > 5
    assert not missing, f"docs/configuration.md: {'; '.join(missing)}"


def test_log_levels_are_listed() -> None:
    assert ROWS["WARMXFER_LOG_LEVEL"]["meaning"] == ", ".join(LEVELS)


def _looked_up(kind: Any) -> set[str]:
    env = Recorder(REQUIRED)
    kind.from_env(env)
    return env.looked_up


def _range(kind: Any, name: str) -> str:
    """Return the range that the error for a bad value names, or "" if there is none."""
    try:
        kind.from_env({**REQUIRED, name: "nonsense"})
    except InvalidRequest as refusal:
        found = RANGE.search(str(refusal))
        return f"{found[1]} to {found[2].rstrip('.')}" if found else ""
    return ""


def _settings(process: str, env: Mapping[str, str]) -> str:
    """Return the settings in `env` as text, because the objects that they hold compare by identity."""
    vendor = VideoSDKSettings.from_env(env) if process == "gateway" else None
    return f"{SETTINGS[process].from_env(env)!r} {vendor!r}"


def _list(found: Mapping[str, str]) -> str:
    return ", ".join(f"{name} ({where})" for name, where in sorted(found.items()))


def test_the_time_that_a_primary_waits_for_its_room_is_that_of_the_code() -> None:
    assert f"exits after {join.WAIT_S:g} s with an error" in ROWS["WARMXFER_ROOM_ID"]["meaning"]
