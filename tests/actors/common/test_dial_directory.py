"""Destinations by name: read from a file, checked like every other, and resolved right before the dial."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from warmxfer.actors.common import dial_directory
from warmxfer.actors.common.dial_policy import DialPolicy
from warmxfer.schemas import InvalidRequest, SIPDestination, SIPOptions

BILLING = {
    "routing_rule_id": "rule-outbound-us",
    "sip_call_to": "+14155550101",
    "sip_call_from": "+14155550199",
    "participant_display_name": "Dana (billing)",
    "extra_options": {"headers": {"X-Team": "billing"}, "maxCallDuration": 600},
}
NUMBERS = ("+14155550101", "+14155550199")


def policy(tmp_path: Path, entries: Any, **env: str) -> DialPolicy:
    path = tmp_path / "directory.json"
    path.write_text(entries if isinstance(entries, str) else json.dumps(entries))
    return DialPolicy.from_env({"WARMXFER_DIAL_REGIONS": "US", "WARMXFER_DIAL_DIRECTORY": str(path), **env})


def test_a_name_is_replaced_by_its_destination(tmp_path: Path) -> None:
    named = policy(tmp_path, {"billing": BILLING}).check(SIPDestination(name="billing"))
    assert named == SIPDestination(
        "rule-outbound-us",
        *NUMBERS,
        participant_display_name="Dana (billing)",
        extra_options=SIPOptions(headers={"X-Team": "billing"}, max_call_duration=600),
    )


def test_a_request_may_add_a_display_name_and_options(tmp_path: Path) -> None:
    asked = SIPDestination(
        name="billing",
        participant_display_name="Robin",
        extra_options=SIPOptions(headers={"X-Order": "4417"}, ringing_timeout=30),
    )
    named = policy(tmp_path, {"billing": BILLING}).check(asked)
    assert (named.sip_call_to, named.sip_call_from) == NUMBERS
    assert named.participant_display_name == "Robin"
    assert named.extra_options == SIPOptions(
        headers={"X-Order": "4417"}, ringing_timeout=30, max_call_duration=600
    )


@pytest.mark.parametrize(
    ("options", "field"),
    [
        (SIPOptions(dtmf="9,01188216555123#"), "config.destination.extra_options.dtmf"),
        (SIPOptions(max_call_duration=86_400), "config.destination.extra_options.maxCallDuration"),
        (SIPOptions(headers={"X-A": "<sip:x@evil>"}), "config.destination.extra_options.headers.X-A"),
    ],
)
def test_options_beside_a_name_pass_the_policy(tmp_path: Path, options: SIPOptions, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        policy(tmp_path, {"billing": BILLING}).check(SIPDestination(name="billing", extra_options=options))
    assert refused.value.field == field


def test_an_unknown_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as refused:
        policy(tmp_path, {"billing": BILLING}).check(SIPDestination(name="biling"), "config.rescue")
    assert str(refused.value) == (
        "config.rescue.name is 'biling', which is not in the directory; "
        "add it to the file of WARMXFER_DIAL_DIRECTORY."
    )
    with pytest.raises(InvalidRequest, match=r"not in the directory; set WARMXFER_DIAL_DIRECTORY\.$"):
        DialPolicy().check(SIPDestination(name="billing"))


def test_a_deployment_may_allow_names_only(tmp_path: Path) -> None:
    names_only = policy(tmp_path, {"billing": BILLING}, WARMXFER_DIAL_BY="name")
    names_only.check(SIPDestination(name="billing"))
    with pytest.raises(InvalidRequest) as refused:
        names_only.check(SIPDestination("rule-outbound-us", *NUMBERS))
    assert str(refused.value) == (
        "config.destination.name is missing; give a name of the directory: WARMXFER_DIAL_BY is name."
    )


def test_a_destination_without_name_and_number_is_refused() -> None:
    for given, missing in (
        (SIPDestination(), "sip_call_to"),
        (SIPDestination("rr", NUMBERS[0]), "sip_call_from"),
        (SIPDestination(sip_call_to=NUMBERS[0], sip_call_from=NUMBERS[1]), "routing_rule_id"),
    ):
        with pytest.raises(InvalidRequest, match=rf"^config.destination.{missing} is missing"):
            DialPolicy().check(given)


@pytest.mark.parametrize(
    ("entries", "problem"),
    [
        ("[]", "which is not one JSON object"),
        ("{", "which is not one JSON object"),
        ('{"a": ' + "[" * 100_000, "which is not one JSON object"),
        ({"two words": BILLING}, "which has the name 'two words'; use 1 to 64"),
        ({"billing": 7}, "which has the entry billing, which cannot be used (Expected `object`"),
        ({"billing": {**BILLING, "sip_call_too": "x"}}, "unknown field `sip_call_too`"),
        (
            {"billing": {**BILLING, "sip_call_to": "4155550101"}},
            "which cannot be used (Expected `str` matching regex",
        ),
        (
            {"billing": {"sip_call_to": NUMBERS[0]}},
            "has the entry billing without a number, caller id or rule",
        ),
        ({"billing": {"name": "sales"}}, "has the entry billing without a number, caller id or rule"),
    ],
)
def test_a_directory_that_cannot_be_used_stops_the_process(
    tmp_path: Path, entries: Any, problem: str
) -> None:
    with pytest.raises(InvalidRequest) as refused:
        policy(tmp_path, entries)
    sentence = str(refused.value)
    assert sentence.startswith(f"WARMXFER_DIAL_DIRECTORY is '{tmp_path}/directory.json'"[:60])
    assert problem in sentence
    assert "4155550101" not in sentence
    assert refused.value.field == "WARMXFER_DIAL_DIRECTORY"


def test_a_missing_or_large_file_stops_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InvalidRequest, match=r"which cannot be read \(No such file"):
        DialPolicy.from_env({"WARMXFER_DIAL_DIRECTORY": str(tmp_path / "none.json")})
    monkeypatch.setattr(dial_directory, "MAX_ENTRIES", 1)
    with pytest.raises(InvalidRequest, match="which is too large; keep at most 1 entries"):
        policy(tmp_path, {"billing": BILLING, "sales": BILLING})


def test_an_entry_that_the_policy_forbids_stops_the_process(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest) as refused:
        policy(tmp_path, {"billing": {**BILLING, "sip_call_to": "+18095550123"}}, WARMXFER_DIAL_BY="name")
    assert str(refused.value) == (
        "WARMXFER_DIAL_DIRECTORY: billing.sip_call_to is '+•••••••••23', a number of region DO; "
        "dial US, or extend WARMXFER_DIAL_REGIONS."
    )


def test_policies_with_different_directories_differ(tmp_path: Path) -> None:
    one = policy(tmp_path, {"billing": BILLING, "sales": BILLING})
    same = policy(tmp_path, {"sales": BILLING, "billing": BILLING})
    other = policy(tmp_path, {"billing": BILLING, "sales": {**BILLING, "sip_call_to": "+14155550102"}})
    assert one.digest == same.digest != other.digest
    assert "4155550101" not in repr(one)
