"""Limits of a stream at which it would delete live data: each is refused with its field and the remedy."""

from __future__ import annotations

from typing import Any

import pytest

from warmxfer.bus import InvalidRequest
from warmxfer.bus.stream_limits import check_limits
from warmxfer.bus.subjects import ARCHIVE, CORE, EVENTS, IN, STREAMS

LIMITS = ("max_bytes", "max_msgs", "max_msgs_per_subject")


@pytest.mark.parametrize("field", LIMITS)
@pytest.mark.parametrize("stream", [CORE, EVENTS])
def test_a_limit_is_refused_with_its_value_and_the_command_that_removes_it(stream: str, field: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        check_limits(stream, {field: 1})
    assert refused.value.field == field
    option = "--" + field.replace("_", "-")
    assert str(refused.value).startswith(f"{field} of stream {stream} is 1, at which the stream deletes")
    assert f"nats stream edit {stream} {option}=-1" in str(refused.value)


@pytest.mark.parametrize("value", [-1, 0, None])
@pytest.mark.parametrize("stream", STREAMS)
def test_no_limit_is_accepted(stream: str, value: Any) -> None:
    check_limits(stream, dict.fromkeys(LIMITS, value))
    check_limits(stream, {})


def test_the_stream_of_requests_may_refuse_what_is_beyond_its_size() -> None:
    check_limits(IN, {"max_bytes": 1, "max_msgs": 1})
    with pytest.raises(InvalidRequest, match=f"max_msgs_per_subject of stream {IN}"):
        check_limits(IN, {"max_msgs_per_subject": 1})


def test_the_archive_may_have_any_limit() -> None:
    check_limits(ARCHIVE, dict.fromkeys(LIMITS, 1))


@pytest.mark.parametrize("stream", STREAMS)
def test_a_stream_that_acknowledges_before_it_writes_is_refused(stream: str) -> None:
    check_limits(stream, {"persist_mode": "default"})
    with pytest.raises(InvalidRequest, match=f"persist_mode of stream {stream} is 'async'") as refused:
        check_limits(stream, {"persist_mode": "async"})
    assert refused.value.field == "persist_mode"
    assert f"nats stream rm {stream}" in str(refused.value)
