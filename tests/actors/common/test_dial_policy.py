"""The dial policy: tables of numbers, addresses, caller ids, digits, headers and names."""

from __future__ import annotations

import dataclasses
import re
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.docs.environment_variables import Recorder
from warmxfer.actors.common.dial_policy import DialPolicy
from warmxfer.actors.coordinator import CoordinatorSettings
from warmxfer.actors.gateway import GatewaySettings
from warmxfer.schemas import InvalidRequest, SIPDestination, SIPOptions, WarmTransferConfig

OPEN = DialPolicy()
AMERICA = DialPolicy.from_env(
    {
        "WARMXFER_DIAL_REGIONS": "US, CA",
        "WARMXFER_DIAL_DENY_PREFIXES": "+1415555019",
        "WARMXFER_DIAL_SIP_HOSTS": "pbx.example.com",
    }
)
WEST = DialPolicy.from_env({"WARMXFER_DIAL_REGIONS": "US,CA,GB,DE,FR,AU", "WARMXFER_DIAL_SIP_HOSTS": "pbx"})
EVERYWHERE = DialPolicy.from_env({"WARMXFER_DIAL_REGIONS": "001,US"})
EVERY_TYPE = DialPolicy.from_env(
    {"WARMXFER_DIAL_TYPES": "fixed,mobile,toll_free,voip,shared_cost,personal,uan"}
)
ANY_DIGITS = DialPolicy(digits="any", sip_hosts=frozenset({"pbx"}))
CALLER_ID = "+14155559876"


def to(address: str, caller_id: str = CALLER_ID, **fields: Any) -> SIPDestination:
    """Return a destination that skips every check of the schema, as a hostile sender might."""
    return SIPDestination("rr", address, caller_id, **fields)


def refusal_of(policy: DialPolicy, destination: SIPDestination, field: str = "config.destination") -> str:
    with pytest.raises(InvalidRequest) as refused:
        policy.check(destination, field)
    assert str(refused.value).startswith(f"{refused.value.field} is ")
    assert refused.value.field.startswith(f"{field}.")
    return str(refused.value)


@pytest.mark.parametrize(
    ("policy", "address"),
    [
        (OPEN, "+14155550101"),
        (OPEN, "+442079460000"),
        (AMERICA, "+14155550101"),
        (AMERICA, "+18005550199"),
        (AMERICA, "sip:dana@pbx.example.com"),
        (AMERICA, "sips:dana@PBX.example.com:5061"),
        (AMERICA, "sip:dana@pbx.example.com;transport=tls"),
        (AMERICA, "sip:dana@pbx.example.com:5060;user=phone;transport=tcp"),
        (AMERICA, "sip:500@pbx.example.com"),
        (AMERICA, "sip:+14155550101@pbx.example.com;user=phone"),
        (WEST, "+4930123456"),
        (WEST, "+4915112345678"),
        (WEST, "+448001111111"),
        (EVERYWHERE, "+80012345678"),
        (EVERY_TYPE, "+33912345678"),
        (EVERY_TYPE, "+4918012345678"),
        (EVERY_TYPE, "+447012345678"),
        (EVERY_TYPE, "+443001234567"),
        (ANY_DIGITS, "sip:14155550123@pbx"),
    ],
)
def test_an_allowed_address_is_accepted(policy: DialPolicy, address: str) -> None:
    policy.check(to(address))


