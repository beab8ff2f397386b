"""How one stream is stored: its layout, its copies, and limits at which it would delete live data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .errors import InvalidRequest
from .stream import LAYOUT, layout_of
from .stream_limits import check_limits

MAX_LAG = 1_000
"""Messages that a copy may be behind in passing. Beyond it the copy is named."""


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """One stream. `wanted_layout` is the layout of this release."""

    name: str
    layout: int
    replicas: int
    clustered: bool
    """Whether the server that stores it is one of a cluster."""
    behind: tuple[str, ...] = ()
    """The servers whose copy is offline or behind, each with the word that says which."""
    fault: str = ""
    """Why every process refuses this stream, or ""."""
    wanted_layout: int = LAYOUT


def stream_health(name: str, info: Mapping[str, Any]) -> StreamHealth:
    """Return the health that the broker's `info` about stream `name` shows. Pure."""
    config: Mapping[str, Any] = info["config"]
    cluster: Mapping[str, Any] = info.get("cluster") or {}
    copies: Sequence[Mapping[str, Any]] = cluster.get("replicas") or ()
    return StreamHealth(
        name=name,
        layout=layout_of(config),
        replicas=int(config["num_replicas"]),
        clustered=bool(cluster.get("name")),
        behind=_behind(copies),
        fault=_fault(name, config),
    )


def _behind(copies: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    found: list[str] = []
    for each in copies:
        lag = int(each.get("lag") or 0)
        if each.get("offline"):
            found.append(f"{each.get('name')} is offline")
        elif not each.get("current") and lag > MAX_LAG:
            found.append(f"{each.get('name')} is {lag:,} messages behind")
    return tuple(found)


def _fault(name: str, config: Mapping[str, Any]) -> str:
    try:
        check_limits(name, config)
    except InvalidRequest as error:
        return str(error)
    return ""
