"""The header `traceparent`, and ids that are derived."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.tracing import TraceParent, span_id_of, trace_id_of

VALID = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID, SPAN_ID = 0x0AF7651916CD43DD8448EB211C80319C, 0xB7AD6B7169203331


def test_the_header_of_the_specification_is_read_and_written() -> None:
    read = TraceParent.parse(VALID)
    assert read == TraceParent(TRACE_ID, SPAN_ID, sampled=True)
    assert read.header == VALID


@pytest.mark.parametrize(
    ("value", "sampled"),
    [
        (VALID[:-1] + "0", False),
        (VALID[:-2] + "03", True),
        (VALID[:-2] + "02", False),
        ("cc" + VALID[2:], True),
        ("cc" + VALID[2:] + "-what-comes-later", True),
    ],
)
def test_flags_and_later_versions_are_read(value: str, sampled: bool) -> None:
    assert TraceParent.parse(value) == TraceParent(TRACE_ID, SPAN_ID, sampled)


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        "ff" + VALID[2:],
        VALID + "-more",
        VALID[:-1],
        VALID.upper(),
        VALID.replace("-", "_"),
        f"00-{'0' * 32}-b7ad6b7169203331-01",
        f"00-0af7651916cd43dd8448eb211c80319c-{'0' * 16}-01",
        f"cc{VALID[2:]}-{'x' * 300}",
        "00-\u0660af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        f" {VALID}",
        f"{VALID}\n",
    ],
)
def test_another_value_is_no_header(value: str | None) -> None:
    assert TraceParent.parse(value) is None


@given(st.text())
def test_no_text_raises(value: str) -> None:
    read = TraceParent.parse(value)
    assert read is None or TraceParent.parse(read.header) == read


@given(st.integers(1, 2**128 - 1), st.integers(1, 2**64 - 1), st.booleans())
def test_what_is_written_is_read(trace_id: int, span_id: int, sampled: bool) -> None:
    place = TraceParent(trace_id, span_id, sampled)
    assert TraceParent.parse(place.header) == place


def test_derived_ids_are_those_of_every_version() -> None:
    """A coordinator of the next version continues the traces of this one."""
    assert trace_id_of("t-1") == 0x1224BA451EDB115F6E92D61C65128BDB
    assert span_id_of("command", "t-1-4") == 0x55417CAF41247D3C


def test_parts_of_a_derived_id_do_not_run_together() -> None:
    assert span_id_of("a", "bc") != span_id_of("ab", "c")
    assert span_id_of("command", "t-1") != span_id_of("transfer", "t-1")
    assert trace_id_of("t-1") != trace_id_of("t-2")


@given(st.text(max_size=64))
def test_a_derived_id_is_valid(id: str) -> None:
    assert TraceParent.parse(TraceParent(trace_id_of(id), span_id_of("transfer", id), True).header)