@pytest.mark.parametrize(
    ("policy", "address", "why"),
    [
        (OPEN, "+19005550123", "premium-rate"),
        (OPEN, "+449098790000", "premium-rate"),
        (OPEN, "+33899123456", "premium-rate"),
        (EVERY_TYPE, "+19005550123", "premium-rate"),
        (EVERY_TYPE, "+447600123456", "pager"),
        (OPEN, "+882161234567", "satellite"),
        (OPEN, "+870773123456", "satellite"),
        (EVERYWHERE, "+870773123456", "satellite"),
        (EVERYWHERE, "+881612345678", "satellite"),
        (EVERYWHERE, "+882161234567", "satellite"),
        (EVERYWHERE, "+88213300655", "satellite"),
        (OPEN, "+80012345678", "region 001"),
        (EVERYWHERE, "+878101234567890", "a VoIP number"),
        (WEST, "+447012345678", "a personal number"),
        (WEST, "+15005550100", "a personal number"),
        (WEST, "+15335550100", "a personal number"),
        (WEST, "+4970012345678", "a personal number"),
        (WEST, "+491371234567", "a shared-cost number"),
        (WEST, "+4918012345678", "a shared-cost number"),
        (WEST, "+443001234567", "a UAN number"),
        (WEST, "+33912345678", "a VoIP number"),
        (WEST, "+61147123456", "a VoIP number"),
        (WEST, "+447600123456", "a pager number"),
        (WEST, "+447797712345", "region JE"),
        (WEST, "+447624123456", "region IM"),
        (OPEN, "+15550001111", "not assigned"),
        (OPEN, "+999123456789", "not a phone number"),
        (OPEN, "+911", "not a phone number"),
        (OPEN, "911", "neither a number nor a SIP URI"),
        (OPEN, "+14155550101;ext=9", "not plain E.164"),
        (OPEN, "+1 415 555 0101", "not plain E.164"),
        (OPEN, "+14155550101,,,9", "not plain E.164"),
        (OPEN, "+1415555\u0660\u0661\u0660\u0661", "not plain E.164"),
        (OPEN, "+14155550101\r\nX: 1", "not a phone number"),
        (OPEN, "tel:+14155550101", "neither a number nor a SIP URI"),
        (OPEN, "sip:dana@example.com", "is at example.com"),
        (AMERICA, "+18095550123", "region DO"),
        (AMERICA, "+252612345678", "region SO"),
        (AMERICA, "+442079460000", "region GB"),
        (AMERICA, "+14155550199", "begins with +1415555019"),
        (AMERICA, "sip:dana@pbx.example.com.evil.net", "is at pbx.example.com.evil.net"),
        (AMERICA, "sip:dana@evil.net?x=@pbx.example.com/..", "neither a number nor a SIP URI"),
        (AMERICA, "sip:pbx.example.com", "neither a number nor a SIP URI"),
        (AMERICA, "sip:dana@evil.net;transport=tls", "is at evil.net"),
        (AMERICA, "sip:dana@evil.net;user=@pbx.example.com", "a parameter that may redirect the call"),
        (AMERICA, "sip:dana@evil.net@pbx.example.com", "neither a number nor a SIP URI"),
        (AMERICA, "sip:dana@pbx.example.com;maddr=evil.net", "a parameter that may redirect the call"),
        (AMERICA, "sip:+19005550123@pbx.example.com", "premium-rate"),
        (AMERICA, "sip:+18095550123@pbx.example.com", "region DO"),
        (AMERICA, "sip:+1-900-555-0123@pbx.example.com", "premium-rate"),
        (AMERICA, "sip:9011882165551234@pbx.example.com", "takes an outside line with 9"),
        (AMERICA, "sip:0019005550123@pbx.example.com", "takes an outside line with 0"),
        (AMERICA, "sip:19005550123@pbx.example.com", "is a phone number"),
        (AMERICA, "sip:1.900.555.0123@pbx.example.com", "is a phone number"),
        (AMERICA, "sip:4155550123@pbx.example.com", "is a phone number"),
        (AMERICA, "sip:9+19005550123@pbx.example.com", "a + between its digits"),
        (AMERICA, "sip:-9.+1-900-555-0123@pbx.example.com", "a + between its digits"),
    ],
)
def test_a_forbidden_address_is_refused(policy: DialPolicy, address: str, why: str) -> None:
    sentence = refusal_of(policy, to(address))
    assert why in sentence
    assert sentence.startswith("config.destination.sip_call_to ")
    assert address not in sentence, "an error sentence must not contain the number"
    assert re.search(r"; .+\.$", sentence), "the sentence has a remedy"


