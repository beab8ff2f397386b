"""Findings about the broker: its users, streams, storage, dead letters and clock. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from warmxfer.actors.runtime.exit_codes import INVALID, UNAVAILABLE

from .finding import Finding

if TYPE_CHECKING:
    from warmxfer.bus import BrokerReport, BusSettings, StreamHealth

MAX_SKEW_S = 2.0
FULL_AT = 0.8
"""Part of the storage limit from which coordinators refuse new requests."""
_MB = 1_000_000


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
    """Check that the streams exist, have the layout of this release, delete nothing that is needed, and have
    all their copies.
    """
    if report.messages is None:
        missing = ", ".join(report.missing_streams)
        sentence = (
            f"These streams do not exist yet: {missing}; run `warmxfer deploy` as the user deploy, or start "
            "a coordinator with `warmxfer run coordinator`."
        )
        return [Finding("stream", "wrong", sentence, UNAVAILABLE)]
    replicas = f"{report.replicas} replica{'s' if report.replicas > 1 else ''}"
    held = Finding("stream", "ok", f"The streams hold {report.messages:,} messages on {replicas}.")
    return [held, *layout_findings(report), *(found for each in report.streams for found in _of_stream(each))]


def layout_findings(report: BrokerReport) -> list[Finding]:
    """Compare the layout of the streams with that of this release."""
    older = [each for each in report.streams if each.layout < each.wanted_layout]
    newer = [each for each in report.streams if each.layout > each.wanted_layout]
    if older:
        sentence = (
            f"{older[0].name} has layout {older[0].layout}, and this release has {older[0].wanted_layout}; "
            "run `warmxfer deploy` as the user deploy."
        )
        return [Finding("layout", "wrong", sentence, INVALID)]
    if newer:
        sentence = (
            f"{newer[0].name} has layout {newer[0].layout}, and this release has {newer[0].wanted_layout}: a "
            "newer release owns the streams; upgrade this one."
        )
        return [Finding("layout", "note", sentence)]
    return []


def _of_stream(stream: StreamHealth) -> Iterator[Finding]:
    if stream.fault:
        yield Finding("stream", "wrong", f"{stream.fault}.", INVALID)
    if stream.behind:
        sentence = (
            f"Copies of {stream.name} are incomplete: {', '.join(stream.behind)}; start that server, and its "
            "copy catches up."
        )
        yield Finding("replicas", "wrong", sentence, UNAVAILABLE)
    if stream.clustered and stream.replicas == 1:
        sentence = (
            f"{stream.name} has one copy in a cluster, so the loss of its server stops all transfers; set "
            "WARMXFER_REPLICAS=3 for every process and run `warmxfer deploy`."
        )
        yield Finding("replicas", "note", sentence)


def storage_findings(report: BrokerReport) -> list[Finding]:
    """Compare what is stored with the limits that the broker and the coordinators name."""
    if report.storage is None:
        return []
    limits_mb = {facts["max_store_mb"] for _, facts in report.facts if "max_store_mb" in facts}
    use = report.storage
    parts = [
        *([(use.used_bytes, use.limit_bytes, "the account's limit")] if use.limit_bytes else []),
        *((use.stream_bytes, int(each) * _MB, "WARMXFER_MAX_STORE_MB") for each in limits_mb if each),
    ]
    if not parts:
        sentence = (
            "The broker names no storage limit, and no coordinator has WARMXFER_MAX_STORE_MB: on a full disk "
            "every transfer stops, not only new ones; set it to what the streams may take."
        )
        return [Finding("storage", "note", sentence)]
    used, limit, name = max(parts, key=lambda part: part[0] / part[1])
    amount = f"{used / _MB:,.0f} of {limit / _MB:,.0f} MB ({name})"
    if used >= FULL_AT * limit:
        sentence = (
            f"The streams use {amount}, so new requests end as too_busy; give more storage, or keep less "
            "(docs/sizing.md)."
        )
        return [Finding("storage", "wrong", sentence)]
    return [Finding("storage", "ok", f"The streams use {amount}.")]


def dead_letter_findings(report: BrokerReport) -> list[Finding]:
    """Count the dead letters. They are a note and no fault: each stays until its transfer is archived."""
    if report.messages is None:
        return []
    count = report.dead_letters
    if not count:
        return [
            Finding("dead letters", "ok", "There are no dead letters of transfers that are not archived.")
        ]
    one = count == 1
    counted = (
        "There is 1 dead letter of a transfer" if one else f"There are {count:,} dead letters of transfers"
    )
    counted += f" that {'is' if one else 'are'} not archived"
    return [Finding("dead letters", "note", f"{counted}; see `warmxfer dead-letters`.")]


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
