"""Who may see the board: who knows the token, once, and then has the cookie.

The token comes in the address that the command prints. The board answers with a cookie and an address without
the token, so that the token stays out of the history of the browser and out of screenshots.

- Invariant: an action needs a page of this board. The cookie is not sent by pages of other sites, and the
  origin is compared as well.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Mapping
from urllib.parse import urlsplit

from msgspec import Struct
from starlette.datastructures import Headers
from starlette.requests import Request

from warmxfer.schemas import InvalidRequest

MIN_TOKEN_CHARS = 16
_TOKEN = re.compile(r"[A-Za-z0-9_.~-]+", re.ASCII)
COOKIE_AGE_S = 7 * 24 * 3_600
BEARER = "Bearer "


class TokenSettings(Struct, frozen=True):
    """The token that the user has set; empty for a new one at each start."""

    token: str = ""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> TokenSettings:
        """Read the token. Raises `InvalidRequest` if it could be guessed, or is no part of an address."""
        token = env.get("WARMXFER_BOARD_TOKEN", "").strip()
        usable = len(token) >= MIN_TOKEN_CHARS and _TOKEN.fullmatch(token) is not None
        if token and not usable:
            raise InvalidRequest(
                f"WARMXFER_BOARD_TOKEN is not usable; give at least {MIN_TOKEN_CHARS} of A-Z a-z 0-9 _-.~, "
                "or leave it unset for a new one at each start",
                field="WARMXFER_BOARD_TOKEN",
            )
        return cls(token)


def new_token() -> str:
    """Return a token that cannot be guessed."""
    return secrets.token_urlsafe(32)


class Access:
    """Checks requests against one token. The name of the cookie has the port: cookies do not differ by it."""

    def __init__(self, token: str, port: int) -> None:
        self._token = token
        self.cookie = f"warmxfer_board_{port}"
        self.session = hmac.new(token.encode(), b"warmxfer board session", hashlib.sha256).hexdigest()
        """The value of the cookie. The token cannot be computed from it."""

    def is_token(self, given: str) -> bool:
        """Return whether `given` is the token, in a time that does not depend on it."""
        return hmac.compare_digest(given.encode(), self._token.encode())

    def allows(self, request: Request) -> bool:
        """Return whether the request has the cookie, or the token as a bearer token."""
        if hmac.compare_digest(request.cookies.get(self.cookie, "").encode(), self.session.encode()):
            return True
        given = request.headers.get("authorization", "")
        return given.startswith(BEARER) and self.is_token(given.removeprefix(BEARER))


def is_own_page(headers: Headers) -> bool:
    """Return whether a request that changes something comes from a page of this board, or from no page."""
    site = headers.get("sec-fetch-site")
    if site is not None:
        # The browser itself says it. The origin of a form is "null" here, because the page sends no referrer.
        return site == "same-origin"
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == headers.get("host")
    return headers.get("authorization", "").startswith(BEARER)