@pytest.mark.parametrize("type", ["voip", "shared_cost", "personal", "uan"])
def test_a_type_that_may_be_allowed_is_named_with_its_variable(type: str) -> None:
    number = {
        "voip": "+33912345678",
        "shared_cost": "+491371234567",
        "personal": "+447012345678",
        "uan": "+443001234567",
    }[type]
    assert refusal_of(OPEN, to(number)).endswith("or extend WARMXFER_DIAL_TYPES.")
    DialPolicy.from_env({"WARMXFER_DIAL_TYPES": f"fixed,{type}"}).check(to(number))


def test_a_number_in_a_sentence_keeps_its_last_two_digits() -> None:
    sentence = refusal_of(AMERICA, to("+18095550123"))
    assert sentence == (
        "config.destination.sip_call_to is '+•••••••••23', a number of region DO; "
        "dial CA, US, or extend WARMXFER_DIAL_REGIONS."
    )
    assert "'sip:•••@evil.net'" in refusal_of(AMERICA, to("sip:dana@evil.net"))


@given(st.text(max_size=60))
def test_no_text_crashes_the_policy_or_shows_a_number(text: str) -> None:
    sentence = refusal_of(AMERICA, to(f"+1809{text}"))
    own = re.compile(r"\\U[0-9a-f]{8}|14155550123")  # an escape, and the example of the remedy
    assert not re.search(r"\d{7}", own.sub("", sentence))
    assert sentence.isprintable()


# ── caller ids and routing rules ─────────────────────────────────────────────────────────────────

LISTED = DialPolicy.from_env(
    {
        "WARMXFER_DIAL_REGIONS": "US",
        "WARMXFER_DIAL_CALLER_IDS": "+442079460000,sip:line@pbx.example.com",
        "WARMXFER_DIAL_ROUTING_RULES": "rr, rr-2",
    }
)


@pytest.mark.parametrize(
    ("policy", "caller_id"),
    [(AMERICA, CALLER_ID), (LISTED, "+442079460000"), (LISTED, "sip:line@pbx.example.com")],
)
def test_an_allowed_caller_id_is_accepted(policy: DialPolicy, caller_id: str) -> None:
    policy.check(to("+14155550101", caller_id))


@pytest.mark.parametrize(
    ("policy", "caller_id", "why"),
    [
        (AMERICA, "+19005550123", "premium-rate"),
        (AMERICA, "+88213300655", "satellite"),
        (AMERICA, "+442079460000", "region GB"),
        (AMERICA, "sip:x@evil", "is at evil"),
        (AMERICA, "911", "neither a number nor a SIP URI"),
        (LISTED, CALLER_ID, "WARMXFER_DIAL_CALLER_IDS"),
        (LISTED, "sip:x@evil", "WARMXFER_DIAL_CALLER_IDS"),
    ],
)
def test_a_forbidden_caller_id_is_refused(policy: DialPolicy, caller_id: str, why: str) -> None:
    sentence = refusal_of(policy, to("+14155550101", caller_id))
    assert why in sentence
    assert "WARMXFER_DIAL_CALLER_IDS" in sentence
    assert sentence.startswith("config.destination.sip_call_from ")
    assert caller_id not in sentence


def test_only_listed_routing_rules_are_dialled() -> None:
    for rule in ("rr", "rr-2"):
        LISTED.check(SIPDestination(rule, "+14155550101", "+442079460000"))
    sentence = refusal_of(LISTED, SIPDestination("rr-3", "+14155550101", "+442079460000"))
    assert sentence == (
        "config.destination.routing_rule_id is 'rr-3', a rule that is not allowed; "
        "give one of WARMXFER_DIAL_ROUTING_RULES, or add it there."
    )


# ── options ──────────────────────────────────────────────────────────────────────────────────────


def with_options(**options: Any) -> SIPDestination:
    return to("+14155550101", extra_options=SIPOptions(**options))


