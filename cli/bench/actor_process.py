"""One actor as a process beside the fake cloud: `python -m warmxfer.cli.bench.actor_process ROLE ...`.

The actor is the real one. Only the cloud is fake: the provider of the gateway, the rooms of the briefing
agent, and the sessions of the primary. A process imports the actor of its own role.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from warmxfer.actors.runtime.exit_codes import exit_codes
from warmxfer.actors.runtime.log_setup import configure_logs
from warmxfer.actors.runtime.roles import Role
from warmxfer.actors.runtime.runner import run_actor
from warmxfer.bus import Bus, consumers, worker

from .stack import ANSWERS, session_names

Run = Callable[..., Coroutine[Any, Any, None]]

MAX_TRANSFERS = 1_000_000
"""No row is about the limit of running transfers."""


def main() -> None:
    """Run the actor until it is stopped."""
    parser = argparse.ArgumentParser(description="One actor beside the fake cloud.")
    parser.add_argument("role", choices=[*(role.value for role in Role), ANSWERS])
    parser.add_argument("--cloud", type=Path, required=True, help="directory of the fake cloud's ledger")
    parser.add_argument("--jobs", type=int, help="jobs at a time; above the limit of the settings if need be")
    parser.add_argument("--consultations", type=int, default=0, help="that the broker delivers at a time")
    parser.add_argument("--hello-after", type=float, default=0.0, metavar="S", help="of a supervisor")
    parser.add_argument("--webhooks", action="store_true", help="receive webhooks, if it is a gateway")
    parser.add_argument("--sessions", default="", metavar="PREFIX:FROM:TO", help="of a primary, or answered")
    args = parser.parse_args()
    with exit_codes():
        configure_logs(os.environ, role=args.role)
        if args.jobs:
            worker.MAX_JOBS = max(worker.MAX_JOBS, args.jobs)
        consumers.MAX_ACK_PENDING = max(consumers.MAX_ACK_PENDING, args.consultations)
        if args.role == ANSWERS:
            run, settings = _answers(args.cloud, session_names(args.sessions))
        else:
            run, settings = _actor(Role(args.role), args)
        run_actor(args.role, run, settings, os.environ)


def _answers(cloud: Path, names: list[str]) -> tuple[Run, Any]:
    from .cloud.answers import AnswersSettings, serve_answers

    return serve_answers, AnswersSettings(cloud, names)


def _actor(role: Role, args: argparse.Namespace) -> tuple[Run, Any]:
    """Return the actor of `role` and its settings."""
    cloud: Path = args.cloud
    changed: dict[str, Any] = {} if args.jobs is None else {"jobs": args.jobs}
    match role:
        case Role.COORDINATOR:
            from warmxfer.actors import coordinator

            return coordinator.run, coordinator.CoordinatorSettings(max_transfers=MAX_TRANSFERS, **changed)
        case Role.GATEWAY:
            from warmxfer.actors import gateway

            from .cloud import provider

            port = 0 if args.webhooks else None
            return gateway.run, gateway.GatewaySettings(provider.config(cloud), webhook_port=port, **changed)
        case Role.SUMMARIZER:
            from warmxfer.actors import summarizer

            return summarizer.run, summarizer.SummarizerSettings(**changed)
        case Role.BRIEFING:
            return _briefing(cloud, args.hello_after, changed)
        case Role.PRIMARY:
            from .cloud.rooms import BenchRooms
            from .cloud.sessions import SessionsSettings, serve_sessions

            return serve_sessions, SessionsSettings(BenchRooms(cloud), session_names(args.sessions))


def _briefing(cloud: Path, hello_after_s: float, changed: dict[str, Any]) -> tuple[Run, Any]:
    from warmxfer.actors import briefing
    from warmxfer.adapters.rooms import RoomSettings

    from .cloud.rooms import BenchRooms

    rooms = BenchRooms(cloud, hello_after_s)

    async def run(
        bus: Bus, settings: briefing.BriefingSettings, *, ready: Callable[[], None] = lambda: None
    ) -> None:
        async with rooms:
            await briefing.run(bus, settings, ready=ready)

    return run, briefing.BriefingSettings(RoomSettings(client=rooms.client), **changed)


if __name__ == "__main__":
    main()
