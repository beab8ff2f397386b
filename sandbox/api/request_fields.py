"""Validation of request fields. Every error names the field and the remedy."""

import re
from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web

from ..errors import HttpError
from ..limits import MAX_BODY_BYTES, MAX_ID_CHARS, MAX_LLM_BODY_BYTES, MAX_SIMULATED_S

Body = dict[str, Any]

_decode = msgspec.json.Decoder().decode
_ID = re.compile(r"[A-Za-z0-9_.@:+-]+")
_E164 = re.compile(r"\+[1-9]\d{4,14}")
_SIP_URI = re.compile(r"sips?:[^\s@]{1,128}@[^\s@]{1,128}")


async def read_json(request: web.Request, max_bytes: int = MAX_BODY_BYTES) -> Body:
    """Return the body as an object; an empty body is an empty object. Raises HttpError 400 or 413."""
    content = await read_body(request)
    if len(content) > max_bytes:
        raise HttpError(413, f"Body is larger than {max_bytes} bytes.")
    try:
        body = _decode(content or b"{}")
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise HttpError(400, "Body is not JSON.") from None
    if not isinstance(body, dict):
        raise HttpError(400, "Body must be a JSON object.")
    return body


async def read_body(request: web.Request) -> bytes:
    """Return the body. Raises HttpError 413 if it is larger than any endpoint accepts."""
    try:
        return await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise HttpError(413, f"Body is larger than {MAX_LLM_BODY_BYTES} bytes.") from None


def text(body: Mapping[str, Any], name: str, max_chars: int = MAX_ID_CHARS) -> str:
    """Return a required, non-empty string."""
    value = body.get(name)
    if not isinstance(value, str) or not value:
        raise HttpError(400, f"{name} is required.")
    if len(value) > max_chars:
        raise HttpError(400, f"{name} is longer than {max_chars} characters.")
    return value


def optional_text(body: Mapping[str, Any], name: str, max_chars: int = MAX_ID_CHARS) -> str | None:
    """Return a string; None if absent or null."""
    return None if body.get(name) is None else text(body, name, max_chars)


def chosen_id(body: Mapping[str, Any], name: str) -> str | None:
    """Return an id that the client chose; None if absent. Only the characters of `_ID` are allowed."""
    value = optional_text(body, name)
    if value is not None and not _ID.fullmatch(value):
        raise HttpError(400, f"{name} may hold letters, digits and _ . @ : + - only.")
    return value


def phone_number(body: Mapping[str, Any], name: str) -> str:
    """Return a phone number: E.164 or a SIP URI."""
    value = text(body, name, 300)
    if not _E164.fullmatch(value) and not _SIP_URI.fullmatch(value):
        raise HttpError(400, f"{name} must be an E.164 number (+14155550101) or a SIP URI (sip:a@b).")
    return value


def seconds(body: Mapping[str, Any], name: str, default: float) -> float:
    """Return a duration in simulated seconds, 0 to MAX_SIMULATED_S."""
    value = body.get(name, default)
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= MAX_SIMULATED_S:
        raise HttpError(400, f"{name} must be a number of seconds from 0 to {MAX_SIMULATED_S:g}.")
    return float(value)


def optional_object(body: Mapping[str, Any], name: str) -> Body:
    """Return an object; an empty one if absent or null."""
    value = body.get(name)
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise HttpError(400, f"{name} must be an object.")
    return value


def strings(body: Mapping[str, Any], name: str) -> list[str]:
    """Return a list of strings; an empty one if absent or null."""
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise HttpError(400, f"{name} must be a list of strings.")
    return value


def whole_number(query: Mapping[str, str], name: str, default: int, maximum: int) -> int:
    """Return a whole number of a query string, 1 to `maximum`."""
    raw = query.get(name)
    if raw is None:
        return default
    if not raw.isascii() or not raw.isdigit() or not 1 <= int(raw) <= maximum:
        raise HttpError(400, f"{name} must be a whole number from 1 to {maximum}.")
    return int(raw)
