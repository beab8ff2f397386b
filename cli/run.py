"""`warmxfer run <role>`: run one actor in this process."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from warmxfer.actors.runtime.roles import Role, run_role

from .options import Json, Url, refuse_beside


def run(
    context: typer.Context,
    role: Annotated[Role, typer.Argument(metavar="ROLE", help="Actor to run.")],
    room: Annotated[
        list[str] | None,
        typer.Option(
            "--room",
            metavar="ROOM",
            help="For primary: room of an AI agent; may be repeated.  [default: $WARMXFER_ROOM_ID]",
        ),
    ] = None,
    url: Url = None,
    json: Json = False,
) -> None:
    """Run one actor until stopped.

    Start any number of each role. SIGTERM lets the actor finish its current work first. Logs go to stderr.
    Settings come from the environment (docs/configuration.md).
    """
    if role is not Role.PRIMARY:
        refuse_beside(context, f"ROLE {role.value}", "room")
    env = dict(os.environ)
    if url:
        env["NATS_URL"] = url
    if json:
        env["WARMXFER_LOG"] = "json"
    if room:
        env["WARMXFER_ROOM_ID"] = ",".join(room)
    run_role(role, env)
