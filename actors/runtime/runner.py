"""Runs an actor as a process: one way to start, one way to stop.

It sets up logs, event loop, bus, service registration and health probe, then runs the actor. SIGTERM or
SIGINT stops it: it takes no more work, finishes current work within `DRAIN_S`, and closes the bus. A second
signal ends it at once.
"""

from __future__ import annotations

import asyncio
import atexit
import importlib.metadata
import os
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import AsyncExitStack
from typing import Protocol, TypeVar, runtime_checkable

import structlog

from warmxfer.bus import AccessDenied, Bus, BusSettings
from warmxfer.bus.errors import StreamMissing
from warmxfer.schemas import InternalError, InvalidRequest, RetryableError
from warmxfer.tracing import traces

from .garbage_collection import collect_rarely
from .health_probe import probe_port, serve_probe
from .process_metrics import process_gauges
from .unknown_variables import unknown_variables

CONNECT_DEADLINE_S = 30.0
"""In a cluster that starts all at once, the broker may start last."""

DRAIN_S = 15.0
CANCEL_AGAIN_S = 0.1
SAME_SIGNAL_S = 0.5
READY_FD = "WARMXFER_READY_FD"

S = TypeVar("S")
S_contra = TypeVar("S_contra", contravariant=True)
T = TypeVar("T")
log = structlog.get_logger(__name__)


class Actor(Protocol[S_contra]):
    """The function `run` of each actor: serves until cancelled, and calls `ready` once it serves."""

    def __call__(self, bus: Bus, settings: S_contra, /, *, ready: Callable[..., None]) -> Awaitable[None]: ...


@runtime_checkable
class Announcing(Protocol):
    """Settings of which each client of the broker may know something."""

    @property
    def facts(self) -> Mapping[str, str]:
        """What `warmxfer doctor` compares. No secret."""
        ...


def run_actor(role: str, actor: Actor[S], settings: S, env: Mapping[str, str] = os.environ) -> None:
    """Run `actor` in this process until it is stopped. Its log is set up before (`configure_logs`).

    Raises `InvalidRequest` (settings, credentials, unsuitable broker), `RetryableError` (no broker) and
    `InternalError` (the actor failed, or the broker closed the connection permanently). The command line
    turns each into one sentence and an exit code.
    """
    for sentence in unknown_variables(env):
        log.warning("variable_unknown", variable=sentence)
    collect_rarely()
    run_async(_run(role, actor, settings, env))


def run_async(work: Awaitable[T]) -> T:
    """Run `work` on uvloop if it is installed, or else on asyncio's own loop."""

    async def main() -> T:
        return await work

    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(main())


def announced(role: str) -> str:
    """Return the service name of `role`, as `nats service ls` shows it."""
    return f"warmxfer-{role}"


def signal_ready(line: str = "ready") -> None:
    """Tell the parent process that this process serves, if the parent asked for it."""
    fd = os.environ.pop(READY_FD, "")
    if fd.isdecimal():
        with os.fdopen(int(fd), "w") as pipe:
            pipe.write(f"{line}\n")


def on_stop(stop: asyncio.Event) -> None:
    """Set `stop` at the first SIGTERM, SIGINT or SIGHUP; a second one has its default effect."""
    on_first_signal((signal.SIGTERM, signal.SIGINT, *unless_ignored(signal.SIGHUP)), stop.set)


def unless_ignored(*numbers: signal.Signals) -> tuple[signal.Signals, ...]:
    """Return the signals that this process does not ignore since its start.

    A shell's background job ignores SIGINT, and a command under nohup ignores SIGHUP.
    """
    return tuple(each for each in numbers if signal.getsignal(each) is not signal.SIG_IGN)


def on_first_signal(signals: Sequence[signal.Signals], action: Callable[[], object]) -> None:
    """Call `action` at the first of these signals; later ones have their default effect.

    Signals within `SAME_SIGNAL_S` count as the same one: a terminal sends Ctrl-C to this process, and `uv
    run` forwards it once more. A process that ends sooner ignores them from then on: Python resets its
    handlers before it exits, so the signal would end it with another exit code.
    """
    loop, received = asyncio.get_running_loop(), asyncio.Event()

    def on_signal() -> None:
        if not received.is_set():
            received.set()
            atexit.register(ignore)
            action()
            loop.call_later(SAME_SIGNAL_S, restore_default)

    def restore_default() -> None:
        for number in signals:
            loop.remove_signal_handler(number)

    def ignore() -> None:
        for number in signals:
            signal.signal(number, signal.SIG_IGN)

    for number in signals:
        loop.add_signal_handler(number, on_signal)


