"""One table holds every subject, and no unchecked id reaches a subject."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.bus import InvalidRequest, subjects

ALLOWED = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
IDS = st.from_regex(ALLOWED, fullmatch=True)

BUILT = {
    "request": subjects.request("a"),
    "cancel": subjects.cancel("a"),
    "phase": subjects.phase("a"),
    "result": subjects.result("a"),
    "notice": subjects.notice("a"),
    "event": subjects.event("a"),
    "timeout": subjects.timeout("a"),
    "log": subjects.log("a"),
    "dead": subjects.dead_letter("a"),
    "do.summarizer": subjects.work_queue("a", "summarizer"),
    "do.gateway": subjects.work_queue("a", "gateway"),
    "do.briefing": subjects.work_queue("a", "briefing"),
    "do.hosted": subjects.session_briefing("a", "s"),
    "do.primary": subjects.primary("a", "s"),
    "do.consult": subjects.consult("a"),
    "timer": subjects.timer("a", "t"),
    "intent": subjects.effect_claim("a", "dial"),
    "claim": subjects.caller_lock("s"),
    "ask.history": subjects.ask_history("s"),
    "ask.summary": subjects.ask_summary("s"),
    "ask.token": subjects.ASK_ROOM_TOKEN,
    "ask.pulse": subjects.ASK_LIVENESS,
}


def matches(pattern: str, subject: str) -> bool:
    """Apply the broker's rule: `*` matches one token."""
    words, given_words = pattern.split("."), subject.split(".")
    return len(words) == len(given_words) and all(
        word in ("*", given_word) for word, given_word in zip(words, given_words, strict=True)
    )


def overlap(one: str, other: str) -> bool:
    """Return True if some subject matches both patterns."""
    ones, others = one.split("."), other.split(".")
    return len(ones) == len(others) and all(
        "*" in (a, b) or a == b for a, b in zip(ones, others, strict=True)
    )


def test_every_subject_has_a_builder_and_every_builder_a_subject() -> None:
    assert {spec.name for spec in subjects.SUBJECTS} == set(BUILT)
    for spec in subjects.SUBJECTS:
        assert matches(spec.filter, BUILT[spec.name]), spec.name


def test_the_stream_stores_exactly_the_captured_subjects() -> None:
    assert sorted(subjects.STREAM_SUBJECTS) == sorted(r.filter for r in subjects.SUBJECTS if r.captured)
    assert len(set(subjects.STREAM_SUBJECTS)) == len(subjects.STREAM_SUBJECTS)
    for spec in subjects.SUBJECTS:
        captured = any(matches(pattern, BUILT[spec.name]) for pattern in subjects.STREAM_SUBJECTS)
        assert captured == spec.captured, spec.name


def test_no_two_stored_patterns_overlap() -> None:
    patterns = subjects.STREAM_SUBJECTS
    clashes = [(a, b) for n, a in enumerate(patterns) for b in patterns[n + 1 :] if overlap(a, b)]
    assert clashes == []


def test_no_request_subject_can_be_stored() -> None:
    requests = [spec.filter for spec in subjects.SUBJECTS if not spec.captured]
    assert len(requests) == 4
    clashes = [(q, s) for q in requests for s in subjects.STREAM_SUBJECTS if overlap(q, s)]
    assert clashes == []


@given(id=IDS, rest=IDS)
def test_a_built_subject_is_parsed_to_its_parts(id: str, rest: str) -> None:
    assert subjects.parse(subjects.request(id)) == (id, "request", "")
    assert subjects.parse(subjects.primary(id, rest)) == (id, "do", f"primary.{rest}")
    assert subjects.parse(subjects.session_briefing(id, rest)) == (id, "do", f"briefing.{rest}")
    assert subjects.parse(subjects.timer(id, rest)) == (id, "timer", rest)
    assert subjects.parse(subjects.work_queue(id, "gateway")) == (id, "do", "gateway")


@given(st.text().filter(lambda text: ALLOWED.fullmatch(text) is None))
def test_an_invalid_id_is_rejected_in_one_short_sentence(id: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        subjects.request(id)
    sentence = str(caught.value)
    assert sentence.startswith("id is ")
    assert sentence.endswith("use 1 to 64 of A-Z a-z 0-9 _ -")
    assert len(sentence) <= 90
    assert "\n" not in sentence


@pytest.mark.parametrize(
    "id",
    ["", "a.b", "a*", ">", "a b", "a\n", "a" * 65, "é", "٣", "a\x00"],
)
@pytest.mark.parametrize("name", ["id", "session", "timer", "effect"])
def test_every_part_of_a_subject_is_checked(name: str, id: str) -> None:
    build = {
        "id": subjects.log,
        "session": subjects.ask_history,
        "timer": lambda value: subjects.timer("a", value),
        "effect": lambda value: subjects.effect_claim("a", value),
    }[name]
    with pytest.raises(InvalidRequest, match=f"^{name} is ") as caught:
        build(id)
    assert caught.value.field == name


def test_an_unknown_role_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(
        InvalidRequest, match=r"^role is 'primary'; use one of summarizer, gateway, briefing$"
    ):
        subjects.work_queue("a", "primary")


@pytest.mark.parametrize(
    "subject",
    ["warmxfer", "warmxfer.a", "other.a.log", "warmxfer.a.no", "warmxfer.a b.log", "warmxfer.\ufffd.log"],
)
def test_a_foreign_subject_is_rejected(subject: str) -> None:
    with pytest.raises(InvalidRequest):
        subjects.parse(subject)
