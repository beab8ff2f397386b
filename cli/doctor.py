"""`warmxfer doctor`: what is wrong with a set-up, one sentence each."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import typer

from warmxfer.actors.runtime.exit_codes import INTERNAL, UNAVAILABLE

from .options import Json, Url
from .output import console, print_json, run_command

if TYPE_CHECKING:
    from warmxfer.bus import BrokerReport

MAX_SKEW_S = 2.0
CLOUD_TIMEOUT_S = 5.0
CONNECT_DEADLINE_S = 3.0
MARKS = {"ok": ("✔", "green"), "note": ("•", "yellow"), "wrong": ("✘", "bold red")}


class Finding(NamedTuple):
    """One thing looked at. A note is no fault: it says what follows from leaving something out."""

    about: str
    state: Literal["ok", "note", "wrong"]
    sentence: str


def doctor(url: Url = None, json: Json = False) -> None:
    """Look at the broker, the stream, who is at work, the provider, the model and the clock."""
    from rich.text import Text

    env = dict(os.environ) | ({"NATS_URL": url} if url else {})
    findings, out = run_command(lambda: examine(env)), console()
    for finding in findings:
        if json:
            print_json(finding._asdict())
        else:
            out.print(Text.assemble(MARKS[finding.state], f" {finding.about:<12} {finding.sentence}"))
    wrong = [finding.about for finding in findings if finding.state == "wrong"]
    if wrong:
        raise typer.Exit(UNAVAILABLE if wrong[0] == "nats" else INTERNAL)


async def examine(env: Mapping[str, str]) -> list[Finding]:
    """Every finding; never raises for what it is here to find."""
    return [*await _bus_findings(env), *await _provider_findings(env), _model_finding(env)]


async def _bus_findings(env: Mapping[str, str]) -> list[Finding]:
    from warmxfer.bus import Bus, BusSettings
    from warmxfer.schemas import WarmxferError

    try:
        settings = BusSettings.from_env(env)
        async with await Bus.connect(settings, name="warmxfer-doctor", deadline_s=CONNECT_DEADLINE_S) as bus:
            found, now = await bus.diagnose(), time.time()
    except WarmxferError as error:
        return [Finding("nats", "wrong", f"{error}.")]
    reached = f"nats-server {found.server_version} with JetStream answers at {settings.shown_url}."
    return [Finding("nats", "ok", reached), *stream_findings(found), *clock_findings(found, now)]


def stream_findings(found: BrokerReport) -> list[Finding]:
    """The stream, and whether somebody works at each queue."""
    from warmxfer.actors.runtime.runner import announced

    if found.messages is None:
        remedy = "start one with `warmxfer run coordinator`"
        return [Finding("stream", "wrong", f"There is no stream: no actor has ever run here; {remedy}.")]
    held = f"{found.messages:,} messages, {found.replicas} replica{'s' if found.replicas > 1 else ''}."
    findings = [Finding("stream", "ok", f"The stream holds {held}")]
    for role, queue in found.queues.items():
        if queue is None:
            sentence = f"The queue of the {role} is missing; restart any actor, which makes it."
            findings.append(Finding(role, "wrong", sentence))
            continue
        state = f"{queue.unacked} in hand, {queue.pending} waiting"
        if queue.waiting or found.services[announced(role)]:
            findings.append(Finding(role, "ok", f"At work: {state}."))
        else:
            sentence = f"Nobody is at work, {state}; start one with `warmxfer run {role}`."
            findings.append(Finding(role, "wrong", sentence))
    return findings


def clock_findings(found: BrokerReport, now: float) -> list[Finding]:
    """This machine's clock beside the broker's, the only one that deadlines go by."""
    if found.server_time is None:
        return []
    skew_s = now - found.server_time
    if abs(skew_s) <= MAX_SKEW_S:
        return [Finding("clock", "ok", f"This clock is within {MAX_SKEW_S:g} s of the broker's.")]
    way = "ahead of" if skew_s > 0 else "behind"
    sentence = f"This clock is {abs(skew_s):.1f} s {way} the broker's; set it by NTP."
    return [Finding("clock", "wrong", sentence)]


async def _provider_findings(env: Mapping[str, str]) -> list[Finding]:
    import httpx

    from warmxfer.actors.gateway import GatewaySettings
    from warmxfer.schemas import WarmxferError

    try:
        settings = GatewaySettings.from_env(env)
    except WarmxferError as error:
        where = "the gateway needs this in its own environment"
        return [Finding("provider", "note", f"{error} ({where}).")]
    findings = [Finding("provider", "ok", "The provider's credentials are set here.")]
    if base_url := env.get("VIDEOSDK_BASE_URL"):
        try:
            async with httpx.AsyncClient(timeout=CLOUD_TIMEOUT_S) as http:
                await http.get(base_url)
            findings.append(Finding("cloud", "ok", f"{base_url} answers."))
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            sentence = f"VIDEOSDK_BASE_URL is {base_url}, which does not answer ({type(error).__name__})."
            findings.append(Finding("cloud", "wrong", sentence))
    if settings.webhook_port is None:
        sentence = "WARMXFER_WEBHOOK_PORT is not set: ended legs are noticed by asking, seconds later."
        findings.append(Finding("webhooks", "note", sentence))
    return findings


def _model_finding(env: Mapping[str, str]) -> Finding:
    from warmxfer.actors.summarizer import SummarizerSettings
    from warmxfer.schemas import WarmxferError

    try:
        model = SummarizerSettings.from_env(env).model
    except WarmxferError as error:
        return Finding("model", "wrong", f"{error}.")
    if model is None:
        return Finding(
            "model", "note", "WARMXFER_LLM_BASE_URL is not set: summaries are extracts of the call."
        )
    return Finding("model", "ok", "A model is configured for summaries.")
