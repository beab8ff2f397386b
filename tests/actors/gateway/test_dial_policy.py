"""The dial policy: a table of numbers and addresses."""

from __future__ import annotations

import msgspec
import pytest

from warmxfer.actors.gateway import DialPolicy
from warmxfer.schemas import InvalidRequest, SIPDestination

OPEN = DialPolicy()
AMERICA = DialPolicy.from_env(
    {
        "WARMXFER_DIAL_REGIONS": "US, CA",
        "WARMXFER_DIAL_DENY_PREFIXES": "+1415555019",
        "WARMXFER_DIAL_SIP_HOSTS": "pbx.example.com",
    }
)


def to(address: str) -> SIPDestination:
    """Return a destination that skips every check of the schema, as a hostile sender might."""
    return SIPDestination(routing_rule_id="rr", sip_call_to=address, sip_call_from="+14155559876")


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
        (OPEN, "+882161234567", "region 001"),
        (OPEN, "+870773123456", "region 001"),
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
    ],
)
def test_a_forbidden_address_is_refused(policy: DialPolicy, address: str, why: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        policy.check(to(address))
    sentence = str(refused.value)
    assert why in sentence
    assert sentence.startswith("config.destination.sip_call_to ")
    assert address not in sentence, "an error sentence must not contain the number"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("WARMXFER_DIAL_REGIONS", "US,Mars"),
        ("WARMXFER_DIAL_DENY_PREFIXES", "900"),
        ("WARMXFER_DIAL_SIP_HOSTS", "http://pbx"),
    ],
)
def test_a_wrong_list_is_refused_with_its_variable(name: str, value: str) -> None:
    with pytest.raises(InvalidRequest, match=rf"^{name} holds '.*'; give ") as refused:
        DialPolicy.from_env({name: value})
    assert refused.value.field == name


def test_the_policy_can_parse_every_address_that_the_schema_accepts() -> None:
    """The two grammars agree: an address that the schema accepts is a number or a URI to the policy."""
    for address in (
        "+14155550101",
        "sip:dana@example.com",
        "sips:a.b+c@x1-y.example:5060",
        "sip:a@x1-y.example:5060;transport=wss;user=ip",
    ):
        raw = {
            "routing_rule_id": "rr",
            "sip_call_to": address,
            "sip_call_from": "+14155559876",
        }
        host = DialPolicy(sip_hosts=frozenset({"example.com", "x1-y.example"}))
        host.check(msgspec.convert(raw, SIPDestination))
