"""Telephony providers: the port, its errors, and one folder for each vendor.

To add a provider, add a folder and a row in `PROVIDERS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from warmxfer.schemas import InvalidRequest

from .errors import (
    NOTHING_DONE,
    InvalidWebhookSignature,
    NotFound,
    NotReady,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    StaleWebhook,
    Unanswered,
)
from .provider import (
    CallEndedNotice,
    CallRecord,
    CallUpNotice,
    Dialed,
    DialRequest,
    Notice,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
    Provider,
    ProviderConfig,
)
from .request_rate import RequestRate, Turns, Urgency, request_turns
from .videosdk import provider

__all__ = [
    "NOTHING_DONE",
    "PROVIDERS",
    "CallEndedNotice",
    "CallRecord",
    "CallUpNotice",
    "DialRequest",
    "Dialed",
    "InvalidWebhookSignature",
    "NotFound",
    "NotReady",
    "NotSent",
    "Notice",
    "OutcomeUnknown",
    "ParticipantJoinedNotice",
    "ParticipantLeftNotice",
    "Provider",
    "ProviderConfig",
    "RateLimited",
    "Rejected",
    "RequestRate",
    "StaleWebhook",
    "Turns",
    "Unanswered",
    "Urgency",
    "choose_provider",
    "request_turns",
]

DEFAULT_PROVIDER = provider.VideoSDKProvider.name

PROVIDERS: Mapping[str, Callable[[Mapping[str, str]], ProviderConfig]] = {
    DEFAULT_PROVIDER: provider.from_env,
}


def choose_provider(env: Mapping[str, str]) -> ProviderConfig:
    """Return the provider that WARMXFER_PROVIDER names (default: videosdk). Raises `InvalidRequest`."""
    name = env.get("WARMXFER_PROVIDER") or DEFAULT_PROVIDER
    if name not in PROVIDERS:
        raise InvalidRequest(
            f"WARMXFER_PROVIDER is {name[:40]!r}; use one of {', '.join(PROVIDERS)}",
            field="WARMXFER_PROVIDER",
        )
    return PROVIDERS[name](env)