async def _run(role: str, actor: Actor[S], settings: S, env: Mapping[str, str]) -> None:
    async with traces(env, role):
        await _serve(role, actor, settings, env)


async def _serve(role: str, actor: Actor[S], settings: S, env: Mapping[str, str]) -> None:
    stop = asyncio.Event()
    on_stop(stop)
    probe_port(env)  # A wrong value is named before the wait for a broker.
    bus_settings = BusSettings.from_env(env)
    log.info("actor_connects", bus=bus_settings.shown_url)
    bus = await _connect(role, bus_settings, stop)
    if bus is None:
        return
    started = asyncio.Event()
    bus.readiness.add("actor", lambda: _why_not_serving(started, stop))
    async with bus, AsyncExitStack() as probing:
        probe = serve_probe(env, bus.readiness.failing, bus.readiness.notes)
        port = await probing.enter_async_context(probe)
        probing.enter_context(process_gauges(bus, role))
        await _ensure(bus, role)
        facts = settings.facts if isinstance(settings, Announcing) else {}
        facts = {**facts, "health_port": "" if port is None else str(port)}
        await bus.register_service(
            announced(role), importlib.metadata.version("warmxfer"), f"warmxfer {role}", facts
        )

        def on_ready(*_: object) -> None:
            started.set()
            signal_ready()
            log.info("actor_started")

        serving = asyncio.ensure_future(actor(bus, settings, ready=on_ready))
        await _until_over(bus, serving, stop)
        log.info("actor_stopped")


def _why_not_serving(started: asyncio.Event, stop: asyncio.Event) -> str | None:
    if stop.is_set():
        return "the process is stopping"
    return None if started.is_set() else "the actor has not started yet"


async def _connect(role: str, settings: BusSettings, stop: asyncio.Event) -> Bus | None:
    """Return the bus, or None if the process was stopped before the broker replied."""
    connecting = asyncio.create_task(
        Bus.connect(settings, name=f"warmxfer-{role}", deadline_s=CONNECT_DEADLINE_S)
    )
    stopped = asyncio.create_task(stop.wait())
    await asyncio.wait({connecting, stopped}, return_when=asyncio.FIRST_COMPLETED)
    stopped.cancel()
    while not connecting.done():
        # wait_for of Python 3.11 can swallow a cancellation; a second one takes effect.
        connecting.cancel()
        await asyncio.wait({connecting}, timeout=CANCEL_AGAIN_S)
    return None if connecting.cancelled() else connecting.result()


async def _ensure(bus: Bus, role: str) -> None:
    """Create what this role creates: a coordinator the streams, every other role its consumers.

    What is missing because no coordinator has run yet is created later (`bus/recovery.py`).
    """
    try:
        await bus.ensure(None if role == "coordinator" else role)
    except (AccessDenied, StreamMissing) as error:
        if role == "coordinator":
            raise
        log.info("stream_left_to_coordinator", why=str(error))


async def _until_over(bus: Bus, serving: asyncio.Future[None], stop: asyncio.Event) -> None:
    """Return when the actor has ended, by itself or after `stop`. Raises what the actor raised."""
    stopped, closed = asyncio.ensure_future(stop.wait()), asyncio.ensure_future(bus.wait_closed())
    try:
        await asyncio.wait({serving, stopped, closed}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        closed.cancel()
    was_closed = closed.done() and not closed.cancelled()
    if not serving.done():
        serving.cancel()
        await asyncio.wait({serving}, timeout=DRAIN_S)
        if not serving.done():
            log.warning("drain_timed_out", drain_s=DRAIN_S)
    if was_closed:
        raise InternalError("The broker closed the connection permanently; see the log lines above")
    if serving.done() and not serving.cancelled() and (error := serving.exception()):
        if not isinstance(error, InvalidRequest | RetryableError):  # their sentences say everything
            log.error("actor_failed", error=type(error).__name__, exc_info=error)
        raise error


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
