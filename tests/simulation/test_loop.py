"""The loop ends what a run leaves behind, whatever the product does in its `finally` blocks."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Coroutine
from typing import Any

from .loop import NothingToRun, Process, SimLoop, spawn
from .patches import patched
from .run import ignored_errors
from .world import simulate

A_BUSY_SEED = 3
"""A run of a hundred seconds, in which processes crash."""


def abandoned(work: Coroutine[Any, Any, Any]) -> list[str]:
    """Run `work` until it waits for ever, abandon it, and return the errors that Python prints then."""
    loop = SimLoop()
    spawn(loop, Process("test", "user"), work, "test")
    with ignored_errors() as ignored:
        try:
            loop.run_forever()
        except NothingToRun:
            loop.abandon()
        loop.close()
        del work
        gc.collect()
    assert not [
        each for each in gc.get_objects() if isinstance(each, asyncio.Task) and each.get_loop() is loop
    ]
    return ignored


async def wait_for_ever() -> None:
    await asyncio.get_running_loop().create_future()


def test_an_inner_coroutine_that_awaits_while_it_closes_is_ended() -> None:
    ended: list[str] = []

    async def inner() -> None:
        try:
            await wait_for_ever()
        finally:
            try:
                await asyncio.sleep(1)  # It is ended here too.
                ended.append("after the sleep")
            finally:
                await asyncio.sleep(1)

    async def outer() -> None:
        try:
            await inner()
        finally:
            ended.append("outer")

    assert abandoned(outer()) == []
    assert ended == ["outer"]


def test_what_a_finally_block_starts_does_not_outlive_the_run() -> None:
    """As `Responder.__aexit__` and `Worker.stop` do: outside of a running loop these would fail, or leak."""

    async def work() -> None:
        try:
            await wait_for_ever()
        finally:
            task = asyncio.create_task(wait_for_ever())
            try:
                await asyncio.wait({task}, timeout=1)
            finally:
                await asyncio.gather(wait_for_ever(), wait_for_ever())

    assert abandoned(work()) == []


def test_a_coroutine_that_catches_every_error_is_ended() -> None:
    async def work() -> None:
        while True:
            try:
                await asyncio.sleep(1)
                await wait_for_ever()
            except (Exception, asyncio.CancelledError):
                continue

    assert abandoned(work()) == []


def test_a_run_leaves_no_task_and_no_error_behind() -> None:
    gc.collect()
    before = len([each for each in gc.get_objects() if isinstance(each, SimLoop)])
    with patched(), ignored_errors() as ignored:
        assert simulate(A_BUSY_SEED).problems == ()
        gc.collect()
    assert ignored == []
    assert len([each for each in gc.get_objects() if isinstance(each, SimLoop)]) == before
