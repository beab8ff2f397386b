"""`warmxfer up`: all services in one terminal, with a caller on the phone."""

from __future__ import annotations

import asyncio
import os
import shlex
import socket
from collections import deque
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from errno import EADDRINUSE
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .invocation import command_line
from .options import Json, Keep, pace_option, port_option
from .output import console, print_json, run_command

if TYPE_CHECKING:
    from rich.console import Console

    from .board.serve import RunningBoard
    from .local_stack.stack import LocalStack, PlacedCall

HOST = "127.0.0.1"
NATS_PORT = 4222
SANDBOX_PORT = 8090
BOARD_PORT = 8088
ROLE_COUNTS = "coordinator=2,briefing=3"
POLL_S = 0.5
STORE_KEY = "WARMXFER_STORE_KEY"
"""With it, the broker encrypts what it stores. It is a secret, so it is no option."""
MAX_CRASHES, CRASH_WINDOW_S = 5, 30.0
"""More crashes than this within the window end the command: a restart does not help."""


def up(
    port: Annotated[int, port_option("--port", "Port of the nats-server; 0 = any free port.")] = NATS_PORT,
    sandbox_port: Annotated[
        int, port_option("--sandbox-port", "Port of the sandbox; 0 = any free port.")
    ] = SANDBOX_PORT,
    board_port: Annotated[
        int, port_option("--board-port", "Port of the board; 0 = any free port.")
    ] = BOARD_PORT,
    scale: Annotated[
        str,
        typer.Option("--scale", metavar=ROLE_COUNTS, help="Processes of each role.  [default: 1 of each]"),
    ] = "",
    pace: Annotated[float, pace_option()] = 1.0,
    caller: Annotated[
        str,
        typer.Option(
            "--caller",
            metavar="NUMBER",
            help="Number of the caller, which selects a persona (docs/sandbox.md).",
        ),
    ] = "+14155550201",
    keep: Keep = None,
    json: Json = False,
) -> None:
    """Start all services on this machine.

    Starts nats-server, the sandbox and every actor, and places a call that an AI agent answers. When the call
    ends, the next one is placed. A coordinator, gateway, summarizer or briefing agent that crashes is
    restarted: kill one while a transfer runs, and the transfer continues. Ctrl-C stops everything.
    """
    counts = _counts(scale)
    _check_caller(caller)
    ports = {"--port": port, "--sandbox-port": sandbox_port, "--board-port": board_port}
    for option, number in ports.items():
        _check_free(option, number)
    _check_different(ports)
    stack = {
        "nats_port": port or None,
        "sandbox_port": sandbox_port,
        "counts": counts,
        "time_scale": pace,
        "directory": keep,
        "store_key": os.environ.get(STORE_KEY) or None,
    }
    run_command(lambda: _up(stack, board_port, caller, json))


async def _up(settings: dict[str, Any], board_port: int, number: str, json: bool) -> None:
    from warmxfer.actors.runtime.runner import on_stop
    from warmxfer.bus.subject_table import BOARD

    from .board.access import new_token
    from .board.serve import BoardOptions, running_board
    from .local_stack.stack import LocalStack

    stop, out = asyncio.Event(), console(quiet=json)
    on_stop(stop)
    stack = LocalStack(**settings)
    # Everything here is simulated, so the board may cancel and replay.
    options = BoardOptions(token=new_token(), port=board_port, port_option="--board-port", actions=True)
    async with AsyncExitStack() as exit_stack:
        if await _finished_before(stop, exit_stack.enter_async_context(stack)):
            board = await exit_stack.enter_async_context(running_board(stack.settings(BOARD), options))
            _print_services(out, stack, board.link)
            await _finished_before(stop, _keep_running(stack, board, number, out, json))
        out.print("\nstopping all services", style="dim")
        if stack.keeps_logs:
            out.print(f"logs are kept in {stack.directory}", style="dim", soft_wrap=True)


async def _keep_running(
    stack: LocalStack, board: RunningBoard, number: str, out: Console, json: bool
) -> None:
    """Place calls, restart crashed actors and serve the board until one of them fails. Raises its error."""
    tasks = {
        asyncio.create_task(_keep_calling(stack, board, number, out, json)),
        asyncio.create_task(_restart_crashed(stack, out, json)),
        asyncio.ensure_future(board.ended),
    }
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for task in done:
        task.result()


async def _finished_before(stop: asyncio.Event, work: Coroutine[Any, Any, Any]) -> bool:
    """Run `work` until `stop` is set, which cancels it. Returns whether it finished. Raises its error."""
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


async def _keep_calling(
    stack: LocalStack, board: RunningBoard, number: str, out: Console, json: bool
) -> None:
    """Place a call, wait until its AI agent has left, and place the next one."""
    while True:
        caller = await stack.call(number)
        primary = await stack.start("primary", rooms=[caller.room_id])
        if json:
            stack.keeps_logs = True
            print_json(_addresses(stack, caller) | {"board": board.link})
        else:
            _print_caller(out, caller)
        await primary.wait()


