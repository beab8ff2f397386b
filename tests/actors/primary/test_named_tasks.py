"""Tasks of an attachment: none dies unheard, and none tells what was said in the call."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from warmxfer.actors.primary.named_tasks import NamedTasks


async def test_what_was_said_is_not_shown_when_a_task_breaks(capsys: pytest.CaptureFixture[str]) -> None:
    """In a process of the user's, structlog may be as it comes: with the locals of every frame."""

    async def break_down() -> None:
        heard = "my card number is on file"
        assert heard
        raise LookupError("no such seat")

    before = structlog.get_config()
    structlog.reset_defaults()
    try:
        NamedTasks().start("phases", break_down())
        await asyncio.sleep(0.01)
    finally:
        structlog.configure(**before)
    shown = capsys.readouterr()
    assert "no such seat" in shown.out + shown.err
    assert "break_down" in shown.out + shown.err
    assert "card number" not in shown.out + shown.err


async def test_a_second_task_of_a_name_takes_the_place_of_the_first() -> None:
    tasks, seen = NamedTasks(), []

    async def wait(name: str) -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            seen.append(name)
            raise

    tasks.start("line", wait("first"))
    await asyncio.sleep(0)
    tasks.start("line", wait("second"))
    await asyncio.sleep(0)
    assert seen == ["first"]
    await tasks.stop_all()
    assert seen == ["first", "second"]
