"""Telephony providers: the port, its errors, and one file for each vendor that is known.

Adding a provider is one more file and one more row in `PROVIDERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from warmxfer.schemas import Refused

from . import videosdk
from .errors import (
    Doubtful,
    Forged,
    Gone,
    NotDone,
    NotSent,
    NotYet,
    RateLimited,
    Unanswered,
    Undone,
)
from .port import (
    Arrived,
    CallRecord,
    ChosenProvider,
    Departed,
    Dialed,
    DialOrder,
    LegDown,
    Notice,
    Provider,
)

__all__ = [
    "PROVIDERS",
    "Arrived",
    "CallRecord",
    "ChosenProvider",
    "Departed",
    "DialOrder",
    "Dialed",
    "Doubtful",
    "Forged",
    "Gone",
    "LegDown",
    "NotDone",
    "NotSent",
    "NotYet",
    "Notice",
    "Provider",
    "RateLimited",
    "Unanswered",
    "Undone",
    "choose_provider",
]

DEFAULT_PROVIDER = videosdk.VideoSDK.name

PROVIDERS: Mapping[str, Callable[[Mapping[str, str]], ChosenProvider]] = {
    DEFAULT_PROVIDER: videosdk.choose,
}


def choose_provider(env: Mapping[str, str]) -> ChosenProvider:
    """The provider that WARMXFER_PROVIDER names (videosdk by default); raises `Refused`."""
    name = env.get("WARMXFER_PROVIDER") or DEFAULT_PROVIDER
    if name not in PROVIDERS:
        raise Refused(
            f"WARMXFER_PROVIDER is {name[:40]!r}; use one of {', '.join(PROVIDERS)}",
            field="WARMXFER_PROVIDER",
        )
    return PROVIDERS[name](env)
