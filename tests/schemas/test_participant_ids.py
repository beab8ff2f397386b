"""Participant ids: built, parsed, and rejected if warmxfer did not assign them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.schemas import participant_ids
from warmxfer.schemas.participant_ids import ParticipantId

ids = st.from_regex(r"[A-Za-z0-9_-]{1,64}", fullmatch=True)


def test_ids_have_the_form_in_the_protocol() -> None:
    assert participant_ids.supervisor("refund-4417", 1) == "wxs-refund-4417-1"
    assert participant_ids.caller_consult("refund-4417") == "wxc-refund-4417"
    assert participant_ids.caller_return("refund-4417") == "wxr-refund-4417"
    assert participant_ids.agent("refund-4417") == "wxa-refund-4417"
    assert participant_ids.rescuer("refund-4417") == "wxh-refund-4417"


@given(ids, st.integers(1, 999))
def test_an_id_is_parsed_to_what_it_was_built_from(id: str, attempt: int) -> None:
    parse = participant_ids.parse
    assert parse(participant_ids.supervisor(id, attempt)) == ParticipantId("supervisor", id, attempt)
    assert parse(participant_ids.caller_consult(id)) == ParticipantId("caller", id)
    assert parse(participant_ids.caller_return(id)) == ParticipantId("caller", id)
    assert parse(participant_ids.agent(id)) == ParticipantId("agent", id)
    assert parse(participant_ids.rescuer(id)) == ParticipantId("rescuer", id)


@pytest.mark.parametrize(
    "text", ["", "caller-1", "wxs-t1", "wxs-t1-0", "wxs-t1-1000", "wxc-", "wxc-t.1", "wxq-t1"]
)
def test_an_id_that_warmxfer_did_not_assign_is_not_parsed(text: str) -> None:
    assert participant_ids.parse(text) is None


@given(st.text())
def test_no_text_is_parsed_to_an_invalid_transfer_id(text: str) -> None:
    parsed = participant_ids.parse(text)
    assert parsed is None or (parsed.transfer_id.isascii() and "." not in parsed.transfer_id)
