"""What the number plan says of a phone number. Pure.

A look-up takes longer than the rest of a check. A deployment dials the same supervisors from the same
numbers, so the newest answers are kept.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Final, NamedTuple

import phonenumbers
from phonenumbers import NumberParseException

INTERNATIONAL: Final = "001"
"""Region of numbers that belong to no country: satellite and international premium services."""
MAX_KEPT: Final = 1_024


class NumberFacts(NamedTuple):
    """Of one number: how it is written, and what it is."""

    e164: str
    """The number as plain E.164: `+` and digits only."""
    assigned: bool
    """True if the number plan of its country has such a number."""
    country_code: int
    region: str
    kind: int
    """One of `phonenumbers.PhoneNumberType`."""


@lru_cache(MAX_KEPT)
def number_facts(text: str) -> NumberFacts | None:
    """Return the facts of the number in `text`, or None if that is no number with a country code."""
    try:
        number = phonenumbers.parse(text, None)
    except NumberParseException:
        return None
    return NumberFacts(
        e164=phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164),
        assigned=phonenumbers.is_valid_number(number),
        country_code=number.country_code or 0,
        region=phonenumbers.region_code_for_number(number) or INTERNATIONAL,
        kind=phonenumbers.number_type(number),
    )