@pytest.mark.parametrize(
    "digits",
    [
        "204",
        "1w204#",
        "1,,204",
        "*72#",
        "0",
        "9",
        "1w0",
        "1w0#",
        "12345678",
        "1" * 16,
        "2W3,4*5#",
        "204#8011",
    ],
)
def test_an_extension_may_be_sent(digits: str) -> None:
    AMERICA.check(with_options(dtmf=digits))


@pytest.mark.parametrize(
    ("digits", "why"),
    [
        ("9,01188216555123#", "has 17 characters"),
        ("9,0118821655512", "takes an outside line with 9"),
        ("901188216555", "takes an outside line with 9"),
        ("0118821655512", "takes an outside line with 0"),
        ("00", "takes an outside line with 0"),
        ("0w19005550123", "takes an outside line with 0"),
        ("1w9w19005550123", "takes an outside line with 9"),
        ("1w9011882165", "takes an outside line with 9"),
        ("#9w5550123", "takes an outside line with 9"),
        ("19005550123", "is a phone number"),
        ("1900w555w1234", "is a phone number"),
        ("19005550123#", "is a phone number"),
        ("204#19005550123", "is a phone number"),
        ("4155550123", "is a phone number"),
        ("1" * 17, "has 17 characters"),
        ("204A", "has other characters"),
        ("204\u0661", "has other characters"),
        ("204\n", "has other characters"),
    ],
)
def test_digits_that_dial_a_second_call_are_refused(digits: str, why: str) -> None:
    sentence = refusal_of(AMERICA, with_options(dtmf=digits))
    assert why in sentence
    assert sentence.startswith("config.destination.extra_options.dtmf is ")
    assert digits not in sentence or len(digits) < 3


def test_a_deployment_may_allow_any_digits() -> None:
    ANY_DIGITS.check(with_options(dtmf="9,01188216555123#"))
    OPEN.check(with_options(dtmf=True))


def test_a_call_has_a_longest_duration() -> None:
    OPEN.check(with_options(max_call_duration=14_400))
    sentence = refusal_of(OPEN, with_options(max_call_duration=14_401))
    assert sentence == (
        "config.destination.extra_options.maxCallDuration is 14401, which is too long; "
        "give at most 14400 seconds, or raise WARMXFER_DIAL_MAX_CALL_S."
    )
    DialPolicy.from_env({"WARMXFER_DIAL_MAX_CALL_S": "86400"}).check(with_options(max_call_duration=86_400))


@pytest.mark.parametrize(
    "name", ["Dana (billing)", "Søren O'Brien", "Łucja", "ナオミ", "می\u200cخواهم", "A+B, C;"]
)
def test_a_plain_display_name_is_accepted(name: str) -> None:
    OPEN.check(to("+14155550101", participant_display_name=name))


@pytest.mark.parametrize(
    "name",
    [
        'Bob" <sip:+19005550123@evil>',
        "Bob <x>",
        'Bob "the boss"',
        "Bob\\",
        "Bob\u202egnihtyna",
        "Bob\u200bby",
        "Bob\r\nX-A: 1",
        "Bob\u2028",
        "Bob\ufeff",
        "Bob\x85",
    ],
)
def test_a_display_name_that_changes_its_surroundings_is_refused(name: str) -> None:
    sentence = refusal_of(OPEN, to("+14155550101", participant_display_name=name))
    assert sentence.startswith("config.destination.participant_display_name is ")
    assert sentence.isprintable()


def test_headers_are_short_and_hold_no_quotes_or_brackets() -> None:
    OPEN.check(with_options(headers={"X-Order": "4417; state=open, by=Dana"}))
    OPEN.check(with_options(headers={f"X-{n}": "v" * 400 for n in range(5)}))
    for value in ('"Bob"', "<sip:x@evil>", "a>b", "back\\slash"):
        sentence = refusal_of(OPEN, with_options(headers={"X-Order": value}))
        assert sentence.startswith("config.destination.extra_options.headers.X-Order is ")
    sentence = refusal_of(OPEN, with_options(headers={f"X-{n}": "v" * 512 for n in range(10)}))
    assert "10 headers of 5150 bytes, which is too much" in sentence


