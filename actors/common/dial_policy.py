"""Which calls may be dialled: the number, the caller id, the routing rule and the options of a call. Pure.

The coordinator checks a request before the caller is put on hold. The gateway checks again right before each
dial; no code after that check changes the call. Both read the same settings. If they differ, the gateway
decides.

- Invariant: no rule of the number plan alone prevents toll fraud. The list of regions does: configure it.
- Invariant: no sentence of an error contains a whole number. Only its last two digits are shown.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, cast

import phonenumbers
from msgspec import UNSET, UnsetType
from phonenumbers import NumberParseException, PhoneNumberType

from warmxfer.schemas import (
    InvalidRequest,
    RescueByDial,
    SIPDestination,
    SIPOptions,
    WarmTransferConfig,
    env_number,
)

from .dial_directory import VARIABLE as DIRECTORY
from .dial_directory import Directory, merged, read_directory
from .dial_refusals import MAX_SHOWN_CHARS, check_headers, check_name, listed, masked, refusal
from .dialled_address import user_without_separators
from .number_facts import INTERNATIONAL, NumberFacts, number_facts

DESTINATION, RESCUE = "config.destination", "config.rescue"
SATELLITES = frozenset({870, 881, 882, 883})
"""Country codes of satellite phones and of networks without a country."""

NUMBER_TYPES: Mapping[str, frozenset[int]] = {
    "fixed": frozenset({PhoneNumberType.FIXED_LINE, PhoneNumberType.FIXED_LINE_OR_MOBILE}),
    "mobile": frozenset({PhoneNumberType.MOBILE, PhoneNumberType.FIXED_LINE_OR_MOBILE}),
    "toll_free": frozenset({PhoneNumberType.TOLL_FREE}),
    "voip": frozenset({PhoneNumberType.VOIP}),
    "shared_cost": frozenset({PhoneNumberType.SHARED_COST}),
    "personal": frozenset({PhoneNumberType.PERSONAL_NUMBER}),
    "uan": frozenset({PhoneNumberType.UAN}),
}
"""Types that a deployment may allow. Premium-rate numbers, pagers and unknown types are never allowed."""
DEFAULT_TYPES = ("fixed", "mobile", "toll_free")
DIGITS = ("extension", "any")
BY = ("any", "name")

MAX_CALL_S, MIN_MAX_CALL_S, MAX_MAX_CALL_S = 14_400, 10, 86_400
MAX_EXTENSION_CHARS = 16
MIN_NATIONAL_DIGITS = 8
"""Shorter digits are an extension or a PIN, even if a country has numbers as short."""
MAX_LISTED = 250

_NAMES_OF_TYPES = {
    PhoneNumberType.PREMIUM_RATE: "premium-rate",
    PhoneNumberType.SHARED_COST: "shared-cost",
    PhoneNumberType.PERSONAL_NUMBER: "personal",
    PhoneNumberType.UAN: "UAN",
    PhoneNumberType.VOIP: "VoIP",
    PhoneNumberType.PAGER: "pager",
    PhoneNumberType.VOICEMAIL: "voicemail",
    PhoneNumberType.TOLL_FREE: "toll-free",
    PhoneNumberType.MOBILE: "mobile",
    PhoneNumberType.FIXED_LINE: "fixed-line",
    PhoneNumberType.FIXED_LINE_OR_MOBILE: "fixed-line or mobile",
}
_REGIONS = frozenset(phonenumbers.SUPPORTED_REGIONS) | {INTERNATIONAL}
_PREFIX = re.compile(r"\+[1-9][0-9]{0,14}", re.ASCII)
_PARAMETER = re.compile(r"(transport|user)=[a-z]+", re.ASCII)
_HOST = re.compile(r"[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?", re.ASCII)
_ADDRESS = re.compile(r"\+[1-9][0-9]{6,14}|sips?:[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9.:-]{1,255}", re.ASCII)
_RULE = re.compile(r"[\x21-\x2b\x2d-\x7e]{1,128}", re.ASCII)
_EXTENSION = re.compile(r"[0-9*#wW,]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class DialPolicy:
    """What may be dialled. The defaults are those of a sandbox: without `regions`, every region but `001`.

    Empty `sip_hosts`: no SIP URI. Empty `caller_ids`: each number that may itself be dialled. Empty
    `routing_rules`: every rule.
    """

    regions: frozenset[str] = frozenset()
    types: frozenset[str] = frozenset(DEFAULT_TYPES)
    denied_prefixes: tuple[str, ...] = ()
    sip_hosts: frozenset[str] = frozenset()
    caller_ids: frozenset[str] = frozenset()
    routing_rules: frozenset[str] = frozenset()
    digits: str = DIGITS[0]
    """`extension`: digits that a call sends must be an extension. `any`: what the schema allows."""
    max_call_s: int = MAX_CALL_S
    directory: Directory = field(default_factory=dict[str, SIPDestination], repr=False)
    by: str = BY[0]
    """`any`: a request gives numbers, or a name. `name`: only names of the directory."""

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> DialPolicy:
        """Read the policy from the variables WARMXFER_DIAL_… (docs/configuration.md). Raises
        `InvalidRequest`.
        """
        policy = cls._rules_from_env(env)
        for name, destination in policy.directory.items():
            try:
                replace(policy, by=BY[0]).check(destination, name)
            except InvalidRequest as error:
                raise InvalidRequest(f"{DIRECTORY}: {error}", field=DIRECTORY) from error
        return policy

    @classmethod
    def _rules_from_env(cls, env: Mapping[str, str]) -> DialPolicy:
        types = _read_list(env, "WARMXFER_DIAL_TYPES", NUMBER_TYPES.__contains__, ", ".join(NUMBER_TYPES))
        return cls(
            regions=frozenset(
                _read_list(env, "WARMXFER_DIAL_REGIONS", _REGIONS.__contains__, "ISO regions such as US,CA")
            ),
            types=frozenset(types or DEFAULT_TYPES),
            denied_prefixes=tuple(
                _read_list(
                    env, "WARMXFER_DIAL_DENY_PREFIXES", _PREFIX.fullmatch, "prefixes such as +1900,+882"
                )
            ),
            sip_hosts=frozenset(
                _read_list(env, "WARMXFER_DIAL_SIP_HOSTS", _HOST.fullmatch, "lower-case host names")
            ),
            caller_ids=frozenset(
                _read_list(
                    env, "WARMXFER_DIAL_CALLER_IDS", _ADDRESS.fullmatch, "numbers such as +14155550199"
                )
            ),
            routing_rules=frozenset(
                _read_list(env, "WARMXFER_DIAL_ROUTING_RULES", _RULE.fullmatch, "ids of routing rules")
            ),
            digits=_read_word(env, "WARMXFER_DIAL_DIGITS", DIGITS),
            max_call_s=env_number(
                env, "WARMXFER_DIAL_MAX_CALL_S", int, MAX_CALL_S, MIN_MAX_CALL_S, MAX_MAX_CALL_S
            ),
            directory=read_directory(env.get("WARMXFER_DIAL_DIRECTORY", "").strip()),
            by=_read_word(env, "WARMXFER_DIAL_BY", BY),
        )

    @property
    def facts(self) -> dict[str, str]:
        """What a process announces of its policy: `warmxfer doctor` compares the processes."""
        return {"dial_policy": self.digest, "dial_regions": ",".join(sorted(self.regions))}

    @property
    def digest(self) -> str:
        """A short text that is the same in two processes exactly if their policies are the same."""
        facts = [_sorted(getattr(self, each.name)) for each in fields(self)]
        return hashlib.sha256(repr(facts).encode()).hexdigest()[:16]

    def check_request(self, config: WarmTransferConfig) -> None:
        """Return if every call that `config` may cause is allowed. Raises `InvalidRequest`."""
        self.check(config.destination)
        if isinstance(config.rescue, RescueByDial):
            self.check(config.rescue, RESCUE)

    def check(self, destination: SIPDestination, field: str = DESTINATION) -> SIPDestination:
        """Return what is dialled for `destination`, with a name of the directory replaced.

        `field` is its place in the request. Raises `InvalidRequest` if it may not be dialled: field, masked
        value, remedy.
        """
        whole = self._resolve(destination, field)
        self._check_address(_given(whole.sip_call_to, f"{field}.sip_call_to"), f"{field}.sip_call_to")
        self._check_caller_id(_given(whole.sip_call_from, f"{field}.sip_call_from"), f"{field}.sip_call_from")
        rule = _given(whole.routing_rule_id, f"{field}.routing_rule_id")
        if self.routing_rules and rule not in self.routing_rules:
            raise refusal(
                f"{field}.routing_rule_id",
                repr(rule[:MAX_SHOWN_CHARS]),
                "a rule that is not allowed",
                "give one of WARMXFER_DIAL_ROUTING_RULES, or add it there",
            )
        check_name(whole.participant_display_name, f"{field}.participant_display_name")
        self._check_options(whole.extra_options, f"{field}.extra_options")
        return whole

    def _resolve(self, destination: SIPDestination, field: str) -> SIPDestination:
        if destination.name is UNSET:
            if self.by == "name":
                raise InvalidRequest(
                    f"{field}.name is missing; give a name of the directory: WARMXFER_DIAL_BY is name.",
                    field=f"{field}.name",
                )
            return destination
        entry = self.directory.get(destination.name)
        if entry is None:
            raise refusal(
                f"{field}.name",
                repr(destination.name[:MAX_SHOWN_CHARS]),
                "which is not in the directory",
                f"add it to the file of {DIRECTORY}" if self.directory else f"set {DIRECTORY}",
            )
        return merged(entry, destination)

    # ── addresses ────────────────────────────────────────────────────────────────────────────────

    def _check_address(self, address: str, field: str) -> None:
        if address.startswith("+"):
            self._check_number(address, field, masked(address))
        else:
            self._check_uri(address, field)

    def _check_number(self, text: str, field: str, shown: str) -> None:
        number = number_facts(text)
        if number is None:
            raise refusal(field, shown, "which is not a phone number", "give an existing number as E.164")
        if number.e164 != text:
            raise refusal(field, shown, "which is not plain E.164", "write + and digits only")
        if not number.assigned:
            raise refusal(field, shown, "a number that is not assigned", "give an existing number as E.164")
        if (why := self._why_not(number)) is not None:
            raise refusal(field, shown, *why)
        prefix = next((each for each in self.denied_prefixes if text.startswith(each)), None)
        if prefix is not None:
            raise refusal(
                field,
                shown,
                f"which begins with {prefix}",
                "WARMXFER_DIAL_DENY_PREFIXES forbids that; give another number",
            )

    def _why_not(self, number: NumberFacts) -> tuple[str, str] | None:
        """Return why a valid number may not be dialled, and the remedy. None: it may."""
        region = number.region
        if number.country_code in SATELLITES:
            return f"a satellite number of region {region}", "give a number of a country"
        if not (region in self.regions if self.regions else region != INTERNATIONAL):
            allowed = listed(self.regions) or "every region but 001"
            return f"a number of region {region}", f"dial {allowed}, or extend WARMXFER_DIAL_REGIONS"
        kind = number.kind
        if any(kind in NUMBER_TYPES[each] for each in self.types):
            return None
        name = _NAMES_OF_TYPES.get(kind, "number of an unknown type")
        what = f"a {name} number" if kind in _NAMES_OF_TYPES else f"a {name}"
        can_be_allowed = any(kind in each for each in NUMBER_TYPES.values())
        extend = ", or extend WARMXFER_DIAL_TYPES" if can_be_allowed else ""
        return what, f"give a number of the type {listed(self.types)}{extend}"

    def _check_uri(self, address: str, field: str) -> None:
        shown = masked(address)
        scheme, _, rest = address.partition(":")
        user, at, rest = rest.partition("@")
        host_and_port, *parameters = rest.split(";")
        host = host_and_port.partition(":")[0].lower()
        if scheme not in ("sip", "sips") or not at or not _HOST.fullmatch(host):
            raise refusal(
                field,
                shown,
                "which is neither a number nor a SIP URI",
                "write +14155550123 or sip:dana@example.com",
            )
        if not all(_PARAMETER.fullmatch(each) for each in parameters):
            raise refusal(
                field,
                shown,
                "which has a parameter that may redirect the call",
                "use transport= and user= only",
            )
        if host not in self.sip_hosts:
            raise refusal(
                field,
                shown,
                f"which is at {host[:MAX_SHOWN_CHARS]}",
                "add the host to WARMXFER_DIAL_SIP_HOSTS to allow it",
            )
        self._check_user(user, field, shown)

    def _check_user(self, user: str, field: str, shown: str) -> None:
        """Refuse a SIP user that is a number which the policy would not dial: the host may dial it."""
        compact = user_without_separators(user)
        if compact.startswith("+"):
            self._check_number(compact, field, shown)
        elif "+" in compact and compact.replace("+", "").isdecimal():
            raise refusal(
                field,
                shown,
                "whose user has a + between its digits",
                "write a number with its + in front",
            )
        elif compact.isdecimal() and (why := self._why_no_extension(compact)) is not None:
            raise refusal(
                field,
                shown,
                f"whose user {why}",
                "write a number with its +, give an extension, or set WARMXFER_DIAL_DIGITS=any",
            )

    def _check_caller_id(self, address: str, field: str) -> None:
        if self.caller_ids:
            if address not in self.caller_ids:
                raise refusal(
                    field,
                    masked(address),
                    "a caller id that is not allowed",
                    "give one of WARMXFER_DIAL_CALLER_IDS, or add it there",
                )
            return
        try:
            self._check_address(address, field)
        except InvalidRequest as error:
            remedy = "; without WARMXFER_DIAL_CALLER_IDS a caller id must be a number that may be dialled."
            raise InvalidRequest(str(error).removesuffix(".") + remedy, field=field) from error

    # ── options ──────────────────────────────────────────────────────────────────────────────────

    def _check_options(self, options: SIPOptions, field: str) -> None:
        if options.max_call_duration is not UNSET and options.max_call_duration > self.max_call_s:
            raise refusal(
                f"{field}.maxCallDuration",
                str(options.max_call_duration),
                "which is too long",
                f"give at most {self.max_call_s} seconds, or raise WARMXFER_DIAL_MAX_CALL_S",
            )
        if isinstance(options.dtmf, str) and (why := self._why_no_extension(options.dtmf)) is not None:
            raise refusal(
                f"{field}.dtmf",
                masked(options.dtmf),
                f"which {why}",
                "send an extension, or set WARMXFER_DIAL_DIGITS=any",
            )
        if options.headers is not UNSET:
            check_headers(options.headers, f"{field}.headers")

    def _why_no_extension(self, text: str) -> str | None:
        """Return why these digits may dial a second call through a telephone system. None: they may not.

        A leading 9 or 0 takes an outside line. One of them alone, at the end, is a key of a menu.
        """
        if self.digits == "any":
            return None
        if len(text) > MAX_EXTENSION_CHARS:
            return f"has {len(text)} characters, and an extension has at most {MAX_EXTENSION_CHARS}"
        if not _EXTENSION.fullmatch(text):
            return "has other characters than 0-9 * # w ,"
        groups = re.findall(r"[0-9]+", text)
        for place, group in enumerate(groups, 1):
            if group[0] in "09" and (len(group) > 1 or place < len(groups)):
                return f"takes an outside line with {group[0]}"
        if any(self._is_number(re.sub(r"[^0-9]", "", part)) for part in re.split(r"[*#]", text)):
            return "is a phone number"
        return None

    def _is_number(self, digits: str) -> bool:
        """Return whether a telephone system may dial `digits` as a number, at home or abroad."""
        if len(digits) < MIN_NATIONAL_DIGITS:
            return False
        readings = [(f"+{digits}", None), *((digits, each) for each in self.regions - {INTERNATIONAL})]
        return any(_is_valid(*each) for each in readings)


def _given(value: str | UnsetType, field: str) -> str:
    if value is UNSET:
        raise InvalidRequest(f"{field} is missing; add it.", field=field)
    return value


def _is_valid(text: str, region: str | None) -> bool:
    try:
        return phonenumbers.is_valid_number(phonenumbers.parse(text, region))
    except NumberParseException:
        return False


def _sorted(value: Any) -> Any:
    """Return a value whose text does not depend on an order."""
    if isinstance(value, dict):
        return sorted(cast("Directory", value).items())
    return sorted(value) if isinstance(value, frozenset) else value


def _read_word(env: Mapping[str, str], name: str, words: tuple[str, ...]) -> str:
    word = env.get(name, "").strip() or words[0]
    if word not in words:
        raise InvalidRequest(
            f"{name} is {word[:MAX_SHOWN_CHARS]!r}; give one of {', '.join(words)}", field=name
        )
    return word


def _read_list(
    env: Mapping[str, str], name: str, is_valid: Callable[[str], object], remedy: str
) -> list[str]:
    entries = [entry.strip() for entry in env.get(name, "").split(",") if entry.strip()]
    for entry in entries:
        if not is_valid(entry):
            raise InvalidRequest(f"{name} holds {entry[:MAX_SHOWN_CHARS]!r}; give {remedy}", field=name)
    if len(entries) > MAX_LISTED:
        raise InvalidRequest(f"{name} holds {len(entries)} entries; give at most {MAX_LISTED}", field=name)
    return entries
