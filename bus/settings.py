"""Connection and stream settings, read from the environment and checked once.

`repr` hides secrets. `shown_url` is the only form of the address that may be logged.
"""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

from warmxfer.schemas import env_number
from warmxfer.schemas.env import env_yes

from .errors import InvalidRequest

DAY_S = 86_400.0
MIN_MAX_AGE_S = 5 * 3_600.0
"""Shortest time for which messages are kept. No transfer lasts longer, so none of its claims expires.

The coordinator's tests compare it with the longest transfer that a request allows.
"""
MAX_REQUESTS_MB = 1_000_000
DEFAULT_ARCHIVE_DAYS, MAX_ARCHIVE_DAYS = 7, 3_650
DEFAULT_PORT = 4222
DEFAULT_URL = f"nats://127.0.0.1:{DEFAULT_PORT}"
DEFAULT_INBOX = "_INBOX"
_INBOX = re.compile(r"[A-Za-z0-9_-]{1,64}(\.[A-Za-z0-9_-]{1,64}){0,7}", re.ASCII)
_TOKEN = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)


@dataclass(frozen=True, slots=True)
class BusSettings:
    """Where the broker is, and how the stream is set up. `url` may list several servers, comma-separated.

    Raises InvalidRequest if `url` is not an address.
    """

    url: str = field(default=DEFAULT_URL, repr=False)
    creds: str | None = None
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    tls_first: bool = False
    """Begin with the TLS handshake, before the server sends anything. The server must be set to the same."""
    nkey: str | None = None
    """File with the seed of the user's nkey."""
    inbox_prefix: str | None = None
    """Where replies arrive. None: `_INBOX.<user>` for a user with a password, or else `_INBOX`."""
    allow_unauthenticated: bool = False
    """Connect also to a broker beyond this machine that lets in every client."""
    replicas: int = 1
    ack_wait_s: float = 5.0
    max_age_s: float = 7 * DAY_S
    max_deliver: int = 5
    requests_mb: int | None = None
    """Most that the stream of requests holds, in 1,000,000 bytes. None: what it has, or a default."""
    archive_days: int = DEFAULT_ARCHIVE_DAYS
    """How long the record of an archived transfer is kept, and so its id is remembered."""

    def __post_init__(self) -> None:
        for address in self.url.split(","):
            _check(address.strip())
        if self.inbox_prefix is not None and _INBOX.fullmatch(self.inbox_prefix) is None:
            raise InvalidRequest(
                f"NATS_INBOX_PREFIX is {self.inbox_prefix[:40]!r}, which is no start of a subject; write "
                "words of A-Z a-z 0-9 _ - with dots between them, such as _INBOX.gateway",
                field="NATS_INBOX_PREFIX",
            )

    @classmethod
    def from_env(cls, env: Mapping[str, str] = os.environ) -> BusSettings:
        """Return the settings in `env`. Raises InvalidRequest with variable, value and allowed range."""
        return cls(
            url=env.get("NATS_URL") or DEFAULT_URL,
            creds=env.get("NATS_CREDS") or None,
            user=env.get("NATS_USER") or None,
            password=env.get("NATS_PASSWORD") or None,
            token=env.get("NATS_TOKEN") or None,
            ca=env.get("NATS_CA") or None,
            cert=env.get("NATS_CERT") or None,
            key=env.get("NATS_KEY") or None,
            tls_first=env_yes(env, "NATS_TLS_FIRST"),
            nkey=env.get("NATS_NKEY") or None,
            inbox_prefix=env.get("NATS_INBOX_PREFIX") or None,
            allow_unauthenticated=env_yes(env, "NATS_ALLOW_UNAUTHENTICATED"),
            replicas=env_number(env, "WARMXFER_REPLICAS", int, 1, 1, 5),
            ack_wait_s=env_number(env, "WARMXFER_ACK_WAIT_S", float, 5.0, 1.0, 300.0),
            max_age_s=env_number(env, "WARMXFER_MAX_AGE_S", float, 7 * DAY_S, MIN_MAX_AGE_S, 365 * DAY_S),
            max_deliver=env_number(env, "WARMXFER_MAX_DELIVER", int, 5, 1, 100),
            requests_mb=env_number(env, "WARMXFER_REQUESTS_MB", int, 0, 1, MAX_REQUESTS_MB) or None,
            archive_days=env_number(
                env, "WARMXFER_ARCHIVE_DAYS", int, DEFAULT_ARCHIVE_DAYS, 1, MAX_ARCHIVE_DAYS
            ),
        )

    @property
    def servers(self) -> list[str]:
        """The addresses in `url`, one by one."""
        return [address.strip() for address in self.url.split(",") if address.strip()]

    @property
    def addresses(self) -> list[tuple[str, int]]:
        """Host and port of each server."""
        parts = [urlsplit(_with_scheme(each)) for each in self.servers]
        return [(each.hostname or "", each.port or DEFAULT_PORT) for each in parts]

    @property
    def needs_tls(self) -> bool:
        """Whether a setting asks for TLS. Then no server is used without it."""
        asked = (self.ca, self.cert, self.key, self.tls_first)
        return any(asked) or any(address.startswith("tls://") for address in self.servers)

    @property
    def inbox(self) -> str:
        """The first words of the subjects on which replies arrive."""
        if self.inbox_prefix is not None:
            return self.inbox_prefix
        user = self.user or unquote(urlsplit(_with_scheme(self.servers[0])).username or "")
        return f"{DEFAULT_INBOX}.{user}" if _TOKEN.fullmatch(user) else DEFAULT_INBOX

    @property
    def has_credentials(self) -> bool:
        """True if the settings name a user, a token, an nkey, a credentials file or a client certificate."""
        in_url = any(urlsplit(_with_scheme(each)).username for each in self.servers)
        return in_url or any((self.creds, self.user, self.token, self.nkey, self.cert))

    @property
    def is_on_loopback(self) -> bool:
        """True if every server is on this machine, by its address."""
        return all(_is_loopback(urlsplit(_with_scheme(each)).hostname or "") for each in self.servers)

    @property
    def shown_url(self) -> str:
        """The address without user, password or token."""
        return ",".join(without_login(address) for address in self.servers)


def without_login(address: str) -> str:
    """Return the address without what stands before its last `@`. A password may have an `@` too."""
    before, _, rest = address.rpartition("@")
    scheme, slashes, _ = before.partition("//")
    return f"{scheme}{slashes}{rest}" if slashes else rest


def _with_scheme(address: str) -> str:
    return address if "//" in address else f"nats://{address}"


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check(address: str) -> None:
    """Raise InvalidRequest for an address that nats-py cannot use.

    It may hold a password, so it is not shown.
    """
    remedy = "write nats://host:4222, several with commas"
    wrong = InvalidRequest(f"NATS_URL is not an address; {remedy}", field="NATS_URL")
    if re.fullmatch(r"((nats|tls)://)?[^\s/]+/?", address) is None:
        raise wrong
    try:
        parts = urlsplit(_with_scheme(address))
    except ValueError as error:
        raise wrong from error
    try:
        ok = parts.port != 0
    except ValueError:
        ok = False
    if not ok:
        raise InvalidRequest(f"NATS_URL has a port that is not 1 to 65535; {remedy}", field="NATS_URL")
    if parts.hostname in (None, "none"):  # nats-py reads `none` as a missing host
        raise wrong
