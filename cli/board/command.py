"""`warmxfer board`: one page that shows the transfers of a deployment, live."""

from __future__ import annotations

import asyncio
import os
from functools import partial
from typing import TYPE_CHECKING, Annotated

import typer

from ..options import Json, Url, port_option, within
from ..output import console, print_json, run_until_stopped

if TYPE_CHECKING:
    from .serve import BoardOptions

PORT = 8_088
HOST = "127.0.0.1"
WAIT_TARGET_S = 60.0
MAX_WAIT_TARGET_S = 3_600.0


def board(
    port: Annotated[int, port_option("--port", "Port to listen on; 0 = any free port.")] = PORT,
    host: Annotated[
        str,
        typer.Option("--host", metavar="HOST", help="Address to listen on; 0.0.0.0 in a container."),
    ] = HOST,
    allow_actions: Annotated[
        bool,
        typer.Option("--allow-actions", help="Let the page cancel transfers and replay dead letters."),
    ] = False,
    wait_target: Annotated[
        float,
        typer.Option(
            "--wait-target",
            metavar="SECONDS",
            callback=within("--wait-target", 1, MAX_WAIT_TARGET_S),
            help="A caller should have a human within it. A longer wait is shown as late.",
        ),
    ] = WAIT_TARGET_S,
    open_browser: Annotated[bool, typer.Option("--open", help="Open the page in your browser.")] = False,
    url: Url = None,
    json: Json = False,
) -> None:
    """Show the transfers in your browser, live.

    One page: who waits, how long and for what; the transfers of the last hour; the timeline and the report of
    each transfer; dead letters and actors. Its address has a token, which is new at each start. If
    WARMXFER_BOARD_TOKEN is set, that is the token, and it is not printed. The page only shows, unless
    --allow-actions is given.
    """
    from .access import TokenSettings, new_token
    from .serve import BoardOptions

    given = TokenSettings.from_env(os.environ).token
    options = BoardOptions(
        token=given or new_token(),
        host=host,
        port=port,
        actions=allow_actions,
        wait_target_s=wait_target,
    )
    work = partial(_serve, url, options, shows_token=not given, open_browser=open_browser, json=json)
    run_until_stopped(work, log_level="warning")


async def _serve(
    url: str | None, options: BoardOptions, *, shows_token: bool, open_browser: bool, json: bool
) -> None:
    """Serve the board. What it prints may be collected as a log, so a token of the user is left out."""
    import webbrowser

    from warmxfer.bus import BusSettings

    from .serve import running_board

    settings = BusSettings.from_env({**os.environ, **({"NATS_URL": url} if url else {})})
    async with running_board(settings, options) as running:
        shown = running.link if shows_token else running.address
        if json:
            print_json({"board": shown})
        else:
            hint = "" if shows_token else "; its token is WARMXFER_BOARD_TOKEN"
            console().print(f"board listens at {shown}{hint}", soft_wrap=True)
        if open_browser:
            await asyncio.to_thread(webbrowser.open, running.link)
        await running.ended
