"""`warmxfer doctor`: checks a set-up and prints one sentence per finding."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Literal, NamedTuple

import typer

from warmxfer.actors.runtime.exit_codes import INVALID, UNAVAILABLE, UNSUCCESSFUL, code_of
from warmxfer.actors.runtime.unknown_variables import unknown_variables

from . import weaknesses
from .options import Json, Url
from .output import console, print_json, run_command

if TYPE_CHECKING:
    from warmxfer.actors.gateway import GatewaySettings
    from warmxfer.adapters.llm import ModelSettings
    from warmxfer.bus import BrokerReport, BusSettings

MAX_SKEW_S = 2.0
CONNECT_DEADLINE_S = 3.0
MODEL_TIMEOUT_S = 10.0
MAX_MODEL_ANSWER_CHARS = 1_000
MARKS = {"ok": ("✔", "green"), "note": ("•", "yellow"), "wrong": ("✘", "bold red")}


class Finding(NamedTuple):
    """Result of one check. A note is not a fault: it explains the effect of an unset variable."""

    about: str
    state: Literal["ok", "note", "wrong"]
    sentence: str
    code: int = UNSUCCESSFUL
    """Of a fault: the exit code of every command that meets the same cause."""


def doctor(url: Url = None, json: Json = False) -> None:
    """Check the set-up and report faults.

    Checks the environment, the NATS server, the stream, the actors, the dead letters, the clock, the provider
    and the model. Exit code 0: no fault. Otherwise it is that of the first fault.
    """
    from rich.text import Text

    env = dict(os.environ) | ({"NATS_URL": url} if url else {})
    # Each error is a finding: no log line repeats it.
    findings, out = run_command(lambda: examine(env), log_level="critical"), console()
    for finding in findings:
        if json:
            print_json({"about": finding.about, "state": finding.state, "sentence": finding.sentence})
        else:
            line = Text.assemble(MARKS[finding.state], f" {finding.about:<12} {finding.sentence}")
            out.print(line, soft_wrap=True)
    codes = [finding.code for finding in findings if finding.state == "wrong"]
    if codes:
        raise typer.Exit(codes[0])


async def examine(env: Mapping[str, str]) -> list[Finding]:
    """Return every finding. A fault of the set-up is a finding and never raises."""
    return [
        *await _bus_findings(env),
        *await _provider_findings(env),
        await _model_finding(env),
        *environment_findings(env),
    ]


def environment_findings(env: Mapping[str, str]) -> list[Finding]:
    """Name the variables that look like ours and are read by no process."""
    return [Finding("environment", "wrong", sentence, INVALID) for sentence in unknown_variables(env)]


async def _bus_findings(env: Mapping[str, str]) -> list[Finding]:
    from warmxfer.bus import Bus, BusSettings
    from warmxfer.schemas import WarmxferError

    try:
        settings = BusSettings.from_env(env)
        async with await Bus.connect(settings, name="warmxfer-doctor", deadline_s=CONNECT_DEADLINE_S) as bus:
            report, now = await bus.diagnose(), time.time()
    except WarmxferError as error:
        return [Finding("nats", "wrong", _sentence(error), code_of(error))]
    reached = f"nats-server {report.server_version} with JetStream answers at {settings.shown_url}."
    return [
        Finding("nats", "ok", reached),
        user_finding(report, settings),
        *(Finding(*each) for each in weaknesses.of_broker(report, settings)),
        *stream_findings(report),
        *dead_letter_findings(report),
        *dial_findings(report),
        *clock_findings(report, now),
    ]


def user_finding(report: BrokerReport, settings: BusSettings) -> Finding:
    """Say whether the broker tells users apart. Without that, every client controls calls and reads them."""
    if report.authenticated:
        sentence = "The broker asks for credentials, and its permissions say what each user may do."
        return Finding("users", "ok", sentence)
    sentence = (
        "The broker lets in every client without credentials, so any process that reaches it controls calls; "
        "start it with the configuration that `warmxfer permissions` prints."
    )
    return Finding("users", "note" if settings.is_on_loopback else "wrong", sentence)


def stream_findings(report: BrokerReport) -> list[Finding]:
    """Check the streams, and that at least one process serves each queue."""
    from warmxfer.actors.runtime.runner import announced

    if report.messages is None:
        missing = ", ".join(report.missing_streams)
        sentence = (
            f"These streams do not exist yet: {missing}; start a coordinator with `warmxfer run coordinator`."
        )
        return [Finding("stream", "wrong", sentence, UNAVAILABLE)]
    replicas = f"{report.replicas} replica{'s' if report.replicas > 1 else ''}"
    findings = [Finding("stream", "ok", f"The streams hold {report.messages:,} messages on {replicas}.")]
    for role, queue in report.queues.items():
        if queue is None:
            sentence = f"The queue of the {role} does not exist; restart any actor, which creates it."
            findings.append(Finding(role, "wrong", sentence, UNAVAILABLE))
            continue
        running, tasks = report.services[announced(role)], f"{queue.unacked} active, {queue.pending} queued"
        if running or queue.waiting:
            # A process that pulls from the queue may have been too busy to answer the ping.
            count = f"{running or 'at least 1'} process{'es' if running > 1 else ''} running"
            findings.append(Finding(role, "ok", f"{count[0].upper()}{count[1:]}, {tasks}."))
        else:
            sentence = f"No {role} is running ({tasks}); start one with `warmxfer run {role}`."
            findings.append(Finding(role, "wrong", sentence, UNAVAILABLE))
    return findings


def dead_letter_findings(report: BrokerReport) -> list[Finding]:
    """Count the dead letters. They are a note and no fault, because they stay after their cause is mended."""
    if report.messages is None:
        return []
    count = report.dead_letters
    if not count:
        return [Finding("dead letters", "ok", "There are no dead letters.")]
    counted = "There is 1 dead letter" if count == 1 else f"There are {count:,} dead letters"
    return [Finding("dead letters", "note", f"{counted}; see `warmxfer dead-letters`.")]


def dial_findings(report: BrokerReport) -> list[Finding]:
    """Compare the dial policies of the processes that have one: the coordinators and the gateways."""
    announced = [facts for _, facts in report.facts if "dial_policy" in facts]
    policies = {facts["dial_policy"] for facts in announced}
    if len(policies) > 1:
        sentence = (
            f"The coordinators and gateways have {len(policies)} dial policies, so a caller may be held for "
            "a call that is then refused; give them the same WARMXFER_DIAL_ variables."
        )
        return [Finding("dial policy", "wrong", sentence, INVALID)]
    if not announced:
        return []
    if not announced[0].get("dial_regions"):
        sentence = (
            "WARMXFER_DIAL_REGIONS is not set: every region may be dialled, which is for a sandbox only."
        )
        return [Finding("dial policy", "note", sentence)]
    return [Finding("dial policy", "ok", f"Numbers of {announced[0]['dial_regions']} may be dialled.")]


def clock_findings(report: BrokerReport, now: float) -> list[Finding]:
    """Compare this machine's clock with the broker's, which is the only one that decides deadlines."""
    if report.server_time is None:
        return []
    skew_s = now - report.server_time
    if abs(skew_s) <= MAX_SKEW_S:
        return [Finding("clock", "ok", f"This machine's clock is within {MAX_SKEW_S:g} s of the broker's.")]
    direction = "ahead of" if skew_s > 0 else "behind"
    sentence = (
        f"This machine's clock is {abs(skew_s):.1f} s {direction} the broker's; synchronize it with NTP."
    )
    return [Finding("clock", "wrong", sentence)]


async def _provider_findings(env: Mapping[str, str]) -> list[Finding]:
    from warmxfer.actors.gateway import GatewaySettings
    from warmxfer.schemas import WarmxferError

    try:
        settings = GatewaySettings.from_env(env)
    except WarmxferError as error:
        return [
            Finding("provider", "note", f"{error}. Only the process of the gateway needs these settings.")
        ]
    findings = [
        Finding("provider", "ok", "The provider's credentials are set in this environment."),
        await _cloud_finding(settings),
        *(Finding(*each) for each in weaknesses.of_gateway(settings)),
    ]
    if settings.webhook_port is None:
        sentence = (
            "WARMXFER_WEBHOOK_PORT is not set: the gateway polls the provider instead, "
            "and sees the end of a call some seconds later."
        )
        findings.append(Finding("webhooks", "note", sentence))
    return findings


async def _cloud_finding(settings: GatewaySettings) -> Finding:
    """Make one authenticated query to the provider."""
    from warmxfer.adapters.telephony import NotSent, Rejected
    from warmxfer.schemas import RetryableError

    provider = settings.provider.open(None, None)
    try:
        await provider.check_credentials()
    except NotSent as error:
        sentence = _sentence(error)
        if not sentence.startswith("VIDEOSDK_BASE_URL"):
            cause = str(error).rpartition("(")[2].rstrip(")")
            sentence = f"VIDEOSDK_BASE_URL is {provider.signaling_url}, which does not answer ({cause})."
        return Finding("cloud", "wrong", sentence, UNAVAILABLE)
    except Rejected as error:
        refused = provider.credentials_refused() is not None
        return Finding("cloud", "wrong", _sentence(error), INVALID if refused else UNSUCCESSFUL)
    except RetryableError as error:
        return Finding("cloud", "wrong", _sentence(error), UNAVAILABLE)
    finally:
        await provider.aclose()
    return Finding("cloud", "ok", f"{provider.signaling_url} answers and accepts the credentials.")


async def _model_finding(env: Mapping[str, str]) -> Finding:
    from warmxfer.actors.summarizer import SummarizerSettings
    from warmxfer.schemas import WarmxferError

    try:
        model = SummarizerSettings.from_env(env).model
    except WarmxferError as error:
        return Finding("model", "wrong", _sentence(error), code_of(error))
    if model is None:
        return Finding(
            "model",
            "note",
            "WARMXFER_LLM_BASE_URL is not set: a summary quotes the call, written without a model.",
        )
    return await ask_model(model)


async def ask_model(settings: ModelSettings) -> Finding:
    """Send one short request to the model: only an answer shows that the address, key and name are right."""
    from warmxfer.adapters.llm import Message, OpenAIModel
    from warmxfer.schemas import WarmxferError

    model = OpenAIModel(settings)
    try:
        await model.reply(
            [Message("user", "Reply with the word OK.")],
            deadline_s=MODEL_TIMEOUT_S,
            max_chars=MAX_MODEL_ANSWER_CHARS,
        )
    except WarmxferError as error:
        return Finding("model", "wrong", _sentence(error), code_of(error))
    finally:
        await model.aclose()
    return Finding("model", "ok", f"The model {settings.model} answers.")


def _sentence(error: Exception) -> str:
    return f"{str(error).rstrip('.')}."
