"""Checked reading of numbers, credentials and addresses from environment variables."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import TypeVar
from urllib.parse import SplitResult, urlsplit

from .errors import InvalidRequest
from .fields import TOKEN_TEXT_MAX_CHARS, URL_MAX_CHARS
from .odd_characters import odd_character

MAX_SHOWN_CHARS = 40
MAX_ADDRESS_CHARS = 80

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_LOCAL_NAME = re.compile(r"[a-z][a-z0-9-]{0,62}", re.ASCII)
"""A host name without a dot. It starts with a letter: `2130706433` and `0x7f000001` are addresses."""

N = TypeVar("N", int, float)


def env_number(env: Mapping[str, str], name: str, kind: Callable[[str], N], default: N, low: N, high: N) -> N:
    """Return the number in variable `name`, or `default` if it is empty. Raises InvalidRequest otherwise."""
    text = env.get(name, "").strip()
    if not text:
        return default
    try:
        value = kind(text)
    except ValueError:
        value = None
    if value is None or not low <= value <= high:
        shown = repr(text[:MAX_SHOWN_CHARS])
        what = "a whole number" if kind is int else "a number"
        raise InvalidRequest(f"{name} is {shown}; give {what} from {low:.10g} to {high:.10g}", field=name)
    return value


def env_yes(env: Mapping[str, str], name: str) -> bool:
    """Return whether variable `name` is `yes`; no if it is empty. Raises InvalidRequest for another value."""
    value = env.get(name, "").strip() or "no"
    if value not in ("yes", "no"):
        raise InvalidRequest(f"{name} is {value[:MAX_SHOWN_CHARS]!r}; write yes or no", field=name)
    return value == "yes"


def env_credential(env: Mapping[str, str], name: str) -> str:
    """Return the key, secret or token in variable `name`, without blanks around it; "" if it is not set.

    Raises InvalidRequest if it is too long, or holds a character that no header can carry. The sentence never
    quotes it.
    """
    value = env.get(name, "").strip()
    if len(value) > TOKEN_TEXT_MAX_CHARS:
        raise InvalidRequest(
            f"{name} has {len(value)} characters; copy it again, at most {TOKEN_TEXT_MAX_CHARS}", field=name
        )
    if odd := odd_character(value, ascii_only=True):
        raise InvalidRequest(f"{name} has {odd}; copy it again, in printable ASCII", field=name)
    return value


def parse_http_url(text: str) -> SplitResult | None:
    """Return the parts of a valid http:// or https:// address with a host; None for any other text."""
    if len(text) > URL_MAX_CHARS:
        return None
    try:
        parts = urlsplit(text)
        valid = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return None
    return parts if valid and not any(each.isspace() for each in text) else None


def shown_address(text: str) -> str:
    """Return an address for a sentence. What stands before an `@` may be a password, so it is left out."""
    before, at, rest = text.rpartition("@")
    shown = f"{before.partition('//')[0]}//…@{rest}" if at and "//" in before else f"…@{rest}" if at else text
    return repr(shown[:MAX_ADDRESS_CHARS])


def is_private(address: SplitResult) -> bool:
    """Return whether what is sent to `address` cannot be read on the way: by TLS, or in the own network.

    A host name without a dot is in the own network, for example a service of a compose file.
    """
    host = address.hostname or ""
    return address.scheme == "https" or host in LOOPBACK or _LOCAL_NAME.fullmatch(host) is not None
