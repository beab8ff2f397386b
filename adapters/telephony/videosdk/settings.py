"""Settings of the VideoSDK provider, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from warmxfer.schemas import (
    InvalidRequest,
    env_credential,
    env_number,
    is_private,
    parse_http_url,
    shown_address,
)
from warmxfer.schemas.env import LOOPBACK

DEFAULT_BASE_URL = "https://api.videosdk.live"
DEFAULT_TIMEOUT_S = 8.0
MIN_TIMEOUT_S, MAX_TIMEOUT_S = 0.1, 30.0


@dataclass(frozen=True, slots=True)
class VideoSDKSettings:
    """`api_key` and `secret`, or `auth_token` alone."""

    api_key: str = ""
    secret: str = field(default="", repr=False)
    auth_token: str = field(default="", repr=False)
    base_url: str = DEFAULT_BASE_URL
    timeout_s: float = DEFAULT_TIMEOUT_S

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> VideoSDKSettings:
        """Read VIDEOSDK_API_KEY and VIDEOSDK_SECRET (or VIDEOSDK_AUTH_TOKEN), VIDEOSDK_BASE_URL,
        WARMXFER_PROVIDER_TIMEOUT_S. Raises `InvalidRequest`.

        VIDEOSDK_SECRET_KEY, the framework's name for the secret, is read too."""
        api_key, secret = env_credential(env, "VIDEOSDK_API_KEY"), _secret(env)
        auth_token = env_credential(env, "VIDEOSDK_AUTH_TOKEN")
        if bool(api_key) != bool(secret):
            missing = "VIDEOSDK_SECRET" if api_key else "VIDEOSDK_API_KEY"
            raise InvalidRequest(
                f"{missing} is empty; VIDEOSDK_API_KEY and VIDEOSDK_SECRET must both be set", field=missing
            )
        if not api_key and not auth_token:
            raise InvalidRequest(
                "VIDEOSDK_API_KEY is empty; set it and VIDEOSDK_SECRET, or VIDEOSDK_AUTH_TOKEN alone",
                field="VIDEOSDK_API_KEY",
            )
        return cls(
            api_key=api_key,
            secret=secret,
            # Key and secret make tokens with few permissions; the broad token is then not needed.
            auth_token="" if api_key else auth_token,
            base_url=_base_url(env.get("VIDEOSDK_BASE_URL") or DEFAULT_BASE_URL),
            timeout_s=env_number(
                env, "WARMXFER_PROVIDER_TIMEOUT_S", float, DEFAULT_TIMEOUT_S, MIN_TIMEOUT_S, MAX_TIMEOUT_S
            ),
        )

    @property
    def local(self) -> bool:
        """Whether the cloud runs on this machine (a sandbox), and can reach our loopback address."""
        return urlsplit(self.base_url).hostname in LOOPBACK


def _secret(env: Mapping[str, str]) -> str:
    secret = env_credential(env, "VIDEOSDK_SECRET")
    secret_key = env_credential(env, "VIDEOSDK_SECRET_KEY")
    if secret and secret_key and secret != secret_key:
        raise InvalidRequest(
            "VIDEOSDK_SECRET and VIDEOSDK_SECRET_KEY are different secrets; set one of them",
            field="VIDEOSDK_SECRET_KEY",
        )
    return secret or secret_key


def _base_url(value: str) -> str:
    parts = parse_http_url(value)
    if parts is None or parts.query or parts.username or not is_private(parts):
        raise InvalidRequest(
            f"VIDEOSDK_BASE_URL is {shown_address(value)}; use https://host, or http:// on this machine",
            field="VIDEOSDK_BASE_URL",
        )
    return value.rstrip("/")
