"""`warmxfer run <role>`: one actor as this process. Start as many as you like."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from warmxfer.actors.runtime.roles import Role, run_role

from .options import Json, Url


def run(
    role: Annotated[Role, typer.Argument(help="Which actor to be.")],
    room: Annotated[
        list[str] | None,
        typer.Option("--room", help="primary: a room the AI talks in; may be repeated. $WARMXFER_ROOM_ID"),
    ] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Be one actor until told to stop (SIGTERM drains). What it says are log lines, on stderr.

    Settings come from the environment: see docs/configuration.md.
    """
    env = dict(os.environ)
    if url:
        env["NATS_URL"] = url
    if json:
        env["WARMXFER_LOG"] = "json"
    if room:
        env["WARMXFER_ROOM_ID"] = ",".join(room)
    run_role(role, env)
