"""VideoSDK's JWTs: one that may use the REST API and enter no room, many that each enter one room.

A token says when it was made, and the cloud refuses one that is too old or not yet made: so the time in it is
the cloud's, as it writes it above every answer, and this machine's clock only until the first one came.

With `VIDEOSDK_AUTH_TOKEN` instead of a key and a secret nothing can be minted: that one token is used for
everything, participants included, with all the power it has.
"""

from __future__ import annotations

import time
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import jwt

REST_TOKEN_LIFE_S = 600
REST_TOKEN_RENEW_S = 120
"""A token is replaced this long before it expires: a request under way must not outlive it."""
ROOM_TOKEN_LIFE_S = 300
SLACK_S = 30.0
"""What the cloud says of its time is a second coarse, and older by as long as the answer was on its way."""


class Tokens:
    """Mints, and keeps the REST token until it is nearly too old."""

    def __init__(self, api_key: str, secret: str, auth_token: str = "") -> None:
        self._api_key = api_key
        self._secret = secret
        self._auth_token = auth_token
        # This machine's clock is read once, and may jump from then on.
        self._ahead_s = time.time() - time.monotonic()
        self._rest = ""
        self._renew_at = 0.0

    def for_rest(self) -> str:
        """A token with role `crawler`."""
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
        """The cloud's `Date`, just read; True if we were so wrong that a token may be refused for it."""
        try:
            ahead_s = parsedate_to_datetime(date).replace(tzinfo=UTC).timestamp() - time.monotonic()
        except ValueError:
            return False
        if abs(ahead_s - self._ahead_s) <= SLACK_S:
            return False
        self._ahead_s, self._renew_at = ahead_s, 0.0
        return True

    def for_room(self, room_id: str, participant_id: str) -> str:
        """A token with role `rtc`, for this room and this participant, valid for `ROOM_TOKEN_LIFE_S`."""
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
        """The cloud's time, in epoch seconds."""
        return time.monotonic() + self._ahead_s

    def _sign(self, claims: dict[str, Any], life_s: int) -> str:
        now = int(self.now())
        whole = {"apikey": self._api_key, "version": 2, **claims, "iat": now, "exp": now + life_s}
        return jwt.encode(whole, self._secret, algorithm="HS256")
