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
SILENT_S = 5.0
"""A copy answers its leader every second, also in an idle stream. The broker calls a silent copy not current
after 10 s, and offline after a minute or more. A copy that never answered has no `active`.
"""
_NS = 1_000_000_000


@dataclass(frozen=True, slots=True)
class StreamHealth:
    """One stream. `wanted_layout` is the layout of this release."""

    name: str
    layout: int
    replicas: int
    clustered: bool
    """Whether the server that stores it is one of a cluster."""
    behind: tuple[str, ...] = ()
    """The servers whose copy is offline, not connected, silent or behind, and which of these it is."""
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
        lag, silent_s = int(each.get("lag") or 0), int(each.get("active") or 0) / _NS
        if each.get("offline"):
            found.append(f"{each.get('name')} is offline")
        elif not each.get("current") and not silent_s:
            found.append(f"{each.get('name')} is not connected")
        elif silent_s > SILENT_S:
            found.append(f"{each.get('name')} has not answered for {silent_s:.0f} s")
        elif not each.get("current") and lag > MAX_LAG:
            found.append(f"{each.get('name')} is {lag:,} messages behind")
    return tuple(found)


def _fault(name: str, config: Mapping[str, Any]) -> str:
    try:
        check_limits(name, config)
    except InvalidRequest as error:
        return str(error)
    return ""
