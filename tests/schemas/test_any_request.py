"""Any input raises InvalidRequest at most, shows no phone number, and overrides nothing."""

import contextlib
import json
import re
from typing import Any

import msgspec
from hypothesis import example, given
from hypothesis import strategies as st

from warmxfer.schemas import InvalidRequest, SIPOptions, encode, read_cancel, read_request
from warmxfer.schemas.transfer import RESERVED_OPTIONS

from .examples import JSON, quickly
from .request_text import raw, rejection, rejection_or_none

FIELDS = st.sampled_from(
    [
        "room_id",
        "session",
        "colour",
        "config",
        "config__pacing",
        "config__colour",
        "config__lines",
        "config__lines__apologies",
        "config__destination",
        "config__destination__sip_call_to",
        "config__destination__participant_display_name",
        "config__destination__extra_options",
        "config__destination__extra_options__headers",
        "config__destination__extra_options__metadata",
        "config__destination__extra_options__dtmf",
    ]
)


@quickly
@given(JSON)
def test_any_json_is_read_or_an_invalid_request(value: Any) -> None:
    with contextlib.suppress(InvalidRequest):
        read_request(json.dumps(value).encode())


@quickly
@given(FIELDS, JSON)
def test_any_value_in_any_field_is_read_or_an_invalid_request(field_path: str, value: Any) -> None:
    with contextlib.suppress(InvalidRequest):
        read_request(raw(**{field_path: value}))


@quickly
@given(st.binary(max_size=300))
def test_any_bytes_are_read_or_an_invalid_request(data: bytes) -> None:
    with contextlib.suppress(InvalidRequest):
        read_request(data)
    with contextlib.suppress(InvalidRequest):
        read_cancel(data)


digits = st.text("0123456789", min_size=7, max_size=15)
spacing = st.sampled_from(["", " ", "-", ".", " - ", "/"])
wrappings = st.sampled_from(["{}", "+{}", "tel:{}", "call {} now", "({})", "\n{}", "{} ext"])


@quickly
@given(FIELDS, digits, spacing, wrappings, st.booleans())
@example("config__destination__sip_call_to", "14155550123", " ", "+{}", False)
def test_a_sentence_never_shows_more_than_two_digits_of_a_number(
    field_path: str, number: str, gap: str, wrapping: str, as_key: bool
) -> None:
    value = wrapping.format(gap.join(number))
    if error := rejection_or_none(raw(**{field_path: {value: "x"} if as_key else value})):
        field_and_value = str(error).partition("; ")[0]
        assert sum(map(str.isdigit, field_and_value)) <= 2
        assert sum(map(str.isdigit, error.field)) <= 2


spellings = st.sampled_from(sorted(RESERVED_OPTIONS)).flatmap(
    lambda name: st.sampled_from([name, re.sub(r"(?<=[a-z])([A-Z])", lambda m: "_" + m[1].lower(), name)])
)


@quickly
@given(spellings, JSON)
def test_extra_options_never_override_what_warmxfer_sets(option: str, value: Any) -> None:
    """Otherwise a user could choose which number is dialled, from which number, or into which room."""
    sentence = str(rejection(raw(config__destination__extra_options={option: value})))
    assert sentence.startswith(f"config.destination.extra_options has '{option}', which warmxfer sets itself")


@quickly
@given(st.text(max_size=30), JSON)
def test_only_listed_extra_options_are_accepted(option: str, value: Any) -> None:
    known = {field.encode_name for field in msgspec.structs.fields(SIPOptions)}
    try:
        request = read_request(raw(config__destination__extra_options={option: value}))
    except InvalidRequest:
        return
    assert option in known
    assert not set(json.loads(encode(request.config.destination.extra_options))) & RESERVED_OPTIONS
