"""Personal data is left out of messages, and what is left can still be read."""

from __future__ import annotations

import msgspec
import pytest

from warmxfer.schemas import SupervisorDeclined, decode_event, encode, read_request
from warmxfer.schemas.id_in_use import same_request
from warmxfer.schemas.personal_data import FREE_TEXT, KINDS, LEFT_OUT, Kind, without, without_all

NUMBER, SHOWN = "+14155550142", "+14155550143"
REQUEST = encode(
    {
        "room_id": "room-a",
        "config": {
            "destination": {
                "routing_rule_id": "rr_1",
                "sip_call_to": NUMBER,
                "sip_call_from": SHOWN,
                "participant_display_name": "Dana Canary",
                "extra_options": {
                    "dtmf": "8642#",
                    "headers": {"X-Ticket": "canary-header"},
                    "metadata": {"note": "canary-note"},
                },
            }
        },
    }
)
TEXTS: dict[Kind, list[str]] = {
    "numbers": [NUMBER, SHOWN, "Dana Canary", "canary-header", "canary-note"],
    "digits": ["8642#"],
    "summary": ["Ann wants a refund."],
    "reason": ["I am at the dentist"],
}
MESSAGES = [
    REQUEST,
    encode({"type": "summary_ready", "command_id": "c", "summary": "Ann wants a refund.", "source": "model"}),
    encode(SupervisorDeclined(reason="I am at the dentist")),
    encode({"detail": "The supervisor said: I am at the dentist", "cause": "busy"}),
    encode({"error": f"The provider refused {NUMBER}."}),
]


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_is_left_out_everywhere_and_the_others_stay(kind: Kind) -> None:
    left = b"".join(without_all(MESSAGES, [kind])).decode()
    assert [text for text in TEXTS[kind] if text in left] == []
    others = [text for other, texts in TEXTS.items() if other != kind for text in texts]
    assert [text for text in others if text not in left] == []


def test_what_is_left_can_be_read() -> None:
    request, _, declined, quoting, refused = without_all(MESSAGES, KINDS)
    assert read_request(request).room_id == "room-a"
    assert decode_event(declined) == SupervisorDeclined()
    assert msgspec.json.decode(quoting) == {"detail": f"The supervisor said: {LEFT_OUT}", "cause": "busy"}
    assert LEFT_OUT in refused.decode()


def test_the_word_of_an_outcome_is_no_reason_of_a_person() -> None:
    phase = {"phase": "transfer_cancelled", "data": {"reason": "declined", "detail": "declined"}}
    assert msgspec.json.decode(without(encode(phase), ["reason"])) == phase


def test_a_short_word_is_not_looked_for_inside_of_others() -> None:
    said = encode({"words": "no", "detail": "not now"})
    assert msgspec.json.decode(without(said, ["reason"])) == {"words": "", "detail": "not now"}


def test_a_number_of_a_field_or_a_report_of_keys_stays() -> None:
    body = encode({"dtmf": True, "headers": {}, "reason": None})
    assert msgspec.json.decode(without(body, KINDS)) == {"dtmf": True, "headers": {}, "reason": None}


def test_what_cannot_be_read_is_left_out_whole() -> None:
    assert without_all([b"{canary", b"\xff", b'{"summary":"canary"}'], KINDS) == [b"", b"", b'{"summary":""}']
    assert without_all([b"{canary"], []) == [b"{canary"]


def test_requests_are_compared_without_what_was_left_out() -> None:
    kept = without(REQUEST, ["numbers", "digits"])
    assert not same_request(kept, REQUEST)
    assert same_request(kept, REQUEST, ["numbers", "digits"])
    assert same_request(kept, REQUEST.replace(NUMBER.encode(), b"+14155550199"), ["numbers", "digits"])
    assert not same_request(kept, REQUEST.replace(b"room-a", b"room-b"), ["numbers", "digits"])


def test_free_text_fields_are_those_that_a_transfer_writes_sentences_into() -> None:
    assert {"detail", "error"} == FREE_TEXT
