"""Sentences of the dial policy, and its rules for text that reaches SIP headers. Pure.

Each sentence has field, value and remedy. The value is cut and masked.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Mapping

from warmxfer.schemas import InvalidRequest

MAX_HEADER_BYTES = 2_048
"""All headers of a call together: one SIP message also carries the session description and the routing."""
MAX_NAMED = 10
MAX_SHOWN_CHARS = 40

_QUOTING = re.compile(r'["<>\\]')
"""Characters with which a value could end its place in a SIP header and begin another address."""
_QUOTED = 'which has one of " < > \\'
_INVISIBLE = ("Cc", "Cf", "Cs", "Co", "Zl", "Zp")
_JOINERS = "\u200c\u200d"
"""Format characters that some scripts need inside a word."""
_DIGIT = re.compile(r"\d(?=(?:\D*\d){2})")


def refusal(field: str, shown: str, problem: str, remedy: str) -> InvalidRequest:
    """Return the error: `field` is `shown`, `problem`; `remedy`."""
    return InvalidRequest(f"{field} is {shown}, {problem}; {remedy}.", field=field)


def masked(text: str) -> str:
    """Return a number with its last two digits only, or a URI without its user. Cut, in quotes."""
    if "@" not in text and ":" not in text:
        return _shown(text)
    scheme, _, rest = text.partition(":")
    host = rest.rpartition("@")[2] if "@" in rest else ""
    return _shown((f"{scheme}:•••" if scheme.isalpha() else "•••") + (f"@{host}" if host else ""))


def listed(words: Collection[str]) -> str:
    """Return the first words, in order, as one text."""
    return ", ".join(sorted(words)[:MAX_NAMED]) + (" and others" if len(words) > MAX_NAMED else "")


def check_name(name: str, field: str) -> None:
    """Raise `InvalidRequest` if a display name could change the address beside it, or hides a character."""
    if _QUOTING.search(name):
        raise refusal(field, _shown(name), _QUOTED, "write the name without quotes and brackets")
    if any(unicodedata.category(each) in _INVISIBLE and each not in _JOINERS for each in name):
        raise refusal(field, _shown(name), "which has an invisible character", "remove it")


def check_headers(headers: Mapping[str, str], field: str) -> None:
    """Raise `InvalidRequest` if the SIP headers are too long, or hold quotes or brackets."""
    size = sum(len(name) + len(value) for name, value in headers.items())
    if size > MAX_HEADER_BYTES:
        shown = f"{len(headers)} headers of {size} bytes"
        raise refusal(field, shown, "which is too much", f"send at most {MAX_HEADER_BYTES} bytes")
    for name, value in headers.items():
        if _QUOTING.search(value):
            raise refusal(
                f"{field}.{name}", _shown(value), _QUOTED, "write the value without quotes and brackets"
            )


def _shown(text: str) -> str:
    """Return `text` without all but its last two digits, cut, with invisible characters escaped."""
    return repr(_DIGIT.sub("•", text if len(text) <= MAX_SHOWN_CHARS else f"{text[: MAX_SHOWN_CHARS - 1]}…"))
