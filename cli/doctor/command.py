"""The command `warmxfer doctor`, and the order of its checks."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

import typer

from warmxfer.actors.runtime.exit_codes import INVALID, UNAVAILABLE, code_of
from warmxfer.actors.runtime.unknown_variables import unknown_variables

from ..options import Json, Url
from ..output import console, plain, print_json, run_command
from . import actors, broker, servers, weaknesses
from .finding import Finding, sentence_of
from .provider import model_finding, provider_findings

if TYPE_CHECKING:
    from warmxfer.bus import BrokerReport, Bus

CONNECT_DEADLINE_S = 3.0
LOOK_AGAIN_S = 1.0
"""Between two pulls of a coordinator, its partitions look unheld for a moment. After an election, copies look
unconnected for a moment.
"""
MARKS = {"ok": ("✔", "green"), "note": ("•", "yellow"), "wrong": ("✘", "bold red")}


def doctor(url: Url = None, json: Json = False) -> None:
    """Check the set-up and report faults.

    Checks the environment, the broker, its streams and storage, the actors and what they announce, the dead
    letters, the clock, the provider and the model. Exit code 0: no fault. Otherwise it is that of the first
    fault.
    """
    from rich.text import Text

    env = dict(os.environ) | ({"NATS_URL": url} if url else {})
    # Each error is a finding: no log line repeats it.
    findings, out = run_command(lambda: examine(env), log_level="critical"), console()
    for finding in findings:
        if json:
            print_json({"about": finding.about, "state": finding.state, "sentence": finding.sentence})
        else:
            line = Text.assemble(MARKS[finding.state], f" {finding.about:<12} {plain(finding.sentence)}")
            out.print(line, soft_wrap=True)
    codes = [finding.code for finding in findings if finding.state == "wrong"]
    if codes:
        raise typer.Exit(codes[0])


async def examine(env: Mapping[str, str]) -> list[Finding]:
    """Return every finding. A fault of the set-up is a finding and never raises."""
    of_bus = await _bus_findings(env)
    gateways_known = any(found.about == "webhooks" for found in of_bus)
    return [
        *of_bus,
        *await provider_findings(env, gateways_known=gateways_known),
        await model_finding(env),
        *environment_findings(env),
    ]


def environment_findings(env: Mapping[str, str]) -> list[Finding]:
    """Name the variables that look like ours and are read by no process."""
    return [Finding("environment", "wrong", sentence, INVALID) for sentence in unknown_variables(env)]


async def _bus_findings(env: Mapping[str, str]) -> list[Finding]:
    from importlib.metadata import version

    from warmxfer.bus import Bus, BusSettings
    from warmxfer.schemas import WarmxferError

    try:
        settings = BusSettings.from_env(env)
    except WarmxferError as error:
        return [Finding("nats", "wrong", sentence_of(error), code_of(error))]
    try:
        async with await Bus.connect(settings, name="warmxfer-doctor", deadline_s=CONNECT_DEADLINE_S) as bus:
            report = await _report(bus)
            now = time.time()
    except WarmxferError as error:
        found = [Finding("nats", "wrong", sentence_of(error), code_of(error))]
        if code_of(error) == UNAVAILABLE:
            found += await servers.server_findings(settings.addresses)
        return found
    reached = f"nats-server {report.server_version} with JetStream answers at {settings.shown_url}."
    return [
        Finding("nats", "ok", reached),
        broker.user_finding(report, settings),
        weaknesses.tls_finding(report, settings),
        weaknesses.store_finding(env, settings),
        *broker.stream_findings(report),
        *broker.storage_findings(report),
        *actors.role_findings(report),
        *actors.partition_findings(report),
        *actors.spare_findings(report),
        *actors.version_findings(report, version("warmxfer")),
        *actors.probe_findings(report),
        *broker.dead_letter_findings(report),
        *actors.dial_findings(report),
        *actors.gateway_findings(report),
        *broker.clock_findings(report, now),
    ]


async def _report(bus: Bus) -> BrokerReport:
    """Return the broker's report. Two looks must find a partition unheld, or copies incomplete."""
    first = await bus.diagnose()
    if not first.partitions_unheld and not any(each.behind for each in first.streams):
        return first
    await asyncio.sleep(LOOK_AGAIN_S)
    second = await bus.diagnose()
    twice = {*first.partitions_unheld} & {*second.partitions_unheld}
    incomplete = {each.name for each in first.streams if each.behind}
    streams = tuple(each if each.name in incomplete else replace(each, behind=()) for each in second.streams)
    return replace(second, partitions_unheld=tuple(sorted(twice)), streams=streams)