async def _restart_crashed(stack: LocalStack, out: Console, json: bool) -> None:
    """Restart each actor that crashes. Raises `InternalError` if they crash too often."""
    from warmxfer.schemas import InternalError

    from .local_stack.managed_process import last_log_line

    crashed_at = deque[float](maxlen=MAX_CRASHES)
    while True:
        await asyncio.sleep(POLL_S)
        for process in stack.crashed():
            now = asyncio.get_running_loop().time()
            if len(crashed_at) == MAX_CRASHES and now - crashed_at[0] < CRASH_WINDOW_S:
                raise InternalError(
                    f"Actors crashed more than {MAX_CRASHES} times within {CRASH_WINDOW_S:g} s; "
                    f"last log line of {process.name}: {last_log_line(process.log_path)}"
                )
            crashed_at.append(now)
            code = await process.wait()
            await stack.start(process.name)
            out.print(f"\n{process.name} crashed (exit code {code}) and was restarted", style="yellow")
            if json:
                print_json({"started_again": process.name, "exit_code": code})


def _addresses(stack: LocalStack, caller: PlacedCall) -> dict[str, Any]:
    return {
        "nats": stack.nats_url,
        "env_file": str(stack.env_file),
        "sandbox": stack.sandbox_url,
        "directory": str(stack.directory),
        "room_id": caller.room_id,
        "caller_call_id": caller.call_id,
    }


def _print_services(out: Console, stack: LocalStack, board: str) -> None:
    stack.keeps_logs = stack.keeps_logs or not out.quiet
    out.print("board        ", end="")
    out.print(board, style="bold", soft_wrap=True)
    out.print(f"nats-server  {stack.nats_url}")
    out.print(f"sandbox      {stack.sandbox_url}")
    out.print(f"logs         {stack.directory}")
    out.print("\nin another terminal:", style="bold")
    out.print(f"  . {shlex.quote(str(stack.env_file))}", soft_wrap=True)
    out.print(f"  {command_line()} watch       # phases of all transfers; or: nats sub 'warmxfer.*.phase'")
    out.print(f"  {command_line()} doctor      # check of all services; or: nats service ls")


def _print_caller(out: Console, caller: PlacedCall) -> None:
    import msgspec

    from warmxfer.client import new_id

    from .scenarios import BY_NAME

    request = BY_NAME["ready"].request(caller.room_id)
    body = msgspec.json.encode(request).decode()
    destination = request["config"]["destination"]
    out.print(f"\na caller is talking with the AI in room {caller.room_id}; transfer the caller with:")
    out.print(
        f"  {command_line()} request --room {caller.room_id} --rule demo --to {destination['sip_call_to']} "
        f"--from {destination['sip_call_from']} --wait",
        soft_wrap=True,
    )
    out.print("or:")
    out.print(f"  nats pub warmxfer.{new_id()}.request '{body}'", soft_wrap=True)


def _counts(scale: str) -> dict[str, int]:
    """Return the numbers in `coordinator=2,briefing=3`. Raises `InvalidRequest`."""
    from warmxfer.schemas import InvalidRequest

    from .local_stack.stack import MAX_OF_A_ROLE, ROLES

    counts: dict[str, int] = {}
    for each in filter(None, scale.split(",")):
        role, _, count = each.partition("=")
        if role not in ROLES or not count.isdecimal() or int(count) > MAX_OF_A_ROLE:
            raise InvalidRequest(
                f"--scale contains {each[:40]!r}; write ROLE=NUMBER with a role of {', '.join(ROLES)} "
                f"and a number of at most {MAX_OF_A_ROLE}",
                field="--scale",
            )
        if role in counts:
            raise InvalidRequest(f"--scale names {role} twice; name each role once", field="--scale")
        counts[role] = int(count)
    return counts


def _check_caller(number: str) -> None:
    """Raise `InvalidRequest` if the sandbox would refuse a call from `number`."""
    import msgspec

    from warmxfer.schemas import InvalidRequest
    from warmxfer.schemas.fields import SipAddress
    from warmxfer.schemas.sip_address import normalized

    try:
        msgspec.convert(normalized(number), SipAddress)
    except msgspec.ValidationError as error:
        raise InvalidRequest(
            f"--caller is {number[:40]!r}; write a number as E.164 (+14155550201) or a SIP URI "
            "(sip:ann@example.com)",
            field="--caller",
        ) from error


def _check_free(option: str, port: int) -> None:
    """Raise `InvalidRequest`, which names the option, if the port cannot be bound."""
    from warmxfer.schemas import InvalidRequest

    with socket.socket() as trial:
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except OSError as error:
            taken = error.errno == EADDRINUSE
            fault = "which is already in use" if taken else f"which cannot be bound ({error.strerror})"
            raise InvalidRequest(
                f"{option} is {port}, {fault}; give another port, or 0 for any free port", field=option
            ) from error


def _check_different(ports: Mapping[str, int]) -> None:
    """Raise `InvalidRequest`, which names both options, if two services would have the same port."""
    from warmxfer.schemas import InvalidRequest

    options = {port: option for option, port in ports.items()}
    for option, port in ports.items():
        other = options[port]
        if port and other != option:
            raise InvalidRequest(
                f"{option} is {port}, and so is {other}; give another port, or 0 for any free port",
                field=option,
            )
