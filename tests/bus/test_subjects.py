"""One table holds every subject, and no unchecked id reaches a subject."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.bus import InvalidRequest, subjects
from warmxfer.bus.partition import PARTITIONS, partition_of
from warmxfer.bus.subject_table import SUBJECTS

ALLOWED = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
IDS = st.from_regex(ALLOWED, fullmatch=True)

VERBS = (
    *("validate", "start", "status", "list", "cancel", "report"),
    *("outline", "timeline", "dead_letters"),
)
BUILT = {
    "request": subjects.request("a"),
    "cancel": subjects.cancel("a"),
    "phase": subjects.phase("a"),
    "result": subjects.result("a"),
    "notice": subjects.notice("a"),
    "event": subjects.event("a", "gateway"),
    "timeout": subjects.timeout("a"),
    "log": subjects.log("a"),
    "dead": subjects.dead_letter("a"),
    "do.summarizer": subjects.work_queue("a", "summarizer"),
    "do.gateway": subjects.work_queue("a", "gateway"),
    "do.briefing": subjects.work_queue("a", "briefing"),
    "session.briefing": subjects.session_briefing("s"),
    "session.primary": subjects.session_commands("s"),
    "session.lock": subjects.caller_lock("s"),
    "do.consult": subjects.consult("a"),
    "timer": subjects.timer("a", "t"),
    "archive": subjects.archived("a"),
    "intent": subjects.effect_claim("a", "dial"),
    "dial.count": subjects.dial_count("all"),
    "ask.history": subjects.ask_history("s"),
    "ask.summary": subjects.ask_summary("s"),
    "ask.token": subjects.ASK_ROOM_TOKEN,
    "ask.token.session": subjects.ask_session_token("s"),
    "ask.pulse": subjects.ASK_LIVENESS,
    "ask.erase": subjects.ASK_ERASE,
    "ask.replay": subjects.ASK_REPLAY,
    **{f"api.{verb}": subjects.api(verb) for verb in VERBS},
    "presence": subjects.COORDINATOR_PRESENCE,
    "capacity": subjects.capacity("gateway"),
}


STORED = [each for stream in subjects.STREAMS for each in subjects.stored_filters(stream)]


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


def test_the_streams_store_exactly_the_captured_subjects() -> None:
    assert sorted(STORED) == sorted(r.filter for r in subjects.SUBJECTS if r.captured)
    assert len(set(STORED)) == len(STORED)
    for spec in subjects.SUBJECTS:
        captured = any(matches(pattern, BUILT[spec.name]) for pattern in STORED)
        assert captured == spec.captured, spec.name


def test_each_stored_subject_is_read_from_the_stream_that_stores_it() -> None:
    for spec in subjects.SUBJECTS:
        if not spec.captured:
            continue
        place = subjects.place_of(BUILT[spec.name])
        assert place.stream == spec.stream, spec.name
        moved = spec.stream == subjects.IN
        assert place.subject == (subjects.stored_request("a", spec.name) if moved else BUILT[spec.name]), (
            spec.name
        )
        assert subjects.place_of(spec.filter).stream == spec.stream, spec.name


@pytest.mark.parametrize("subject", ["warmxfer.ask.token", "wx.3.a.>", "warmxfer.a.*", "a", "wx.a"])
def test_a_subject_of_no_single_stream_has_no_place(subject: str) -> None:
    with pytest.raises(InvalidRequest, match="no stream stores it"):
        subjects.place_of(subject)


def test_no_two_stored_patterns_overlap() -> None:
    patterns = STORED
    clashes = [(a, b) for n, a in enumerate(patterns) for b in patterns[n + 1 :] if overlap(a, b)]
    assert clashes == []


def test_no_live_subject_can_be_stored() -> None:
    live = [spec.filter for spec in subjects.SUBJECTS if not spec.captured]
    assert len(live) == 18
    clashes = [(q, s) for q in live for s in STORED if overlap(q, s)]
    assert clashes == []


@given(id=IDS, rest=IDS)
def test_a_built_subject_is_parsed_to_its_parts(id: str, rest: str) -> None:
    assert subjects.parse(subjects.request(id)) == (id, "request", "")
    assert subjects.parse(subjects.place_of(subjects.request(id)).subject) == (id, "request", "")
    assert subjects.parse(subjects.event(id, "primary")) == (id, "event", "primary")
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
    [
        "warmxfer",
        "warmxfer.a",
        "other.a.phase",
        "warmxfer.a.no",
        "warmxfer.a b.phase",
        "warmxfer.\ufffd.phase",
        "warmxfer.a.log",
        f"wx.{(partition_of('a') + 1) % PARTITIONS}.a.log",
        f"wx.{partition_of('a')}.a.phase",
        f"wx.0{partition_of('a')}.a.log",
        "wx.session.s.primary",
    ],
)
def test_a_foreign_subject_is_rejected(subject: str) -> None:
    with pytest.raises(InvalidRequest):
        subjects.parse(subject)


@pytest.mark.parametrize(
    ("id", "named"),
    [
        ("a!b", "a!b"),
        ("x" * 80, "x" * 80),
        ("é", "é"),
        ("", ""),
        ("cancel", "cancel"),
        ("request", "request"),
    ],
)
def test_a_refused_request_has_sibling_subjects_of_its_author(id: str, named: str) -> None:
    """No transfer may have this id. Its author learns of it on the subjects with the id as it was sent."""
    stored = f"wx.0.{id}.request"
    assert subjects.sibling_subject(stored, "phase") == f"warmxfer.{named}.phase"
    assert subjects.sibling_subject(stored, "result") == f"warmxfer.{named}.result"


LONGEST_ID = "x" * (subjects.MAX_SUBJECT_CHARS - len("wx.0..request"))


def test_a_subject_of_the_greatest_length_has_a_sibling() -> None:
    assert subjects.sibling_subject(f"wx.0.{LONGEST_ID}.request", "phase") == f"warmxfer.{LONGEST_ID}.phase"


@pytest.mark.parametrize(
    "subject",
    [
        "wx.0.a!b.cancel",
        "wx.0.request.cancel",
        "wx.request.a!b.cancel",
        "request.0.a!b.cancel",
        "warmxfer.0.a!b.request",
        "wx.a!b.request",
        "wx.0.a.b.request",
        "wx.0.a!b.event.request",
        f"wx.0.{LONGEST_ID}x.request",
        "wx.0.*.request",
        "wx.0.a*.request",
        "wx.0.a>.request",
        "wx.0.a b.request",
        "wx.0.a\tb.request",
        "wx.0.a\x00b.request",
    ],
)
def test_what_is_no_request_of_one_author_has_no_sibling(subject: str) -> None:
    assert subjects.sibling_subject(subject, "phase") is None


def test_each_kind_is_a_word_and_no_place_for_one() -> None:
    kinds = {spec.kind for spec in SUBJECTS if spec.captured}
    assert {"log", "phase", "archive"} <= kinds
    assert [kind for kind in kinds if not kind.replace("_", "").isalpha()] == []
