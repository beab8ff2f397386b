"""What makes a set-up weak beside users, regions and webhooks: the connection and the store."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from warmxfer.actors.runtime.exit_codes import INVALID

from .finding import Finding, sentence_of

if TYPE_CHECKING:
    from warmxfer.bus import BrokerReport, BusSettings

STORE_DIR = "WARMXFER_STORE_DIR"
"""The broker's directory, where this machine has it: its files show what is encrypted."""
STORE_ENCRYPTED = "WARMXFER_STORE_ENCRYPTED"
"""What the one who runs the broker says, where this machine does not have its files."""


def tls_finding(report: BrokerReport, settings: BusSettings) -> Finding:
    """Say whether someone on the network can read the connection to the broker, and change it."""
    if report.encrypted:
        return Finding("tls", "ok", "The connection to the broker is encrypted.")
    sentence = (
        "The connection to the broker is not encrypted, so the network between can read passwords and change "
        "commands; write tls:// into NATS_URL (`warmxfer permissions --tls` prints the broker's part)."
    )
    return Finding("tls", "note" if settings.is_on_loopback else "wrong", sentence)


def store_finding(env: Mapping[str, str], settings: BusSettings) -> Finding:
    """Say whether a reader of the broker's disk reads what it stores.

    nats-server 2.15 says nothing of it to a client. So this looks at the files, if `env` names their
    directory. Otherwise it repeats what `env` says, or says how to see it.
    """
    from warmxfer.bus.store_files import readable_streams
    from warmxfer.schemas import InvalidRequest
    from warmxfer.schemas.env import env_yes

    weak = "note" if settings.is_on_loopback else "wrong"
    directory = env.get(STORE_DIR, "").strip()
    try:
        stated = env_yes(env, STORE_ENCRYPTED)
        readable = readable_streams(Path(directory)) if directory else None
    except (InvalidRequest, OSError) as error:
        return Finding("store", "wrong", sentence_of(error), INVALID)
    if readable:
        sentence = (
            f"The broker's store {directory} is not encrypted ({', '.join(readable)}), so a reader of its "
            "disk reads numbers and summaries; set `cipher` and `key` in the block `jetstream` of an empty "
            "store."
        )
        return Finding("store", weak, sentence)
    if readable is not None:
        return Finding("store", "ok", f"The streams of warmxfer in {directory} are encrypted.")
    if stated:
        return Finding("store", "ok", f"{STORE_ENCRYPTED} says that the broker's store is encrypted.")
    if env.get(STORE_ENCRYPTED, "").strip():
        sentence = (
            f"{STORE_ENCRYPTED} says that the broker's store is not encrypted, so a reader of its disk reads "
            "numbers and summaries; set `cipher` and `key` in its block `jetstream`."
        )
        return Finding("store", weak, sentence)
    sentence = (
        "No broker tells its clients whether it encrypts what it stores, so look: `cipher` and `key` must "
        "stand in its block `jetstream`, or a reader of its disk reads numbers and summaries; then set "
        f"{STORE_ENCRYPTED}, or {STORE_DIR} where its files are."
    )
    return Finding("store", "note", sentence)
