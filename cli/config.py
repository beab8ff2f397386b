"""`warmxfer config <role>`: the settings that a process of this role would have, each with its source.

A secret is never printed, and neither is a password in an address.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from msgspec import Struct

from warmxfer.actors.runtime.roles import Role, settings_class

from .options import Json
from .output import console, plain, print_json, print_uncut, run_command
from .variables import VARIABLES, Variable

if TYPE_CHECKING:
    from rich.table import Table

MAX_SHOWN_CHARS = 100
MAX_FILE_BYTES = 1_000_000
HIDDEN = "(hidden)"
NO_LIMIT = "no limit: the provider is a sandbox"
LIMITS = (
    "WARMXFER_DIAL_PER_HOUR",
    "WARMXFER_DIAL_PER_DESTINATION",
    "WARMXFER_DIAL_PER_ROOM",
    "WARMXFER_DIAL_PENDING",
)
_BETWEEN_SERVERS = re.compile(r",\s*(?=(?:nats|tls)://)")
_LINE = re.compile(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)=(.*)", re.ASCII)

Source = Literal["environment", "file", "default"]


class Setting(Struct, frozen=True):
    """One setting. `value` is None if it is not set and has no default; a secret is hidden."""

    name: str
    value: str | None
    source: Source
    secret: bool


def config(
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="Role whose settings to print.")],
    env_file: Annotated[
        list[Path] | None,
        typer.Option(
            "--env-file",
            metavar="FILE",
            help="File of NAME=VALUE lines that the process gets; may be repeated. It wins over the "
            "environment, and a later file over an earlier one.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Print the settings of a role, each with its source.

    A process of this role that is started in this environment has these settings. Secrets are hidden. Exit
    code 2: the process would refuse to start, and the last line says why.
    """
    run_command(lambda: _config(role, env_file or [], json), log_level="critical")


async def _config(role: Role, files: list[Path], json: bool) -> None:
    from warmxfer.schemas import InvalidRequest

    in_files = {name: value for file in files for name, value in read_env_file(file).items()}
    env = {**os.environ, **in_files}
    refused = None
    try:
        defaults = computed_defaults(role, env)
    except InvalidRequest as error:
        refused, defaults = error, dict[str, str]()
    settings = effective_settings(role, os.environ, in_files, defaults)
    if json:
        for each in settings:
            print_json(each)
    else:
        print_uncut(console(), _table(settings))
        _print_unread(role, env)
    if refused is not None:
        raise refused


def effective_settings(
    role: Role, env: Mapping[str, str], in_files: Mapping[str, str], defaults: Mapping[str, str]
) -> list[Setting]:
    """Return the settings of `role`. `defaults` replace those of the table. Pure."""
    return [
        _setting(each, env, in_files, defaults.get(each.name, each.default))
        for each in VARIABLES
        if role in each.roles
    ]


def _setting(
    variable: Variable, env: Mapping[str, str], in_files: Mapping[str, str], default: str
) -> Setting:
    source: Source = "file" if variable.name in in_files else "environment"
    value = in_files.get(variable.name, env.get(variable.name, "")).strip()
    if not value:
        return Setting(variable.name, default or None, "default", variable.secret)
    text = _without_logins(value) if variable.name.endswith("_URL") else value
    return Setting(variable.name, HIDDEN if variable.secret else _shown(text), source, variable.secret)


def _without_logins(value: str) -> str:
    """Return addresses without their logins, also of addresses that the process would refuse."""
    from warmxfer.bus.settings import without_login

    return ",".join(without_login(address).strip() for address in _BETWEEN_SERVERS.split(value))


def _shown(value: str) -> str:
    """Return `value` on one line, cut to `MAX_SHOWN_CHARS`."""
    text = plain(value)
    return text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"


def computed_defaults(role: Role, env: Mapping[str, str]) -> dict[str, str]:
    """Return the defaults that depend on other variables. Raises `InvalidRequest` as the process would."""
    from warmxfer.actors.runtime.health_probe import probe_port
    from warmxfer.actors.runtime.log_setup import log_level, wants_json_lines
    from warmxfer.bus import BusSettings

    log_level(env)
    wants_json_lines(env)
    probe_port(env)
    settings = settings_class(role).from_env(env)
    defaults = {"NATS_INBOX_PREFIX": BusSettings.from_env(env).inbox}
    if role is Role.GATEWAY and settings.limits.per_hour is None:
        defaults |= dict.fromkeys(LIMITS, NO_LIMIT)
    return defaults


def read_env_file(path: Path) -> dict[str, str]:
    """Return the variables in a file of NAME=VALUE lines. Raises `InvalidRequest`, which quotes no line.

    Empty lines and lines that begin with # are left out. Quotes around a value are removed.
    """
    from warmxfer.schemas import InvalidRequest

    try:
        with path.open("rb") as file:
            text = file.read(MAX_FILE_BYTES).decode()
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "no UTF-8"
        raise InvalidRequest(
            f"--env-file is {str(path)!r}, which cannot be read ({why}); give a file of NAME=VALUE lines",
            field="--env-file",
        ) from error
    variables: dict[str, str] = {}
    for number, line in enumerate(map(str.strip, text.splitlines()), 1):
        if not line or line.startswith("#"):
            continue
        found = _LINE.fullmatch(line)
        if found is None:
            raise InvalidRequest(
                f"--env-file is {str(path)!r}, and its line {number} is not NAME=VALUE; correct the line",
                field="--env-file",
            )
        variables[found[1]] = _unquoted(found[2].strip())
    return variables


def _unquoted(value: str) -> str:
    quoted = len(value) >= 2 and value[0] == value[-1] and value[0] in "'\""
    return value[1:-1] if quoted else value


def _table(settings: list[Setting]) -> Table:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("variable", "value", "source"):
        table.add_column(title, no_wrap=True)
    for each in settings:
        style = "dim" if each.source == "default" else ""
        table.add_row(each.name, Text(each.value or "—", style=style), Text(each.source, style=style))
    return table


def _print_unread(role: Role, env: Mapping[str, str]) -> None:
    """Name the variables that are set and that only other roles read."""
    names = [each.name for each in VARIABLES if role not in each.roles and env.get(each.name, "").strip()]
    if names:
        console().print(f"\nset, but not read by {role}: {', '.join(names)}", soft_wrap=True)
