"""The page with 500 transfers at once: all of them are there, and one change draws one row."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from warmxfer.bus import Bus
from warmxfer.cli.board import feed
from warmxfer.cli.board.serve import RunningBoard
from warmxfer.schemas.report import CommandTime
from warmxfer.schemas.timeline import DeadLetter, TimelineEntry

from .board_fixture import RINGING, TOKEN, FakeCoordinator, board_on, publish
from .board_fixture import own_bus as own_bus
from .conftest import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

TRANSFERS = 500
AT_ONCE = 50
CHANGES_PER_S = 100
MEASURED_S = 4.0
MAX_BUSY_SHARE = 0.7
"""Share of one core that the page may use."""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def coordinator(bus: Bus) -> AsyncIterator[FakeCoordinator]:
    async with FakeCoordinator(bus).serving() as coordinator:
        yield coordinator


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def board(bus: Bus, coordinator: FakeCoordinator) -> AsyncIterator[RunningBoard]:
    async with board_on(bus) as running:
        yield running


async def publish_all(bus: Bus, *names: str, first: int = 1) -> None:
    for start in range(0, TRANSFERS, AT_ONCE):
        ids = range(start, min(start + AT_ONCE, TRANSFERS))
        await asyncio.gather(*(publish(bus, f"t-{id:03}", *names, first=first) for id in ids))


async def test_500_transfers_are_shown_and_one_change_draws_one_row(
    bus: Bus, board: RunningBoard, visit: Visit
) -> None:
    page = visit.page
    await publish_all(bus, *RINGING)
    await visit.open(board.link)
    await expect(page.locator("#running .row")).to_have_count(TRANSFERS)
    await expect(page.locator("#running .row", has_text="Dana (billing) to answer")).to_have_count(TRANSFERS)
    await expect(page.get_by_role("heading", level=1)).to_have_text(f"{TRANSFERS} callers wait for a human")
    await page.evaluate(
        """() => {
          window.drawn = new Set();
          new MutationObserver((changes) => {
            for (const {target} of changes) {
              const row = (target.nodeType === 1 ? target : target.parentElement)?.closest('.row');
              if (row && target.parentElement?.closest('.what, .who')) drawn.add(row);
            }
          }).observe(document.querySelector('#running'),
            {subtree: true, childList: true, characterData: true});
        }"""
    )
    await publish(bus, "t-250", "supervisor_joined", "briefing_started", first=7)
    await expect(page.locator("#running .row", has_text="Dana (billing) to accept or decline")).to_have_count(
        1
    )
    assert await page.evaluate("drawn.size") == 1
    await visit.no_fault()


async def test_500_transfers_with_many_changes_stay_smooth(
    bus: Bus, board: RunningBoard, visit: Visit
) -> None:
    """The CPU time of the page's thread is measured, which does not depend on what else the machine does."""
    page = visit.page
    await visit.open(board.link)
    await expect(page.locator("#running .row")).to_have_count(TRANSFERS)
    devtools = await page.context.new_cdp_session(page)
    await devtools.send("Performance.enable", {"timeDomain": "threadTicks"})

    async def busy_s() -> float:
        metrics = (await devtools.send("Performance.getMetrics"))["metrics"]
        return next(each["value"] for each in metrics if each["name"] == "TaskDuration")

    before, started = await busy_s(), time.monotonic()
    changes = 0
    while time.monotonic() - started < MEASURED_S:
        changes += 1
        await publish(bus, f"c-{changes}", *RINGING[:1])
        await publish(bus, f"c-{changes}", "transfer_cancelled", first=2)
        await asyncio.sleep(2 / CHANGES_PER_S)
    await expect(page.get_by_role("region", name="Last hour")).to_contain_text(f"ended{changes}")
    busy, took = await busy_s() - before, time.monotonic() - started
    print(f"{changes} transfers in {took:.1f} s beside {TRANSFERS} rows: {busy / took:.2f} of one core")
    assert busy / took < MAX_BUSY_SHARE
    await visit.no_fault()


