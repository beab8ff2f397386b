"""Where a transfer is in its trace."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.testkit.recorded_spans import recorded_spans
from warmxfer.actors.coordinator import transfer_trace
from warmxfer.tracing import HEADER, TraceParent, trace_id_of

USER = TraceParent(0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331, sampled=True)


@pytest.fixture
def on() -> Iterator[None]:
    with recorded_spans():
        yield


def test_without_traces_there_is_none() -> None:
    assert transfer_trace.begin("t-1", {HEADER: USER.header}) is None
    assert transfer_trace.read("t-1", {HEADER: USER.header}) is None


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("headers", [{}, {HEADER: USER.header}])
def test_each_coordinator_finds_the_same_trace(headers: dict[str, str]) -> None:
    begun = transfer_trace.begin("t-1", headers)
    assert begun is not None
    assert begun == transfer_trace.begin("t-1", headers)
    assert begun == transfer_trace.read("t-1", begun.headers)
    assert begun.command("t-1-4") != begun.command("t-1-5")
    assert begun.root.sampled


@pytest.mark.usefixtures("on")
def test_the_trace_of_a_user_is_continued() -> None:
    begun = transfer_trace.begin("t-1", {HEADER: USER.header})
    assert begun is not None
    assert (begun.root.trace_id, begun.began_in) == (USER.trace_id, USER)
    assert begun.root.span_id != USER.span_id


@pytest.mark.usefixtures("on")
@pytest.mark.parametrize("header", ["", "00-1-2-3", "\x00", "00-" + "0" * 32 + "-b7ad6b7169203331-01"])
def test_a_request_with_another_header_gets_a_trace_of_its_own(header: str) -> None:
    begun = transfer_trace.begin("t-1", {HEADER: header})
    assert begun is not None
    assert (begun.root.trace_id, begun.began_in) == (trace_id_of("t-1"), None)
    assert transfer_trace.read("t-1", {HEADER: header}) is None


@pytest.mark.usefixtures("on")
def test_a_trace_that_the_user_does_not_sample_is_not_recorded() -> None:
    begun = transfer_trace.begin("t-1", {HEADER: USER._replace(sampled=False).header})
    assert begun is not None
    assert not begun.root.sampled
    assert transfer_trace.read("t-1", begun.headers) == begun
    assert not begun.command("t-1-4").sampled


def test_the_sampler_decides_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "always_off")
    with recorded_spans():
        begun = transfer_trace.begin("t-1", {HEADER: USER.header})
        assert begun is not None
        assert not begun.root.sampled
    with recorded_spans():
        monkeypatch.delenv("OTEL_TRACES_SAMPLER")
        assert transfer_trace.read("t-1", begun.headers) == begun
