"""Phone numbers as people write them: the separators between their digits."""

from __future__ import annotations

import re
from typing import Final

_SEPARATED: Final = re.compile(r"\+[1-9][0-9 \u00a0\u2009\u202f().\-\u2010\u2011\u2012\u2013/]{5,40}[0-9]")
_SEPARATORS: Final = re.compile(r"[ \u00a0\u2009\u202f().\-\u2010\u2011\u2012\u2013/]")
_TRUNK_PREFIX: Final = re.compile(r"\( *0 *\)")
"""The digit that is dialled only within the country, as in `+49 (0)30 123456`."""


def without_separators(number: str) -> str:
    """Return an international number without blanks, dashes, dots, slashes and brackets.

    A number without its `+` and a number with a trunk prefix in brackets are returned unchanged: what is
    dialled then is not certain.
    """
    text = number.strip()
    if not _SEPARATED.fullmatch(text) or _TRUNK_PREFIX.search(text):
        return number
    return _SEPARATORS.sub("", text)
