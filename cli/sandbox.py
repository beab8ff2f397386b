"""`warmxfer sandbox`: a simulated VideoSDK cloud on this machine."""

from __future__ import annotations

import importlib
import os
import secrets
from typing import Annotated, Any

import typer

from .options import Json, pace_option
from .output import console, print_json, run_until_stopped

DEFAULT_PORT = 8090


def sandbox(
    port: Annotated[
        int, typer.Option("--port", metavar="PORT", help="Port to listen on; 0 = any free port.")
    ] = DEFAULT_PORT,
    host: Annotated[
        str,
        typer.Option("--host", metavar="HOST", help="Address to listen on; 0.0.0.0 in a container."),
    ] = "127.0.0.1",
    api_key: Annotated[
        str,
        typer.Option(
            "--api-key", metavar="KEY", envvar="VIDEOSDK_API_KEY", help="API key that clients must use."
        ),
    ] = "sandbox",
    webhook_url: Annotated[
        str | None, typer.Option("--webhook-url", metavar="URL", help="Address to which events are posted.")
    ] = None,
    time_scale: Annotated[float, pace_option(option="--time-scale")] = 1.0,
    json: Json = False,
) -> None:
    """Run a simulated telephony cloud.

    It has VideoSDK's API for rooms, calls and webhooks, with scripted people and faults (docs/sandbox.md).
    The variable VIDEOSDK_SECRET is the secret that signs tokens. Without it, the secret is random.
    """
    from warmxfer.schemas import InvalidRequest

    module: Any = importlib.import_module("warmxfer.sandbox")
    # Each user of the machine may read the arguments of a process, so a secret is no option.
    secret = os.environ.get("VIDEOSDK_SECRET") or os.environ.get("VIDEOSDK_SECRET_KEY")
    random_secret = None if secret else secrets.token_hex(16)
    try:
        settings = module.Settings(api_key, secret or random_secret, webhook_url, time_scale)
    except ValueError as error:
        raise InvalidRequest(str(error)) from error
    run_until_stopped(lambda: _serve(module, settings, host, port, random_secret, json))


async def _serve(
    module: Any, settings: Any, host: str, port: int, random_secret: str | None, json: bool
) -> None:
    from warmxfer.schemas import InvalidRequest

    def ready(base_url: str) -> None:
        env = {"VIDEOSDK_BASE_URL": base_url, "VIDEOSDK_API_KEY": settings.api_key}
        if random_secret:
            env["VIDEOSDK_SECRET"] = random_secret
        if json:
            print_json({"sandbox": base_url, "env": env})
            return
        out = console()
        out.print(f"sandbox listens at {base_url}; set these in the environment of the gateway:")
        for name, value in env.items():
            out.print(f"  export {name}={value}")

    try:
        await module.serve(settings, host=host, port=port, ready=ready)
    except module.CannotBind as error:
        raise InvalidRequest(f"--{error}") from error
