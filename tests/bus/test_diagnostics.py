"""What the broker's report says of streams that are there, and of one that is missing."""

from __future__ import annotations

from warmxfer.bus import Bus, subjects


async def test_a_report_counts_what_is_stored(fresh_bus: Bus) -> None:
    before = await fresh_bus.diagnose()
    await fresh_bus.publish(subjects.phase("t1"), b"{}")
    report = await fresh_bus.diagnose()
    assert (report.missing_streams, report.messages) == ((), 1)
    assert report.written == before.written + 1
    assert report.storage is not None
    assert report.server_time is not None


async def test_a_report_without_one_stream_names_it_and_gives_no_sums(fresh_bus: Bus) -> None:
    """A sum of the other streams would look like the whole."""
    await fresh_bus.publish(subjects.phase("t1"), b"{}")
    await fresh_bus._connection.api(f"STREAM.DELETE.{subjects.ARCHIVE}")
    report = await fresh_bus.diagnose()
    assert report.missing_streams == (subjects.ARCHIVE,)
    assert (report.messages, report.storage) == (None, None)
