"""The destination that a number or a SIP URI names, in one spelling. Pure."""

from __future__ import annotations

import re

_SEPARATORS = re.compile(r"[._-]")


def user_without_separators(user: str) -> str:
    """Return the user of a SIP URI as a telephone system may dial it."""
    return _SEPARATORS.sub("", user)


def one_spelling(address: str) -> str:
    """Return one text for all spellings of a destination: its number, or user and host.

    Scheme, port, parameters and separators do not change who is called. So a limit for each destination
    counts them as one. A number is the same one through every host.
    """
    rest = address.partition(":")[2]
    if "@" not in rest:
        return address.lower()
    user, _, host = rest.partition(";")[0].rpartition("@")
    called = user_without_separators(user).lower()
    return called if called.startswith("+") else f"{called}@{host.partition(':')[0].lower()}"
