"""Settings of one gateway, from the environment."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from warmxfer.adapters.telephony import ProviderConfig, choose_provider
from warmxfer.schemas import TOKEN_PATTERN, InvalidRequest, env_number, parse_http_url
from warmxfer.schemas.env import LOOPBACK

from ..common.dial_policy import DialPolicy
from .dial_limits import DialLimits

DEFAULT_JOBS, MAX_JOBS = 32, 512
DEFAULT_SETTLE_S, MAX_SETTLE_S = 4.0, 60.0
DEFAULT_RECONCILE_S, MIN_RECONCILE_S, MAX_RECONCILE_S = 60.0, 1.0, 3_600.0
MIN_PROVIDER_RATE, MAX_PROVIDER_RATE = 0.1, 100_000.0
DEFAULT_WEBHOOK_HOST = "127.0.0.1"
MAX_URL_CHARS = 512


@dataclass(frozen=True, slots=True)
class GatewaySettings:
    """Settings of one gateway.

    `webhook_port`: None turns webhooks off, 0 takes any free port. `webhook_url`: the address at which the
    provider reaches the gateway; by default the gateway's own address if the provider runs on this machine.
    `webhook_key`: a PEM or the word `fetch`; None accepts unsigned webhooks, on this machine only.
    `deployment`: the name in the metadata of every dialled leg; None turns the scan for orphan legs off.
    """

    provider: ProviderConfig
    policy: DialPolicy = field(default_factory=DialPolicy)
    limits: DialLimits = field(default_factory=DialLimits)
    jobs: int = DEFAULT_JOBS
    settle_s: float = DEFAULT_SETTLE_S
    deployment: str | None = None
    reconcile_s: float = DEFAULT_RECONCILE_S
    provider_rate: float = 0.0
    """Requests a second that all gateways together may send to the provider; 0: no limit."""
    webhook_port: int | None = None
    webhook_host: str = DEFAULT_WEBHOOK_HOST
    webhook_url: str | None = None
    webhook_key: str | None = field(default=None, repr=False)

    @property
    def facts(self) -> Mapping[str, str]:
        """What the process announces."""
        signed = "signed" if self.webhook_key else "unsigned"
        return {
            **self.policy.facts,
            "deployment": self.deployment or "",
            "provider_rate": f"{self.provider_rate:g}" if self.provider_rate else "",
            "webhooks": "off" if self.webhook_port is None else signed,
        }

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> GatewaySettings:
        """Read the settings from `env` (see docs/configuration.md). Raises `InvalidRequest`."""
        port = env.get("WARMXFER_WEBHOOK_PORT", "").strip()
        if port:
            _check_webhook_key(env)
        provider, policy = choose_provider(env), DialPolicy.from_env(env)
        if not provider.local and not policy.regions:
            raise InvalidRequest(
                "WARMXFER_DIAL_REGIONS is empty; give the regions that may be dialled, such as US,CA. "
                "Only a sandbox on this machine needs none",
                field="WARMXFER_DIAL_REGIONS",
            )
        return cls(
            provider=provider,
            policy=policy,
            limits=DialLimits.from_env(env, sandbox=provider.local),
            jobs=env_number(env, "WARMXFER_GATEWAY_JOBS", int, DEFAULT_JOBS, 1, MAX_JOBS),
            settle_s=env_number(env, "WARMXFER_SETTLE_S", float, DEFAULT_SETTLE_S, 0.1, MAX_SETTLE_S),
            deployment=_deployment(env.get("WARMXFER_DEPLOYMENT", "").strip()),
            reconcile_s=env_number(
                env, "WARMXFER_RECONCILE_S", float, DEFAULT_RECONCILE_S, MIN_RECONCILE_S, MAX_RECONCILE_S
            ),
            provider_rate=env_number(
                env, "WARMXFER_PROVIDER_RATE", float, 0.0, MIN_PROVIDER_RATE, MAX_PROVIDER_RATE
            ),
            webhook_port=env_number(env, "WARMXFER_WEBHOOK_PORT", int, 0, 0, 65_535) if port else None,
            webhook_host=env.get("WARMXFER_WEBHOOK_HOST") or DEFAULT_WEBHOOK_HOST,
            webhook_url=_url(env.get("WARMXFER_WEBHOOK_URL", "")),
            webhook_key=env.get("WARMXFER_WEBHOOK_PUBLIC_KEY") or None,
        )


def _check_webhook_key(env: Mapping[str, str]) -> None:
    """Raise `InvalidRequest` if unsigned webhooks would be accepted from beyond this machine."""
    if env.get("WARMXFER_WEBHOOK_PUBLIC_KEY"):
        return
    host = env.get("WARMXFER_WEBHOOK_HOST") or DEFAULT_WEBHOOK_HOST
    address = parse_http_url(env.get("WARMXFER_WEBHOOK_URL", ""))
    for name, given in (("HOST", host), ("URL", address.hostname if address else None)):
        if given is not None and given not in LOOPBACK:
            raise InvalidRequest(
                f"WARMXFER_WEBHOOK_PUBLIC_KEY is not set, but WARMXFER_WEBHOOK_{name} takes webhooks from "
                "beyond this machine; set it to fetch, or to the provider's public key in PEM",
                field="WARMXFER_WEBHOOK_PUBLIC_KEY",
            )


def _deployment(text: str) -> str | None:
    if text and re.fullmatch(TOKEN_PATTERN, text, re.ASCII) is None:
        raise InvalidRequest(
            f"WARMXFER_DEPLOYMENT is {text[:40]!r}; use 1 to 64 of A-Z a-z 0-9 _ -",
            field="WARMXFER_DEPLOYMENT",
        )
    return text or None


def _url(text: str) -> str | None:
    if not text:
        return None
    if parse_http_url(text) is None or len(text) > MAX_URL_CHARS:
        raise InvalidRequest(
            f"WARMXFER_WEBHOOK_URL is {text[:80]!r}; "
            "give the https:// address at which the provider reaches the gateway",
            field="WARMXFER_WEBHOOK_URL",
        )
    return text
