"""The small queue behaves as `asyncio.Queue` does for one reader."""

from __future__ import annotations

import asyncio

import pytest

from warmxfer.bus.small_queue import SmallQueue


async def started(*tasks: asyncio.Task[object]) -> None:
    """Let the tasks run until they wait."""
    for _ in range(3):
        await asyncio.sleep(0)
    assert not any(task.done() for task in tasks)


async def test_items_are_returned_in_order() -> None:
    queue = SmallQueue[int](10)
    for n in range(5):
        queue.put_nowait(n)
    assert len(queue) == 5
    assert [await queue.get() for _ in range(5)] == list(range(5))


async def test_the_first_item_stays_until_it_is_taken() -> None:
    queue = SmallQueue[int](1)
    assert queue.first is None
    with pytest.raises(IndexError):
        queue.get_nowait()
    queue.put_nowait(1)
    writing = asyncio.create_task(queue.put(2))
    await started(writing)
    assert [queue.first, queue.first, queue.get_nowait()] == [1, 1, 1]
    async with asyncio.timeout(5):
        await writing
    assert [queue.first, queue.get_nowait(), queue.first] == [2, 2, None]


async def test_a_reader_waits_for_an_item() -> None:
    queue = SmallQueue[int](1)
    reading = asyncio.create_task(queue.get())
    await started(reading)
    queue.put_nowait(1)
    queue.put_nowait(2)
    assert [await reading, await queue.get()] == [1, 2]


async def test_a_cancelled_reader_loses_no_item() -> None:
    queue = SmallQueue[int](1)
    reading = asyncio.create_task(queue.get())
    await started(reading)
    queue.put_nowait(1)
    reading.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reading
    assert await queue.get() == 1


async def test_writers_wait_in_turn_for_a_place() -> None:
    queue = SmallQueue[int](1)
    queue.put_nowait(0)
    assert queue.full
    writing = [asyncio.create_task(queue.put(n)) for n in (1, 2, 3)]
    await started(*writing)
    writing[1].cancel()
    async with asyncio.timeout(5):
        assert [await queue.get() for _ in range(3)] == [0, 1, 3]
    assert len(queue) == 0


async def test_a_writer_that_is_cancelled_when_woken_passes_its_place_on() -> None:
    queue = SmallQueue[int](1)
    queue.put_nowait(0)
    writing = [asyncio.create_task(queue.put(n)) for n in (1, 2)]
    await started(*writing)
    assert await queue.get() == 0
    writing[0].cancel()
    async with asyncio.timeout(5):
        assert await queue.get() == 2
