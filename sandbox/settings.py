"""Settings of one sandbox."""

from dataclasses import dataclass, field
from urllib.parse import urlsplit

MAX_TIME_SCALE = 100.0


@dataclass(frozen=True, slots=True)
class Settings:
    """API key, secret and webhook of the sandbox's project, and the speed of simulated time.

    `time_scale` multiplies every simulated duration (ringing, speaking, thinking, faults). 1 is real time,
    0.1 is ten times as fast, 0 is as fast as the machine. Deadlines of sockets and webhooks are not scaled.
    Raises ValueError if a field is out of range.
    """

    api_key: str
    secret: str = field(repr=False)
    webhook_url: str | None = None
    time_scale: float = 1.0
    sign_webhooks: bool = True

    def __post_init__(self) -> None:
        if not self.api_key or not self.secret:
            raise ValueError("api_key and secret must not be empty: clients sign their tokens with them")
        if self.webhook_url and not _is_http(self.webhook_url):
            raise ValueError(f"webhook_url is {self.webhook_url!r}: write it as http://HOST:PORT/PATH")
        if not 0 <= self.time_scale <= MAX_TIME_SCALE:
            raise ValueError(f"time_scale is {self.time_scale}: choose 0 to {MAX_TIME_SCALE:g}")


def _is_http(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # The port is read only when it is asked for.
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False
