"""Phone numbers as people write them: the separators between their digits."""

from __future__ import annotations

import re
from typing import Final

_BLANKS: Final = r" \t\u00a0\u2000-\u200a\u202f\u205f\u3000"
_DASHES: Final = r"\-\u2010-\u2015\u2212"
_ANY: Final = rf"[{_BLANKS}{_DASHES}().\u00b7/]"
_SEPARATED: Final = re.compile(rf"{_ANY}*\+{_ANY}*[1-9](?:{_ANY}*[0-9]){{6,14}}{_ANY}*")
_SEPARATORS: Final = re.compile(_ANY)
_TRUNK_PREFIX: Final = re.compile(r"\( *0 *\)")
MAX_CHARS: Final = 60
"""Of a number with its separators."""


def without_separators(number: str) -> str:
    """Return an international number without blanks, dashes, dots, slashes and brackets.

    A number without its `+` and a number with a trunk prefix in brackets are returned unchanged: what is
    dialled then is not certain.
    """
    if len(number) > MAX_CHARS or not _SEPARATED.fullmatch(number) or has_trunk_prefix(number):
        return number
    return _SEPARATORS.sub("", number)


def has_trunk_prefix(number: str) -> bool:
    """Return whether `number` has a 0 that is dialled only within the country, as in `+49 (0)30 123456`."""
    return _TRUNK_PREFIX.search(number) is not None
