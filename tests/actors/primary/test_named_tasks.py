"""Background tasks of an attachment: every failure is logged, without the conversation."""

from __future__ import annotations

import asyncio

import pytest
import structlog

from warmxfer.actors.primary.named_tasks import NamedTasks


async def test_a_failed_task_does_not_log_local_variables(capsys: pytest.CaptureFixture[str]) -> None:
    """With its default configuration, structlog logs the local variables of every frame."""

    async def fail() -> None:
        utterance = "my card number is on file"
        assert utterance
        raise LookupError("no such participant")

    before = structlog.get_config()
    structlog.reset_defaults()
    try:
        NamedTasks().start("phases", fail())
        await asyncio.sleep(0.01)
    finally:
        structlog.configure(**before)
    shown = capsys.readouterr()
    assert "no such participant" in shown.out + shown.err
    assert "in fail" in shown.out + shown.err
    assert "card number" not in shown.out + shown.err


async def test_a_second_task_of_a_name_replaces_the_first() -> None:
    tasks, cancelled = NamedTasks(), []

    async def wait(name: str) -> None:
        try:
            await asyncio.sleep(10)
        except asyncio.CancelledError:
            cancelled.append(name)
            raise

    tasks.start("line", wait("first"))
    await asyncio.sleep(0)
    tasks.start("line", wait("second"))
    await asyncio.sleep(0)
    assert cancelled == ["first"]
    await tasks.stop_all()
    assert cancelled == ["first", "second"]
