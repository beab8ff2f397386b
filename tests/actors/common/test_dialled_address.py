"""All spellings of one destination are one."""

from __future__ import annotations

import pytest

from warmxfer.actors.common.dialled_address import one_spelling


@pytest.mark.parametrize(
    "spelling",
    [
        "+14155550123",
        "sip:+14155550123@pbx.example.com",
        "sips:+14155550123@pbx.example.com",
        "sip:+1-415-555-0123@pbx.example.com",
        "sip:+1.415.555.0123@PBX.example.com:5061;transport=tls;user=phone",
        "sip:+14155550123@other.example.com;user=ip",
    ],
)
def test_a_number_is_the_same_in_every_spelling(spelling: str) -> None:
    """Before, each spelling had a limit of its own, so the limit for a destination held nothing."""
    assert one_spelling(spelling) == "+14155550123"


@pytest.mark.parametrize(
    "spelling",
    ["sip:dana@pbx.example.com", "SIP:Dana@pbx.example.com:5060", "sips:da-na@PBX.EXAMPLE.COM;transport=tcp"],
)
def test_a_user_is_the_same_in_every_spelling(spelling: str) -> None:
    assert one_spelling(spelling) == "dana@pbx.example.com"


def test_others_stay_apart() -> None:
    addresses = [
        "+14155550123",
        "+14155550124",
        "sip:dana@a.example",
        "sip:dana@b.example",
        "sip:500@a.example",
    ]
    assert len({one_spelling(each) for each in addresses}) == len(addresses)
