"""Checks of access tokens: JWTs signed HS256 with the project's secret.

Clients send the raw JWT (no "Bearer ") in the header Authorization.
"""

from typing import Any

import jwt

from .errors import HttpError
from .settings import Settings

Claims = dict[str, Any]


def check_api_token(token: str | None, settings: Settings) -> Claims:
    """Return the claims of a token for the REST API. Raises HttpError 401, or 403 for a join-only token."""
    claims = _verified(token, settings)
    if claims.get("version") != 2:
        raise HttpError(401, "Token has no claim version: 2, which the v2 API requires.")
    if "crawler" not in _roles(claims):
        raise HttpError(403, 'Token has roles ["rtc"]: it may join rooms, not use the API.')
    return claims


def check_join_token(
    token: str | None, settings: Settings, room_id: str, participant_id: str | None
) -> Claims:
    """Return the claims of a token that permits this join. Raises HttpError 401 or 403."""
    claims = _verified(token, settings)
    if "rtc" not in _roles(claims):
        raise HttpError(403, 'Token has roles ["crawler"]: it may use the API, not join rooms.')
    if "allow_join" not in claims.get("permissions", ()):
        raise HttpError(403, "Token has no permission allow_join.")
    if claims.get("roomId") not in (None, room_id):
        raise HttpError(403, "Token is for another room.")
    if participant_id is not None and claims.get("participantId") not in (None, participant_id):
        raise HttpError(403, "Token is for another participant.")
    return claims


def _verified(token: str | None, settings: Settings) -> Claims:
    if not token:
        raise HttpError(401, "Token is missing: send the raw JWT in the Authorization header.")
    try:
        claims = jwt.decode(
            token, settings.secret, algorithms=["HS256"], options={"require": ["exp", "apikey"]}
        )
    except jwt.ExpiredSignatureError:
        raise HttpError(401, "Token is expired.") from None
    except jwt.InvalidTokenError:
        raise HttpError(401, "Token is invalid: it must be a raw HS256 JWT with apikey and exp.") from None
    if claims["apikey"] != settings.api_key:
        raise HttpError(401, "Token is for another apikey.")
    return claims


def _roles(claims: Claims) -> set[str]:
    """Return the roles of the token. Absent or empty roles mean both roles, as in the real cloud."""
    roles = claims.get("roles")
    return set(roles) if isinstance(roles, list) and roles else {"crawler", "rtc"}
