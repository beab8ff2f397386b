"""Phone numbers and SIP URIs as people write them: one spelling, and hints for what is no address.

RFC 3261, 19.1.4: the scheme, the names of parameters and the values of `transport` and `user` are
case-insensitive. They are changed to lower case on reading, and a number loses the separators between its
digits, so that every later reader sees one spelling.
"""

from __future__ import annotations

import re

from .fields import SIP_ADDRESS_PATTERN
from .phone_number import has_trunk_prefix, without_separators

_ADDRESS = re.compile(SIP_ADDRESS_PATTERN)
_CASELESS_PARAMETER = re.compile(r"(?:transport|user)=[a-z]+", re.IGNORECASE | re.ASCII)
_EXTENSION = re.compile(r"(?:tel:|(?:x|ext(?:ension)?\.?) ?)?([0-9*#]{2,6})", re.IGNORECASE | re.ASCII)
_DIALLED_AFTER = re.compile(
    r"(?:tel:)?\+?[0-9][0-9 ().-]{5,}"
    r"(?:;\s*(?:ext|postd|isub)=|\s*(?:,|;|#|\*|[pwx]|ext(?:ension)?\.?)\s*)[0-9*#,;pw \t-]*[0-9*#]",
    re.IGNORECASE | re.ASCII,
)
_WITHOUT_SCHEME = re.compile(r"[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.-]{1,253}(?::[0-9]{1,5})?", re.ASCII)
_WITHOUT_HOST = re.compile(r"sips?:[A-Za-z0-9._+-]{1,64}@?", re.IGNORECASE | re.ASCII)
_WITH_BRACKETS = re.compile(r"[^<>]*<[^<>]*>", re.ASCII)
_WITH_PARAMETERS = re.compile(r"sips?:[^@;?\s]+@[^@;?\s]+[;?].*", re.IGNORECASE | re.ASCII)
_DIALLING_PREFIX = re.compile(r"(00|011)[1-9][0-9 ().-]{6,}", re.ASCII)
_BLANKS = " \t\u00a0"
_LEADING_DIGIT = re.compile(r"\d(?=(?:\D*\d){2})", re.ASCII)
MAX_HINTED_CHARS = 100
"""Longer text gets no hint, so that the patterns above cost no time."""


def normalized(address: str) -> str:
    """Return `address` in the one spelling, or unchanged if it is no address in any spelling."""
    text = without_separators(address).strip(_BLANKS)
    if not text.isascii():
        return address
    head, *parameters = text.split(";")
    scheme, colon, rest = head.partition(":")
    spelled = [scheme.lower() + colon + rest]
    spelled += [each.lower() if _CASELESS_PARAMETER.fullmatch(each) else each for each in parameters]
    one_spelling = ";".join(spelled)
    return one_spelling if _ADDRESS.match(one_spelling) else address


def masked(address: str) -> str:
    """Return a number with its last two digits only, or a SIP URI without its user."""
    scheme, colon, rest = address.partition(":")
    if not colon:
        return _LEADING_DIGIT.sub("•", address)
    return f"{scheme}:•••@{rest.rpartition('@')[2]}"


def hint(address: str, options: str) -> str:
    """Return what else to write instead of `address`, or "". `options` is the path of the dial's options."""
    text = address.strip()
    if len(text) > MAX_HINTED_CHARS:
        return ""
    if _DIALLED_AFTER.fullmatch(text):
        return f"write what is dialled after the number into {options}.dtmf"
    if has_trunk_prefix(text):
        return "leave out the (0), which is dialled only within the country"
    if extension := _EXTENSION.fullmatch(text):
        return f"for an extension write sip:{extension[1]}@host"
    if _WITHOUT_HOST.fullmatch(text):
        return "write its host too, as in sip:500@host"
    if _WITHOUT_SCHEME.fullmatch(text):
        return "begin a SIP URI with sip:"
    if _WITH_BRACKETS.fullmatch(text):
        return "leave out the name and the brackets < and >"
    if _WITH_PARAMETERS.fullmatch(text):
        return "of the parameters of a SIP URI, only transport and user can be used"
    if prefix := _DIALLING_PREFIX.fullmatch(text):
        return f"write + instead of the {prefix[1]}"
    return ""
