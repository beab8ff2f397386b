"""What makes a set-up weak beside users, regions and webhooks: the connection and the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .finding import Finding

if TYPE_CHECKING:
    from warmxfer.bus import BrokerReport, BusSettings


def tls_finding(report: BrokerReport, settings: BusSettings) -> Finding:
    """Say whether someone on the network can read the connection to the broker, and change it."""
    if report.encrypted:
        return Finding("tls", "ok", "The connection to the broker is encrypted.")
    sentence = (
        "The connection to the broker is not encrypted, so the network between can read passwords and change "
        "commands; write tls:// into NATS_URL (`warmxfer permissions --tls` prints the broker's part)."
    )
    return Finding("tls", "note" if settings.is_on_loopback else "wrong", sentence)


def store_finding() -> Finding:
    """Say how to see whether the store is encrypted. nats-server 2.15 says nothing of it to a client."""
    sentence = (
        "No broker tells its clients whether it encrypts what it stores, so look: `cipher` and `key` must "
        "stand in its block `jetstream`, or a reader of its disk reads numbers and summaries."
    )
    return Finding("store", "note", sentence)
