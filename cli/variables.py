"""Table of the environment variables: which roles read each one, its default, and whether it is a secret.

`tests/docs/test_configuration.py` compares it with docs/configuration.md, and that page with the code.
"""

from __future__ import annotations

from typing import Final, NamedTuple

from warmxfer.actors.runtime.roles import Role

EVERY: Final = tuple(Role)
COORDINATOR: Final = (Role.COORDINATOR,)
GATEWAY: Final = (Role.GATEWAY,)
SUMMARIZER: Final = (Role.SUMMARIZER,)
BRIEFING: Final = (Role.BRIEFING,)
PRIMARY: Final = (Role.PRIMARY,)
DIALLING: Final = (Role.COORDINATOR, Role.GATEWAY)
MODEL: Final = (Role.SUMMARIZER, Role.BRIEFING)
ROOMS: Final = (Role.PRIMARY, Role.BRIEFING)
NO_ROLE: Final[tuple[Role, ...]] = ()
"""Of a variable that only `warmxfer up`, `board` or `doctor` reads. They are no actors."""


class Variable(NamedTuple):
    """One variable. `default` is "" if an unset variable has no value."""

    name: str
    roles: tuple[Role, ...]
    default: str = ""
    secret: bool = False


VARIABLES: Final = (
    Variable("NATS_URL", EVERY, "nats://127.0.0.1:4222"),
    Variable("NATS_CREDS", EVERY),
    Variable("NATS_USER", EVERY),
    Variable("NATS_PASSWORD", EVERY, secret=True),
    Variable("NATS_TOKEN", EVERY, secret=True),
    Variable("NATS_CA", EVERY),
    Variable("NATS_CERT", EVERY),
    Variable("NATS_KEY", EVERY),
    Variable("NATS_TLS_FIRST", EVERY, "no"),
    Variable("NATS_NKEY", EVERY),
    Variable("NATS_INBOX_PREFIX", EVERY),
    Variable("NATS_ALLOW_UNAUTHENTICATED", EVERY, "no"),
    Variable("WARMXFER_REPLICAS", EVERY, "1"),
    Variable("WARMXFER_MAX_AGE_S", EVERY, "604800"),
    Variable("WARMXFER_STORE_KEY", NO_ROLE, secret=True),
    Variable("WARMXFER_STORE_DIR", NO_ROLE),
    Variable("WARMXFER_STORE_ENCRYPTED", NO_ROLE),
    Variable("WARMXFER_ARCHIVE_DAYS", EVERY, "7"),
    Variable("WARMXFER_REQUESTS_MB", EVERY),
    Variable("WARMXFER_ACK_WAIT_S", EVERY, "5"),
    Variable("WARMXFER_MAX_DELIVER", EVERY, "5"),
    Variable("WARMXFER_LOG", EVERY),
    Variable("WARMXFER_LOG_LEVEL", EVERY, "info"),
    Variable("WARMXFER_HEALTH_PORT", EVERY),
    Variable("WARMXFER_TRACES", EVERY, "off"),
    Variable("WARMXFER_HEALTH_HOST", EVERY, "0.0.0.0"),
    Variable("WARMXFER_BOARD_TOKEN", NO_ROLE, secret=True),
    Variable("WARMXFER_READY_FD", EVERY),
    Variable("WARMXFER_COORDINATOR_JOBS", COORDINATOR, "64"),
    Variable("WARMXFER_ARCHIVE_AFTER_S", COORDINATOR, "60"),
    Variable("WARMXFER_ARCHIVE_KEEPS", COORDINATOR, "all"),
    Variable("WARMXFER_ARCHIVE_OVERWRITE", COORDINATOR, "no"),
    Variable("WARMXFER_MAX_TRANSFERS", COORDINATOR, "10000"),
    Variable("WARMXFER_ADMISSION_WAIT_S", COORDINATOR, "15"),
    Variable("WARMXFER_MAX_STORE_MB", COORDINATOR),
    Variable("WARMXFER_ROOM_ID", PRIMARY),
    Variable("WARMXFER_HOLD_LEASE_S", PRIMARY, "20"),
    Variable("WARMXFER_VOICE", ROOMS, "sandbox"),
    Variable("WARMXFER_LLM_BASE_URL", MODEL),
    Variable("WARMXFER_LLM_MODEL", MODEL),
    Variable("WARMXFER_LLM_API_KEY", MODEL, secret=True),
    Variable("WARMXFER_SUMMARIZER_JOBS", SUMMARIZER, "32"),
    Variable("WARMXFER_BRIEFING_JOBS", BRIEFING, "50"),
    Variable("WARMXFER_BRIEFING_PIPELINE", BRIEFING),
    Variable("WARMXFER_PROVIDER", GATEWAY, "videosdk"),
    Variable("VIDEOSDK_API_KEY", GATEWAY, secret=True),
    Variable("VIDEOSDK_SECRET_KEY", GATEWAY, secret=True),
    Variable("VIDEOSDK_SECRET", GATEWAY, secret=True),
    Variable("VIDEOSDK_AUTH_TOKEN", GATEWAY, secret=True),
    Variable("VIDEOSDK_BASE_URL", GATEWAY, "https://api.videosdk.live"),
    Variable("WARMXFER_PROVIDER_TIMEOUT_S", GATEWAY, "8"),
    Variable("WARMXFER_SETTLE_S", GATEWAY, "4"),
    Variable("WARMXFER_DEPLOYMENT", GATEWAY),
    Variable("WARMXFER_RECONCILE_S", GATEWAY, "60"),
    Variable("WARMXFER_PROVIDER_RATE", GATEWAY),
    Variable("WARMXFER_GATEWAY_JOBS", GATEWAY, "32"),
    Variable("WARMXFER_DIAL_REGIONS", DIALLING),
    Variable("WARMXFER_DIAL_TYPES", DIALLING, "fixed,mobile,toll_free"),
    Variable("WARMXFER_DIAL_DENY_PREFIXES", DIALLING),
    Variable("WARMXFER_DIAL_SIP_HOSTS", DIALLING),
    Variable("WARMXFER_DIAL_CALLER_IDS", DIALLING),
    Variable("WARMXFER_DIAL_ROUTING_RULES", DIALLING),
    Variable("WARMXFER_DIAL_DIGITS", DIALLING, "extension"),
    Variable("WARMXFER_DIAL_MAX_CALL_S", DIALLING, "14400"),
    Variable("WARMXFER_DIAL_DIRECTORY", DIALLING),
    Variable("WARMXFER_DIAL_BY", DIALLING, "any"),
    Variable("WARMXFER_DIAL_PER_HOUR", GATEWAY, "1000"),
    Variable("WARMXFER_DIAL_PER_DESTINATION", GATEWAY, "100"),
    Variable("WARMXFER_DIAL_PER_ROOM", GATEWAY, "10"),
    Variable("WARMXFER_DIAL_PENDING", GATEWAY, "200"),
    Variable("WARMXFER_WEBHOOK_PORT", GATEWAY),
    Variable("WARMXFER_WEBHOOK_HOST", GATEWAY, "127.0.0.1"),
    Variable("WARMXFER_WEBHOOK_URL", GATEWAY),
    Variable("WARMXFER_WEBHOOK_PUBLIC_KEY", GATEWAY),
)
"""Every variable, in the order of docs/configuration.md."""
