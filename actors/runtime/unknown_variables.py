"""Finds variables that begin with `WARMXFER_`, or nearly so, and that this code does not read: misspelt ones.

They are named and not refused. A newer version may share the environment, and Kubernetes puts variables
for the host and the port of a service that is called `warmxfer-gateway` into it.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping

PREFIX = "WARMXFER_"
MAX_NAMED = 10
SAME_PREFIX = 0.87
"""Similarity from which another first word is taken for ours, as in `WARMXFR_LOG`."""

_KNOWN = frozenset(
    {
        "ACK_WAIT_S",
        "ADMISSION_WAIT_S",
        "ARCHIVE_AFTER_S",
        "ARCHIVE_DAYS",
        "ARCHIVE_KEEPS",
        "ARCHIVE_OVERWRITE",
        "BOARD_TOKEN",
        "BRIEFING_JOBS",
        "BRIEFING_PIPELINE",
        "COORDINATOR_JOBS",
        "DEPLOYMENT",
        "DIAL_BY",
        "DIAL_CALLER_IDS",
        "DIAL_DENY_PREFIXES",
        "DIAL_DIGITS",
        "DIAL_DIRECTORY",
        "DIAL_MAX_CALL_S",
        "DIAL_PENDING",
        "DIAL_PER_DESTINATION",
        "DIAL_PER_HOUR",
        "DIAL_PER_ROOM",
        "DIAL_REGIONS",
        "DIAL_ROUTING_RULES",
        "DIAL_SIP_HOSTS",
        "DIAL_TYPES",
        "GATEWAY_JOBS",
        "HEALTH_HOST",
        "HEALTH_PORT",
        "HOLD_LEASE_S",
        "LLM_API_KEY",
        "LLM_BASE_URL",
        "LLM_MODEL",
        "LOG",
        "LOG_LEVEL",
        "MAX_AGE_S",
        "MAX_DELIVER",
        "MAX_STORE_MB",
        "MAX_TRANSFERS",
        "PROVIDER",
        "PROVIDER_RATE",
        "PROVIDER_TIMEOUT_S",
        "READY_FD",
        "RECONCILE_S",
        "REPLICAS",
        "REQUESTS_MB",
        "ROOM_ID",
        "SETTLE_S",
        "STORE_DIR",
        "STORE_ENCRYPTED",
        "STORE_KEY",
        "SUMMARIZER_JOBS",
        "TRACES",
        "VOICE",
        "WEBHOOK_HOST",
        "WEBHOOK_PORT",
        "WEBHOOK_PUBLIC_KEY",
        "WEBHOOK_URL",
    }
)
"""Every variable of docs/configuration.md, without `PREFIX`. Test: `tests/docs/test_configuration.py`."""

MAX_SHOWN_CHARS = 80

_DIVIDED_PREFIX = re.compile(r"WARM_?XFER_?", re.IGNORECASE | re.ASCII)
_OF_TESTS = ("TEST_", "CONTRACT_")
_OF_KUBERNETES = re.compile(r"\w+_(SERVICE_(HOST|PORT(_\w+)?)|PORT_[0-9]+_(TCP|UDP|SCTP)(_\w+)?)", re.ASCII)
_ADDRESS = re.compile(r"(tcp|udp|sctp)://", re.ASCII)


def known_variables() -> frozenset[str]:
    """Return the names of all variables with `PREFIX` that warmxfer reads."""
    return frozenset(PREFIX + name for name in _KNOWN)


def unknown_variables(env: Mapping[str, str]) -> list[str]:
    """Return one sentence for each misspelt variable in `env`, by name; at most `MAX_NAMED`."""
    found = sorted(
        (name, rest) for name, value in env.items() if (rest := _misspelt(name, value)) is not None
    )
    return [_sentence(name, rest) for name, rest in found[:MAX_NAMED]]


def _misspelt(name: str, value: str) -> str | None:
    """Return what follows our prefix in a misspelt variable, or None for a variable that is not misspelt."""
    if name.startswith(PREFIX):
        rest = name.removeprefix(PREFIX)
        return None if _allowed(rest, value) else rest
    if (divided := _DIVIDED_PREFIX.match(name)) is not None:
        return name[divided.end() :]
    first, _, rest = name[:MAX_SHOWN_CHARS].partition("_")
    alike = rest and difflib.SequenceMatcher(None, first.upper(), PREFIX[:-1]).ratio() >= SAME_PREFIX
    return rest if alike else None


def _allowed(rest: str, value: str) -> bool:
    if rest in _KNOWN or rest.startswith(_OF_TESTS) or _OF_KUBERNETES.fullmatch(rest):
        return True
    return rest.endswith("_PORT") and _ADDRESS.match(value) is not None


def _sentence(name: str, rest: str) -> str:
    shown = ascii(name[:MAX_SHOWN_CHARS])[1:-1]
    close = difflib.get_close_matches(rest[:MAX_SHOWN_CHARS].upper(), _KNOWN, n=1)
    remedy = f"did you mean {PREFIX}{close[0]}?" if close else "remove it, or see docs/configuration.md"
    return f"{shown} is set, but warmxfer reads no such variable; {remedy}"
