"""Writes the objects by which KEDA scales the roles, from the table of consumers.

    uv run --group dev python -m tests.ops.kubernetes.autoscaling --write

A trigger names one consumer. The backlog that KEDA reads are the messages that wait and those that are not
acknowledged yet. Of a role, KEDA starts as many processes as the largest backlog needs.
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

from tests.docs.pages import ROOT
from warmxfer.actors.briefing.settings import DEFAULT_JOBS as BRIEFING_JOBS
from warmxfer.actors.gateway.settings import DEFAULT_JOBS as GATEWAY_JOBS
from warmxfer.actors.summarizer.settings import DEFAULT_JOBS as SUMMARIZER_JOBS
from warmxfer.bus.consumer_table import CONSUMERS, COORDINATOR, consumers_of
from warmxfer.bus.partition import PARTITIONS
from warmxfer.bus.permission_file import DEFAULT_TENANT

FOLDER = ROOT / "ops" / "k8s" / "autoscaling"
NAMESPACE = "warmxfer"
"""The namespace of the production overlay. KEDA runs in another one, so the broker's name needs it."""
ENDPOINT = f"nats.{NAMESPACE}.svc:8222"
HEAD = "# Written by tests/ops/kubernetes/autoscaling.py; do not edit.\n"


class Scale(NamedTuple):
    """How far one role is scaled."""

    role: str
    backlog: int
    """Messages of one consumer for each process."""
    least: int
    most: int
    why: str


SCALES = (
    Scale(COORDINATOR, 20, 2, PARTITIONS, f"There are {PARTITIONS} partitions, so one more is idle."),
    Scale("gateway", GATEWAY_JOBS // 2, 2, 20, f"Half of its {GATEWAY_JOBS} jobs."),
    Scale("summarizer", SUMMARIZER_JOBS // 2, 2, 20, f"Half of its {SUMMARIZER_JOBS} jobs."),
    Scale(
        "briefing",
        BRIEFING_JOBS * 7 // 10,
        2,
        60,
        f"7 of 10 of its {BRIEFING_JOBS} places. A consultation is unacknowledged until its end.",
    ),
)


def scaled_object(scale: Scale) -> str:
    """Return the object of one role, as YAML."""
    lines = [
        f"# {scale.why}",
        "apiVersion: keda.sh/v1alpha1",
        "kind: ScaledObject",
        "metadata:",
        f"  name: {scale.role}",
        "spec:",
        "  scaleTargetRef:",
        f"    name: {scale.role}",
        "  pollingInterval: 15",
        f"  minReplicaCount: {scale.least}",
        f"  maxReplicaCount: {scale.most}",
        "  fallback: # if the broker's statistics cannot be read",
        "    failureThreshold: 4",
        f"    replicas: {scale.least}",
        "    behavior: currentReplicasIfHigher",
        "  advanced:",
        "    horizontalPodAutoscalerConfig:",
        "      behavior:",
        "        scaleDown:",
        "          stabilizationWindowSeconds: 300",
        "          policies:",
        "            - {type: Pods, value: 1, periodSeconds: 60}",
        "  triggers:",
    ]
    for consumer in consumers_of(scale.role):
        lines += [
            "    - type: nats-jetstream",
            "      metadata:",
            f'        natsServerMonitoringEndpoint: "{ENDPOINT}"',
            f"        account: {DEFAULT_TENANT}",
            f"        stream: {CONSUMERS[consumer].stream}",
            f"        consumer: {consumer}",
            f'        lagThreshold: "{scale.backlog}"',
        ]
    return "\n".join([*lines, ""])


def files() -> dict[str, str]:
    """Return the text of each file, by its name."""
    coordinator, *workers = SCALES
    return {
        "coordinator.yaml": HEAD + scaled_object(coordinator),
        "workers.yaml": HEAD + "---\n".join(scaled_object(each) for each in workers),
    }


def main() -> None:
    """Write the files with --write, else print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--write", action="store_true", help="write the files")
    write = parser.parse_args().write
    for name, text in files().items():
        if write:
            (FOLDER / name).write_text(text, encoding="utf-8")
        else:
            print(text)


if __name__ == "__main__":
    main()
