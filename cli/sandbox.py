"""`warmxfer sandbox`: a VideoSDK cloud on this machine."""

from __future__ import annotations

import importlib
import secrets
from typing import Annotated, Any

import typer

from .options import Json
from .output import console, print_json, run_command

DEFAULT_PORT = 8090


def sandbox(
    port: Annotated[int, typer.Option("--port", help="0: any free one.")] = DEFAULT_PORT,
    host: Annotated[str, typer.Option("--host", help="0.0.0.0 in a container.")] = "127.0.0.1",
    api_key: Annotated[str, typer.Option("--api-key", envvar="VIDEOSDK_API_KEY")] = "sandbox",
    secret: Annotated[
        str | None, typer.Option("--secret", envvar="VIDEOSDK_SECRET", help="Made up when left out.")
    ] = None,
    webhook_url: Annotated[
        str | None, typer.Option("--webhook-url", help="Where every event is posted.")
    ] = None,
    time_scale: Annotated[float, typer.Option("--time-scale", help="0.1 is ten times life's pace.")] = 1.0,
    json: Json = False,
) -> None:
    """Be a VideoSDK cloud on this machine: rooms, phones, people, webhooks, faults (docs/sandbox.md)."""
    from warmxfer.schemas import InvalidRequest

    room: Any = importlib.import_module("warmxfer.sandbox")
    made_up = None if secret else secrets.token_hex(16)
    try:
        settings = room.Settings(api_key, secret or made_up, webhook_url, time_scale)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    run_command(lambda: _serve(room, settings, host, port, made_up, json))


async def _serve(room: Any, settings: Any, host: str, port: int, made_up: str | None, json: bool) -> None:
    from warmxfer.schemas import InvalidRequest

    def ready(base_url: str) -> None:
        env = {"VIDEOSDK_BASE_URL": base_url, "VIDEOSDK_API_KEY": settings.api_key}
        if made_up:
            env["VIDEOSDK_SECRET"] = made_up
        if json:
            print_json({"sandbox": base_url, "env": env})
            return
        out = console()
        out.print(f"sandbox at {base_url}; point a gateway at it with:")
        for name, value in env.items():
            out.print(f"  export {name}={value}")

    try:
        await room.serve(settings, host=host, port=port, ready=ready)
    except room.CannotBind as error:
        raise InvalidRequest(f"--{error}") from error
