"""What the page says of waits: one number, one target, and which supervisor is in two transfers."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from playwright.async_api import expect

from warmxfer.bus import Bus
from warmxfer.cli.board.serve import RunningBoard

from .board_fixture import RINGING, FakeCoordinator, board_on, publish
from .board_fixture import own_bus as own_bus
from .conftest import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

TARGET_S = 30.0
WAITED_S = 23.0
"""Almost late, which begins at three quarters of the target."""
HEIGHT = 740
NUMBERS = """() => {
  const text = (place) => document.querySelector(place).textContent.trim();
  return [text('.headline p b'), text('#running .row .wait b')];
}"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def board(bus: Bus) -> AsyncIterator[RunningBoard]:
    coordinator = FakeCoordinator(bus)
    coordinator.waited_s = WAITED_S
    async with coordinator.serving(), board_on(bus, wait_target_s=TARGET_S) as running:
        yield running


async def test_headline_and_row_show_one_wait_and_late_is_over_the_shown_target(
    bus: Bus, board: RunningBoard, visit: Visit
) -> None:
    page = visit.page
    await visit.open(board.link)
    await publish(bus, "t-late", *RINGING)
    row = page.locator("#running .row")
    level = row.locator(".level")
    await expect(level).to_have_text("almost late")
    await expect(row.locator("rect.target")).to_have_count(1)
    headline, shown = await page.evaluate(NUMBERS)
    assert headline == shown <= "0:30"
    await expect(level).to_have_text("late")
    headline, shown = await page.evaluate(NUMBERS)
    assert headline == shown > "0:30"
    await expect(page.locator(".headline")).to_contain_text("1 caller waits longer than the target 0:30.")
    await visit.check_accessibility("a late caller")

    await publish(bus, "t-late", "transfer_complete", first=len(RINGING) + 1)
    await expect(page.locator("#ended .row")).to_contain_text("to human, late")
    figures = page.get_by_role("region", name="Last hour")
    await expect(figures).to_contain_text("of these within 0:300")
    await expect(figures).not_to_contain_text("median")
    await visit.no_fault()


async def test_a_supervisor_in_two_transfers_is_flagged_and_a_narrow_page_has_callers_first(
    bus: Bus, board: RunningBoard, visit: Visit
) -> None:
    page = visit.page
    await page.set_viewport_size({"width": 360, "height": HEIGHT})
    await visit.open(board.link)
    await publish(bus, f"t-{time.time_ns()}", *RINGING)
    row = page.locator("#running .row")
    await expect(row).to_contain_text("connected to another caller at")
    await publish(bus, f"t-{time.time_ns()}", *RINGING)
    await expect(row.filter(has_text="also in another transfer")).to_have_count(2)
    await expect(row.first).to_contain_text("in this step")
    await expect(page.get_by_role("button", name="Theme: auto")).to_be_visible()

    box = await row.first.bounding_box()
    assert box is not None
    assert box["y"] < HEIGHT / 2
    search = page.get_by_role("searchbox", include_hidden=True)
    await expect(search).not_to_be_visible()
    await page.get_by_role("button", name="Search and filter").click()
    await expect(search).to_be_visible()
    assert not await visit.overflows()
    await visit.check_accessibility("the unfolded filters")
    await visit.no_fault()
