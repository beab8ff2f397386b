"""What the coordinator writes into a request without it: keys, and the option by which calls report them."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec import UNSET

from warmxfer.schemas import encode, read_request, with_defaults

NUMBERS = {"routing_rule_id": "rule", "sip_call_to": "+14155550101", "sip_call_from": "+14155550100"}


def admitted(destination: dict[str, Any], **config: Any) -> tuple[object, str | None]:
    """Return `dtmf` and `accept_by` of the request as it is admitted."""
    body = {"room_id": "room-a", "config": {"destination": destination, **config}}
    read = with_defaults(read_request(encode(body))).config
    return read.destination.extra_options.dtmf, read.accept_by


@pytest.mark.parametrize(
    ("options", "accept_by", "dtmf", "accepted_by"),
    [
        ({}, None, True, None),
        ({}, "either", True, "either"),
        ({}, "key", True, "key"),
        ({}, "voice", UNSET, "voice"),
        ({"dtmf": True}, None, True, None),
        ({"dtmf": False}, None, False, "voice"),
        ({"dtmf": "1w204#"}, None, "1w204#", "voice"),
        ({"dtmf": "1w204#"}, "key", "1w204#", "key"),
        ({"dtmf": False}, "either", False, "either"),
    ],
)
def test_a_supervisor_is_offered_keys_only_on_a_call_that_reports_them(
    options: dict[str, Any], accept_by: str | None, dtmf: object, accepted_by: str | None
) -> None:
    config = {} if accept_by is None else {"accept_by": accept_by}
    assert admitted({**NUMBERS, "extra_options": options}, **config) == (dtmf, accepted_by)


def test_a_destination_by_name_keeps_the_options_of_its_directory_entry() -> None:
    """`dtmf` of a request would replace the extension that the entry dials."""
    assert admitted({"name": "billing"}) == (UNSET, None)
