"""`warmxfer up`: the whole house in one terminal, with a caller on the line."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .options import Json
from .output import console, print_json, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from warmxfer.actors.house import Caller, House

NATS_PORT = 4222
SANDBOX_PORT = 8090
ROLE_COUNTS = "coordinator=2,briefing=3"


def up(
    port: Annotated[int, typer.Option("--port", help="Of the nats-server; 0: any free one.")] = NATS_PORT,
    sandbox_port: Annotated[int, typer.Option("--sandbox-port", help="0: any free one.")] = SANDBOX_PORT,
    scale: Annotated[
        str, typer.Option("--scale", metavar=ROLE_COUNTS, help="How many of a role; 1 when left out.")
    ] = "",
    pace: Annotated[float, typer.Option("--pace", help="Of the sandbox: 0.1 is ten times life's.")] = 1.0,
    caller: Annotated[str, typer.Option("--caller", help="Who calls in (docs/sandbox.md).")] = "+14155550201",
    keep: Annotated[
        Path | None, typer.Option("--keep", metavar="DIR", help="Keep the stream and every log there.")
    ] = None,
    json: Json = False,
) -> None:
    """Start everything here: nats-server, the sandbox, every actor, and a caller with an AI.

    Ends with Ctrl-C, and takes everything down with it.
    """
    counts = _counts(scale)
    run_command(lambda: _up(port, sandbox_port, counts, pace, caller, keep, json))


async def _up(
    port: int,
    sandbox_port: int,
    counts: dict[str, int],
    pace: float,
    number: str,
    keep: Path | None,
    json: bool,
) -> None:
    from warmxfer.actors.house import House
    from warmxfer.actors.process import on_stop

    stop, out = asyncio.Event(), console(quiet=json)
    on_stop(stop)
    house = House(
        nats_port=port or None, sandbox_port=sandbox_port, counts=counts, time_scale=pace, directory=keep
    )
    async with house:
        _print_house(out, house)
        calling = asyncio.create_task(_keep_calling(house, number, out, json))
        stopped = asyncio.create_task(stop.wait())
        done, _ = await asyncio.wait({calling, stopped}, return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        calling.cancel()
        out.print("\nstopping", style="dim")
        if calling in done:
            calling.result()


async def _keep_calling(house: House, number: str, out: Console, json: bool) -> None:
    """There is always somebody on the line: when one call is over, the next one comes."""
    while True:
        caller = await house.call(number)
        primary = await house.start("primary", rooms=[caller.room_id])
        if json:
            print_json(_facts(house, caller))
        else:
            _print_caller(out, house, caller)
        await primary.wait()


def _facts(house: House, caller: Caller) -> dict[str, Any]:
    return {
        "nats": house.nats_url,
        "sandbox": house.sandbox_url,
        "directory": str(house.directory),
        "room_id": caller.room_id,
        "caller_call_id": caller.call_id,
    }


def _print_house(out: Console, house: House) -> None:
    out.print(f"nats-server  {house.nats_url}")
    out.print(f"cloud        {house.sandbox_url}")
    out.print(f"logs         {house.directory}")
    out.print("\nin another terminal:", style="bold")
    out.print(f"  export NATS_URL={house.nats_url}")
    out.print("  nats sub 'warmxfer.*.phase'          # or: warmxfer watch")
    out.print("  nats service ls                      # or: warmxfer doctor")


def _print_caller(out: Console, house: House, caller: Caller) -> None:
    import msgspec

    from .scenarios import BY_NAME

    request = BY_NAME["ready"].request(caller.room_id)
    body = msgspec.json.encode(request).decode()
    destination = request["config"]["destination"]
    out.print(f"\na caller talks with the AI in room [bold]{caller.room_id}[/]; hand them over with:")
    out.print(
        f"  warmxfer request --room {caller.room_id} --rule demo --to {destination['sip_call_to']} "
        f"--from {destination['sip_call_from']} --wait"
    )
    out.print(f"  nats pub warmxfer.my-transfer.request '{body}'", soft_wrap=True)


def _counts(scale: str) -> dict[str, int]:
    """`coordinator=2,briefing=3` as numbers; raises `Refused`."""
    from warmxfer.actors.house import MAX_OF_A_ROLE, ROLES
    from warmxfer.schemas import Refused

    counts: dict[str, int] = {}
    for each in filter(None, scale.split(",")):
        role, _, count = each.partition("=")
        if role not in ROLES or not count.isdecimal() or int(count) > MAX_OF_A_ROLE:
            raise Refused(
                f"--scale has {each[:40]!r}; write role=number with one of {', '.join(ROLES)} "
                f"and at most {MAX_OF_A_ROLE}",
                field="scale",
            )
        counts[role] = int(count)
    return counts
