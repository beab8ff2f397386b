"""Findings about the processes: how many of each role, their versions, and what they announce. Pure."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from warmxfer.actors.runtime.exit_codes import INVALID, UNAVAILABLE

from .finding import Finding

if TYPE_CHECKING:
    from warmxfer.bus import BrokerReport

NAME = "warmxfer-"
"""The service name of an actor begins with this."""
GATEWAY = "warmxfer-gateway"
WEBHOOKS_OFF = (
    "WARMXFER_WEBHOOK_PORT is not set: the gateway polls the provider instead, "
    "and sees the end of a call some seconds later."
)


def role_findings(report: BrokerReport) -> list[Finding]:
    """Check that at least one process serves each queue."""
    from warmxfer.actors.runtime.runner import announced

    if report.messages is None:
        return []
    findings: list[Finding] = []
    for role, queue in report.queues.items():
        if queue is None:
            sentence = f"The queue of the {role} does not exist; run `warmxfer deploy`, or restart a {role}."
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


def spare_findings(report: BrokerReport) -> list[Finding]:
    """Name the roles of which one process runs: its end stops the role until it is started again."""
    alone = [role for role in report.queues if report.services[f"{NAME}{role}"] == 1]
    if not alone:
        return []
    sentence = f"Only one process runs of {', '.join(alone)}; with a second one, calls go on when one ends."
    return [Finding("spare", "note", sentence)]


def version_findings(report: BrokerReport, own: str) -> list[Finding]:
    """Compare the versions of the processes with each other and with `own`, this command's."""
    of_actors = [(name.removeprefix(NAME), each) for name, each in report.versions if name.startswith(NAME)]
    versions = {version for _, version in of_actors}
    if not versions:
        return []
    if versions == {own}:
        return [Finding("version", "ok", f"Every process runs version {own}, as this command does.")]
    if len(versions) == 1:
        sentence = f"The processes run version {versions.pop()}, and this command is version {own}."
        return [Finding("version", "note", sentence)]
    shown = ", ".join(
        f"{version} ({', '.join(f'{count} {role}' for role, count in _roles(of_actors, version).items())})"
        for version in sorted(versions)
    )
    sentence = f"Processes of {len(versions)} versions run: {shown}; complete the upgrade or the rollback."
    return [Finding("version", "note", sentence)]


def _roles(processes: list[tuple[str, str]], version: str) -> Counter[str]:
    return Counter(role for role, each in processes if each == version)


def partition_findings(report: BrokerReport) -> list[Finding]:
    """Name the partitions that no coordinator takes from, if a coordinator runs: their transfers wait."""
    if not report.partitions_unheld or not report.services["warmxfer-coordinator"]:
        return []
    shown = ", ".join(map(str, report.partitions_unheld))
    sentence = (
        f"No coordinator takes messages of the partitions {shown}, so their transfers wait; start another "
        "coordinator, and see which one has the highest warmxfer_loop_lag_seconds."
    )
    return [Finding("partitions", "wrong", sentence, UNAVAILABLE)]


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


def gateway_findings(report: BrokerReport) -> list[Finding]:
    """Check what the gateways announce: their webhooks, the name of the deployment and the rate."""
    facts = [each for name, each in report.facts if name == GATEWAY and "webhooks" in each]
    if not facts:
        return []
    findings = [_webhook_finding({each["webhooks"] for each in facts})]
    for fact, variable in (
        ("deployment", "WARMXFER_DEPLOYMENT"),
        ("provider_rate", "WARMXFER_PROVIDER_RATE"),
    ):
        given = {each.get(fact, "") for each in facts}
        if len(given) > 1:
            shown = ", ".join(each or "not set" for each in sorted(given))
            sentence = f"The gateways have different values of {variable} ({shown}); give them the same one."
            findings.append(Finding("gateways", "wrong", sentence, INVALID))
    if not any(each.get("deployment") for each in facts):
        sentence = (
            "WARMXFER_DEPLOYMENT is not set at a gateway: a leg that belongs to no transfer, as after the "
            "loss of a stream, stays up until its phone hangs up."
        )
        findings.append(Finding("deployment", "note", sentence))
    return findings


def _webhook_finding(given: set[str]) -> Finding:
    if given == {"off"}:
        return Finding("webhooks", "note", WEBHOOKS_OFF)
    if "unsigned" in given:
        sentence = (
            "A gateway takes unsigned webhooks, which is for a sandbox on this machine; set "
            "WARMXFER_WEBHOOK_PUBLIC_KEY to fetch, or to a PEM."
        )
        return Finding("webhooks", "note", sentence)
    return Finding("webhooks", "ok", "The gateways take signed webhooks.")


def probe_findings(report: BrokerReport) -> list[Finding]:
    """Count the processes without a health port: no probe restarts them, and no alert sees them."""
    ports = [facts["health_port"] for _, facts in report.facts if "health_port" in facts]
    without = ports.count("")
    if not ports:
        return []
    if not without:
        return [Finding("probes", "ok", "Every process serves /readyz and /metrics.")]
    sentence = (
        f"{without} of {len(ports)} processes have no WARMXFER_HEALTH_PORT: nothing can probe them, and no "
        "alert sees them."
    )
    return [Finding("probes", "note", sentence)]