async def test_a_dead_letter_is_replayed_after_a_question(
    coordinator: FakeCoordinator, board: RunningBoard, visit: Visit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed, "DEAD_LETTERS_S", 0.1)
    coordinator.dead_letters = [
        DeadLetter(
            number=4730,
            at=time.time(),
            id="t-001",
            subject="wx.1.t-001.do.gateway",
            consumer="gateway",
            cause="RetryableError: the provider did not answer",
            tries=20,
        )
    ]
    page = visit.page
    await visit.open(board.link)
    letters = page.get_by_role("region", name="Dead letters")
    await expect(letters).to_contain_text("the provider did not answer")
    await visit.check_accessibility("with a dead letter")
    await letters.get_by_role("button", name="Replay").click()
    await page.get_by_role("dialog").get_by_role("button", name="Replay").click()
    await expect(letters).to_contain_text("Replayed")
    assert coordinator.replayed == [4730]
    await visit.no_fault()


async def test_a_command_that_was_sent_again_has_a_mark_and_leg_checks_are_one_group(
    bus: Bus, board: RunningBoard, coordinator: FakeCoordinator, visit: Visit
) -> None:
    """Leg checks are repeated by plan and have no mark."""
    await publish(bus, "t-again", *RINGING)
    began_at = time.time()
    coordinator.commands = [
        CommandTime(command_id=f"c-{number}", kind=kind, sent_at=began_at + number, again=again)
        for number, (kind, again) in enumerate(
            [("return_caller", False), ("check_legs", False), ("return_caller", True), ("check_legs", True)]
        )
    ]
    coordinator.entries = [
        TimelineEntry(at=began_at, event="transfer_requested", phases=["started"]),
        TimelineEntry(at=began_at + 1, event="deadline_passed", commands=["check_legs"]),
        TimelineEntry(at=began_at + 2, event="legs_checked", note="caller up, supervisor up"),
        TimelineEntry(at=began_at + 3, event="deadline_passed", commands=["check_legs"]),
        TimelineEntry(at=began_at + 4, event="legs_checked", note="caller up, supervisor down"),
    ]
    try:
        await visit.open(board.link)
        await visit.page.goto(f"{board.address}/#/t/t-again")
        happened = visit.page.get_by_role("region", name="What happened")
        await expect(happened.locator("ol.entries > li:not(details li)")).to_have_count(2)
        await expect(happened.locator("summary")).to_have_text(["2 leg checks caller up, supervisor down"])
        marks = visit.page.locator("svg.timeline .mark-again")
        await expect(marks).to_have_text(["↻Return caller: tried again"])
        report = visit.page.get_by_role("region", name="Report")
        await expect(report.get_by_text("tried again")).to_have_count(1)
        await visit.check_accessibility("one transfer with a retry")
    finally:
        coordinator.commands = coordinator.entries = None
    await visit.no_fault()


async def test_a_board_that_stops_and_starts_again_is_followed(bus: Bus, visit: Visit) -> None:
    """The browser connects again by itself: with the same token it has the cookie still."""
    page = visit.page
    async with board_on(bus) as first:
        await visit.open(first.link)
        port = int(first.address.rpartition(":")[2])
    await expect(page.locator("header .status")).to_have_text("Not connected")
    async with board_on(bus, port=port):
        await expect(page.locator("header .status")).to_have_text("Live")
    assert all("ERR_" in each or "Failed to load" in each for each in visit.complaints), visit.complaints


async def test_another_token_brings_back_the_form(bus: Bus, visit: Visit) -> None:
    page = visit.page
    async with board_on(bus) as first:
        await visit.open(first.link)
        port = int(first.address.rpartition(":")[2])
    async with board_on(bus, port=port, token=f"{TOKEN}-changed"):
        await expect(page.get_by_label("Token")).to_be_visible()