# ── the whole request ────────────────────────────────────────────────────────────────────────────


def test_the_number_of_a_rescue_passes_the_same_policy() -> None:
    def config(number: str) -> WarmTransferConfig:
        return msgspec.convert(
            {
                "destination": {
                    "routing_rule_id": "rr",
                    "sip_call_to": "+14155550101",
                    "sip_call_from": CALLER_ID,
                },
                "rescue": {
                    "by": "dial",
                    "routing_rule_id": "rr",
                    "sip_call_to": number,
                    "sip_call_from": CALLER_ID,
                },
            },
            WarmTransferConfig,
        )

    AMERICA.check_request(config("+14155550114"))
    with pytest.raises(InvalidRequest, match=r"^config.rescue.sip_call_to is .* region GB"):
        AMERICA.check_request(config("+442079460000"))


def test_the_policy_can_parse_every_address_that_the_schema_accepts() -> None:
    """The two grammars agree: an address that the schema accepts is a number or a URI to the policy."""
    for address in (
        "+14155550101",
        "sip:dana@example.com",
        "sips:a.b+c@x1-y.example:5060",
        "sip:a@x1-y.example:5060;transport=wss;user=ip",
    ):
        raw = {"routing_rule_id": "rr", "sip_call_to": address, "sip_call_from": CALLER_ID}
        host = DialPolicy(sip_hosts=frozenset({"example.com", "x1-y.example"}))
        host.check(msgspec.convert(raw, SIPDestination))


# ── settings ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WARMXFER_DIAL_REGIONS", "US,Mars"),
        ("WARMXFER_DIAL_DENY_PREFIXES", "900"),
        ("WARMXFER_DIAL_SIP_HOSTS", "http://pbx"),
        ("WARMXFER_DIAL_TYPES", "fixed,premium"),
        ("WARMXFER_DIAL_CALLER_IDS", "4155550100"),
        ("WARMXFER_DIAL_ROUTING_RULES", "rule one"),
    ],
)
def test_a_wrong_list_is_refused_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{name} holds '.*'; give ") as refused:
        DialPolicy.from_env({name: value})
    assert refused.value.field == name


@pytest.mark.parametrize(
    ("name", "value"), [("WARMXFER_DIAL_DIGITS", "all"), ("WARMXFER_DIAL_MAX_CALL_S", "9")]
)
def test_a_wrong_value_is_refused_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{name} is '{value}'; give ") as refused:
        DialPolicy.from_env({name: value})
    assert refused.value.field == name


def test_the_coordinator_and_the_gateway_read_the_same_policy() -> None:
    """Each variable of the policy is read by both roles. So equal environments have equal policies."""
    names = _looked_up(DialPolicy, {})
    assert len(names) >= len(dataclasses.fields(DialPolicy))
    assert names <= _looked_up(CoordinatorSettings, {})
    assert names <= _looked_up(GatewaySettings, {"VIDEOSDK_AUTH_TOKEN": "t", "WARMXFER_DIAL_REGIONS": "US"})


def _looked_up(kind: Any, env: dict[str, str]) -> set[str]:
    recorder = Recorder(env)
    kind.from_env(recorder)
    return {name for name in recorder.looked_up if name.startswith("WARMXFER_DIAL_")}


def test_two_policies_have_the_same_digest_only_if_they_are_the_same() -> None:
    one, other = ({"WARMXFER_DIAL_REGIONS": regions} for regions in ("US,CA,GB", "GB,US,CA"))
    assert DialPolicy.from_env(one).digest == DialPolicy.from_env(other).digest
    digests = {each.digest for each in (OPEN, AMERICA, WEST, EVERYWHERE, EVERY_TYPE, ANY_DIGITS, LISTED)}
    assert len(digests) == 7
