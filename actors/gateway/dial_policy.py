"""Which numbers and SIP addresses may be dialled. Pure.

The policy is checked right before each dial; no code after the check changes the number. The list of
regions is what prevents toll fraud: configure it. The rules of the number plan alone do not.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import phonenumbers
from phonenumbers import NumberParseException, PhoneNumberType

from warmxfer.schemas import InvalidRequest, SIPDestination

FIELD = "config.destination.sip_call_to"
RESCUE_FIELD = "config.rescue.sip_call_to"
INTERNATIONAL = "001"
"""Region of numbers that belong to no country: satellite and international premium services."""
MAX_LISTED = 250

_NEVER = frozenset({PhoneNumberType.PREMIUM_RATE, PhoneNumberType.PAGER})
_REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS) | {INTERNATIONAL}
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)
_PARAMETER = re.compile(r"(transport|user)=[a-z]+", re.ASCII | re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)


@dataclass(frozen=True, slots=True)
class DialPolicy:
    """Empty `regions`: every region except `001`. Empty `sip_hosts`: no SIP URI is allowed."""

    regions: frozenset[str] = frozenset()
    denied_prefixes: tuple[str, ...] = ()
    sip_hosts: frozenset[str] = frozenset()

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> DialPolicy:
        """Read the policy from WARMXFER_DIAL_REGIONS, WARMXFER_DIAL_DENY_PREFIXES and
        WARMXFER_DIAL_SIP_HOSTS.

        Each is a comma-separated list. Raises `InvalidRequest`.
        """
        regions = _read_list(env, "WARMXFER_DIAL_REGIONS", _REGIONS.__contains__, "ISO regions such as US,CA")
        prefixes = _read_list(
            env, "WARMXFER_DIAL_DENY_PREFIXES", _PREFIX.fullmatch, "prefixes such as +1900,+882"
        )
        hosts = _read_list(env, "WARMXFER_DIAL_SIP_HOSTS", _HOST.fullmatch, "lower-case host names")
        return cls(frozenset(regions), tuple(prefixes), frozenset(hosts))

    def check(self, destination: SIPDestination, field: str = FIELD) -> None:
        """Return if `destination` may be dialled. `field` names its number in the error.

        Raises `InvalidRequest`, whose message does not contain the number.
        """
        address = destination.sip_call_to
        try:
            if address.startswith("+"):
                self._check_number(address)
            else:
                self._check_uri(address)
        except _NotAllowed as error:
            raise InvalidRequest(f"{field} {error}", field=field) from error

    def _check_number(self, address: str) -> None:
        try:
            number = phonenumbers.parse(address, None)
        except NumberParseException as error:
            raise _rejection("is not a phone number", "give an existing number as E.164") from error
        if phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164) != address:
            raise _rejection("is not plain E.164", "write + and digits only")
        if not phonenumbers.is_valid_number(number):
            raise _rejection("is a number that is not assigned", "give an existing number as E.164")
        region = phonenumbers.region_code_for_number(number) or INTERNATIONAL
        is_allowed = region in self.regions if self.regions else region != INTERNATIONAL
        if not is_allowed:
            allowed = ", ".join(sorted(self.regions)) or "every region but 001"
            raise _rejection(
                f"is a number of region {region}", f"dial {allowed}, or extend WARMXFER_DIAL_REGIONS"
            )
        if phonenumbers.number_type(number) in _NEVER:
            raise _rejection("is a premium-rate or pager number", "give an ordinary number")
        prefix = next((each for each in self.denied_prefixes if address.startswith(each)), None)
        if prefix is not None:
            raise _rejection(
                f"begins with {prefix}", "WARMXFER_DIAL_DENY_PREFIXES forbids that; give another number"
            )

    def _check_uri(self, address: str) -> None:
        scheme, _, rest = address.partition(":")
        _, at, rest = rest.partition("@")
        host_and_port, *parameters = rest.split(";")
        host = host_and_port.partition(":")[0].lower()
        if scheme.lower() not in ("sip", "sips") or not at or not _HOST.fullmatch(host):
            raise _rejection(
                "is neither a number nor a SIP URI", "write +14155550123 or sip:dana@example.com"
            )
        if not all(_PARAMETER.fullmatch(each) for each in parameters):
            raise _rejection("has a parameter that may redirect the call", "use transport= and user= only")
        if host not in self.sip_hosts:
            raise _rejection(f"is at {host}", "add the host to WARMXFER_DIAL_SIP_HOSTS to allow it")


class _NotAllowed(Exception):
    """What is wrong with an address, and the remedy."""


def _rejection(problem: str, remedy: str) -> _NotAllowed:
    return _NotAllowed(f"{problem}; {remedy}.")


def _read_list(
    env: Mapping[str, str], name: str, is_valid: Callable[[str], object], remedy: str
) -> list[str]:
    entries = [entry.strip() for entry in env.get(name, "").split(",") if entry.strip()]
    for entry in entries:
        if not is_valid(entry):
            raise InvalidRequest(f"{name} holds {entry[:40]!r}; give {remedy}", field=name)
    if len(entries) > MAX_LISTED:
        raise InvalidRequest(f"{name} holds {len(entries)} entries; give at most {MAX_LISTED}", field=name)
    return entries
