"""VideoSDK's JWTs: one for the REST API that joins no room, and one for each participant and room.

The cloud refuses a token that is too old or from the future. So tokens carry the cloud's time, from the
`Date` header of its responses. Until the first response they carry this machine's time.

With `VIDEOSDK_AUTH_TOKEN` instead of key and secret no token can be minted. That one token is then used for
everything, also for participants, with all its permissions.
"""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import jwt

REST_TOKEN_LIFE_S = 600
REST_TOKEN_RENEW_S = 120
"""How long before its expiry a token is replaced, so that it does not expire during a request."""
ROOM_TOKEN_LIFE_S = 300
CLOCK_TOLERANCE_S = 30.0
"""Tolerated clock difference: the cloud's time has a resolution of one second, and arrives late."""


class Tokens:
    """Mints tokens, and reuses the REST token until shortly before it expires."""

    def __init__(self, api_key: str, secret: str, auth_token: str = "") -> None:
        self._api_key = api_key
        self._secret = secret
        self._auth_token = auth_token
        # The machine's clock is read only once, so that later jumps have no effect.
        self._ahead_s = time.time() - time.monotonic()
        self._rest = ""
        self._renew_at = 0.0

    @property
    def variables(self) -> str:
        """The variables that the tokens come from."""
        return "VIDEOSDK_AUTH_TOKEN" if self._auth_token else "VIDEOSDK_API_KEY and VIDEOSDK_SECRET"

    def for_rest(self) -> str:
        """Return a token with role `crawler`."""
        if self._auth_token:
            return self._auth_token
        now = self.now()
        if now >= self._renew_at:
            self._rest = self._sign(
                {"permissions": ["allow_join", "allow_mod"], "roles": ["crawler"]}, REST_TOKEN_LIFE_S
            )
            self._renew_at = now + REST_TOKEN_LIFE_S - REST_TOKEN_RENEW_S
        return self._rest

    def observe(self, date: str) -> bool:
        """Take over the cloud's `Date`; return whether the clock was so wrong that a token may be refused."""
        try:
            ahead_s = parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp() - time.monotonic()
        except ValueError:
            return False
        if abs(ahead_s - self._ahead_s) <= CLOCK_TOLERANCE_S:
            return False
        self._ahead_s, self._renew_at = ahead_s, 0.0
        return True

    def for_room(self, room_id: str, participant_id: str) -> str:
        """Return a token with role `rtc` for this room and participant, valid for `ROOM_TOKEN_LIFE_S`."""
        if self._auth_token:
            return self._auth_token
        claims = {
            "permissions": ["allow_join"],
            "roles": ["rtc"],
            "roomId": room_id,
            "participantId": participant_id,
        }
        return self._sign(claims, ROOM_TOKEN_LIFE_S)

    def now(self) -> float:
        """Return the cloud's time in epoch seconds."""
        return time.monotonic() + self._ahead_s

    def _sign(self, claims: dict[str, Any], life_s: int) -> str:
        now = int(self.now())
        all_claims = {"apikey": self._api_key, "version": 2, **claims, "iat": now, "exp": now + life_s}
        return jwt.encode(all_claims, self._secret, algorithm="HS256")
