"""Checks of access tokens: JWTs signed HS256 with the project's secret.

Clients send the raw JWT (no "Bearer ") in the header Authorization.
"""

from time import time
from typing import Any, Final

import jwt

from .errors import HttpError
from .settings import Settings

Claims = dict[str, Any]

MAX_VERIFIED: Final = 1_000
"""Maximum number of tokens whose signature is remembered. Clients send a REST token with many requests."""


class TokenVerifier:
    """Checks the tokens of one project.

    Invariant: a remembered token is checked for its expiry each time (`tests/sandbox/test_tokens.py`).
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._verified: dict[str, Claims] = {}

    def check_api(self, token: str | None) -> Claims:
        """Return the claims of a token for the REST API. Raises HttpError 401 or 403."""
        claims = self._verify(token)
        if claims.get("version") != 2:
            raise HttpError(401, "Token has no claim version: 2, which the v2 API requires.")
        if "crawler" not in _roles(claims):
            raise HttpError(403, 'Token has roles ["rtc"]: it may join rooms, not use the API.')
        return claims

    def check_join(self, token: str | None, room_id: str, participant_id: str | None) -> Claims:
        """Return the claims of a token that permits this join. Raises HttpError 401 or 403."""
        claims = self._verify(token)
        if "rtc" not in _roles(claims):
            raise HttpError(403, 'Token has roles ["crawler"]: it may use the API, not join rooms.')
        if "allow_join" not in claims.get("permissions", ()):
            raise HttpError(403, "Token has no permission allow_join.")
        if claims.get("roomId") not in (None, room_id):
            raise HttpError(403, "Token is for another room.")
        if participant_id is not None and claims.get("participantId") not in (None, participant_id):
            raise HttpError(403, "Token is for another participant.")
        return claims

    def _verify(self, token: str | None) -> Claims:
        if not token:
            raise HttpError(401, "Token is missing: send the raw JWT in the Authorization header.")
        claims = self._verified.get(token)
        if claims is None:
            claims = self._verify_signature(token)
            if len(self._verified) >= MAX_VERIFIED:
                del self._verified[next(iter(self._verified))]
            self._verified[token] = claims
        elif int(claims["exp"]) <= time():
            raise HttpError(401, "Token is expired.")
        if claims["apikey"] != self._settings.api_key:
            raise HttpError(401, "Token is for another apikey.")
        return claims

    def _verify_signature(self, token: str) -> Claims:
        try:
            return jwt.decode(
                token,
                self._settings.secret,
                algorithms=["HS256"],
                options={"require": ["exp", "apikey"]},
            )
        except jwt.ExpiredSignatureError:
            raise HttpError(401, "Token is expired.") from None
        except jwt.InvalidTokenError:
            raise HttpError(
                401, "Token is invalid: it must be a raw HS256 JWT with apikey and exp."
            ) from None


def _roles(claims: Claims) -> set[str]:
    """Return the roles of the token. Absent or empty roles mean both roles, as in the real cloud."""
    roles = claims.get("roles")
    return set(roles) if isinstance(roles, list) and roles else {"crawler", "rtc"}
