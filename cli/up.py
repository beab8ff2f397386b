"""`warmxfer up`: the whole house in one terminal, with a caller on the line."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .invocation import command_line
from .options import MAX_PACE, Json, Keep, port_of, within
from .output import console, print_json, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from .local_stack.stack import LocalStack, PlacedCall

HOST = "127.0.0.1"
NATS_PORT = 4222
SANDBOX_PORT = 8090
ROLE_COUNTS = "coordinator=2,briefing=3"
POLL_S = 0.5
MAX_FALLS, FALLS_WITHIN_S = 5, 30.0


def up(
    port: Annotated[int, port_of("--port", "Of the nats-server; 0: any free one.")] = NATS_PORT,
    sandbox_port: Annotated[int, port_of("--sandbox-port", "0: any free one.")] = SANDBOX_PORT,
    scale: Annotated[
        str, typer.Option("--scale", metavar=ROLE_COUNTS, help="How many of a role; 1 when left out.")
    ] = "",
    pace: Annotated[
        float,
        typer.Option(
            "--pace", help="Of the sandbox: 0.1 is ten times life's.", callback=within("--pace", 0, MAX_PACE)
        ),
    ] = 1.0,
    caller: Annotated[str, typer.Option("--caller", help="Who calls in (docs/sandbox.md).")] = "+14155550201",
    keep: Keep = None,
    json: Json = False,
) -> None:
    """Start everything here: nats-server, the sandbox, every actor, and a caller with an AI.

    An actor that dies is started again: kill one while a transfer runs, and see. Ends with Ctrl-C, and
    takes everything down with it.
    """
    counts = _counts(scale)
    for option, number in {"--port": port, "--sandbox-port": sandbox_port}.items():
        _check_free(option, number)
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
    from warmxfer.actors.runtime.runner import on_stop

    from .local_stack.stack import LocalStack

    stop, out = asyncio.Event(), console(quiet=json)
    on_stop(stop)
    house = LocalStack(
        nats_port=port or None, sandbox_port=sandbox_port, counts=counts, time_scale=pace, directory=keep
    )
    async with AsyncExitStack() as stack:
        if await _unless(stop, stack.enter_async_context(house)):
            _print_services(out, house)
            await _unless(stop, _live(house, number, out, json))
        out.print("\nstopping", style="dim")


async def _live(house: LocalStack, number: str, out: Console, json: bool) -> None:
    """Calls come in and actors are kept at work, until one of both cannot go on; raises why."""
    keeping = {
        asyncio.create_task(_keep_calling(house, number, out, json)),
        asyncio.create_task(_keep_at_work(house, out, json)),
    }
    try:
        done, _ = await asyncio.wait(keeping, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in keeping:
            task.cancel()
        await asyncio.wait(keeping)
    for task in done:
        task.result()


async def _unless(stop: asyncio.Event, work: Coroutine[Any, Any, Any]) -> bool:
    """Whether `work` came to its end before `stop`, which cancels it; raises what it raises."""
    working, stopped = asyncio.create_task(work), asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        working.cancel()
        stopped.cancel()
        await asyncio.wait({working, stopped})
    if not working.cancelled():
        working.result()
    return not working.cancelled()


async def _keep_calling(house: LocalStack, number: str, out: Console, json: bool) -> None:
    """There is always somebody on the line: when one call is over, the next one comes."""
    while True:
        caller = await house.call(number)
        primary = await house.start("primary", rooms=[caller.room_id])
        if json:
            print_json(_facts(house, caller))
        else:
            _print_caller(out, house, caller)
        await primary.wait()


async def _keep_at_work(house: LocalStack, out: Console, json: bool) -> None:
    """Who dies is started again, and what they did goes on; raises `Broken` when they die on and on."""
    from warmxfer.schemas import InternalError

    from .local_stack.managed_process import last_log_line

    fell_at = deque[float](maxlen=MAX_FALLS)
    while True:
        await asyncio.sleep(POLL_S)
        for child in house.crashed():
            now = asyncio.get_running_loop().time()
            if len(fell_at) == MAX_FALLS and now - fell_at[0] < FALLS_WITHIN_S:
                raise InternalError(
                    f"Actors die on and on, {child.name} last: {last_log_line(child.log_path)}"
                )
            fell_at.append(now)
            code = await child.wait()
            await house.start(child.name)
            out.print(f"\n{child.name} had died (exit code {code}) and was started again", style="yellow")
            if json:
                print_json({"started_again": child.name, "exit_code": code})


def _facts(house: LocalStack, caller: PlacedCall) -> dict[str, Any]:
    return {
        "nats": house.nats_url,
        "sandbox": house.sandbox_url,
        "directory": str(house.directory),
        "room_id": caller.room_id,
        "caller_call_id": caller.call_id,
    }


def _print_services(out: Console, house: LocalStack) -> None:
    out.print(f"nats-server  {house.nats_url}")
    out.print(f"cloud        {house.sandbox_url}")
    out.print(f"logs         {house.directory}")
    out.print("\nin another terminal:", style="bold")
    out.print(f"  export NATS_URL={house.nats_url}")
    out.print(f"  nats sub 'warmxfer.*.phase'          # or: {command_line()} watch")
    out.print(f"  nats service ls                      # or: {command_line()} doctor")


def _print_caller(out: Console, house: LocalStack, caller: PlacedCall) -> None:
    import msgspec

    from .scenarios import BY_NAME

    request = BY_NAME["ready"].request(caller.room_id)
    body = msgspec.json.encode(request).decode()
    destination = request["config"]["destination"]
    out.print(f"\na caller talks with the AI in room {caller.room_id}; hand them over with:")
    out.print(
        f"  {command_line()} request --room {caller.room_id} --rule demo --to {destination['sip_call_to']} "
        f"--from {destination['sip_call_from']} --wait",
        soft_wrap=True,
    )
    out.print(f"  nats pub warmxfer.my-transfer.request '{body}'", soft_wrap=True)


def _counts(scale: str) -> dict[str, int]:
    """`coordinator=2,briefing=3` as numbers; raises `Refused`."""
    from warmxfer.schemas import InvalidRequest

    from .local_stack.stack import MAX_OF_A_ROLE, ROLES

    counts: dict[str, int] = {}
    for each in filter(None, scale.split(",")):
        role, _, count = each.partition("=")
        if role not in ROLES or not count.isdecimal() or int(count) > MAX_OF_A_ROLE:
            raise InvalidRequest(
                f"--scale has {each[:40]!r}; write role=number with one of {', '.join(ROLES)} "
                f"and at most {MAX_OF_A_ROLE}",
                field="scale",
            )
        counts[role] = int(count)
    return counts


def _check_free(option: str, port: int) -> None:
    """Before anything starts, so that the sentence names the option; raises `Refused`."""
    from warmxfer.schemas import InvalidRequest

    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            what = f"{option} is {port}, which is not to be had ({error.strerror})"
            raise InvalidRequest(f"{what}; give another, or 0 for any free one", field=option) from error
