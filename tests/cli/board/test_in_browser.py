"""The page in a real browser, beside real actors: what a person sees and does.

Each test ends with `no_fault`: no complaint in the console, no violation of the policy, no request elsewhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import BrowserContext, expect

from warmxfer.bus.subject_table import BOARD
from warmxfer.cli.board.serve import BoardOptions, RunningBoard, running_board
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.cli.scenarios import BY_NAME
from warmxfer.client import Client, TransferHandle

from .board_fixture import TOKEN
from .conftest import Visit

pytestmark = pytest.mark.asyncio(loop_scope="session")

TIME_SCALE = 0.3
RESULT_S = 60.0


@dataclass
class Deployment:
    """Real actors, a board and a client."""

    stack: LocalStack
    board: RunningBoard
    client: Client

    async def transfer(self, scenario: str, name: str, **config: Any) -> TransferHandle:
        """Place a call and request its transfer to a supervisor of this name."""
        chosen = BY_NAME[scenario]
        caller = await self.stack.call(chosen.caller)
        await self.stack.start("primary", rooms=[caller.room_id])
        request = chosen.request(caller.room_id)
        request["config"]["destination"]["participant_display_name"] = name
        request["config"].update(config)
        return await self.client.request(request)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def deployment(browser: object) -> AsyncIterator[Deployment]:
    """One stack for the tests of this file. It needs the browser, so that a skip starts no stack."""
    async with LocalStack(time_scale=TIME_SCALE) as stack, stack.client() as client:
        options = BoardOptions(token=TOKEN, actions=True)
        async with running_board(stack.settings(BOARD), options) as board:
            yield Deployment(stack, board, client)


async def test_a_live_transfer_appears_advances_ends_and_opens(deployment: Deployment, visit: Visit) -> None:
    page = visit.page
    await visit.open(deployment.board.link)
    assert TOKEN not in page.url
    await expect(page.get_by_role("heading", level=1)).to_have_text("No caller is waiting")
    transfer = await deployment.transfer("ready", "Dana (billing)")
    row = page.locator("#running .row", has_text="Dana (billing)")
    await expect(row).to_contain_text("Dana (billing) to accept or decline")
    await expect(row).to_contain_text("+•••••••••01")
    await expect(row).to_contain_text("of at most 3:00")
    await expect(page.get_by_role("heading", level=1)).to_have_text("1 caller waits for a human")
    await transfer.result(RESULT_S)
    ended = page.locator("#ended .row", has_text="Dana (billing)")
    await expect(ended).to_contain_text("Connected")
    await expect(ended).to_contain_text("Caller with the supervisor")
    await expect(ended).to_contain_text("to human, in time")
    await expect(page.get_by_role("heading", level=1)).to_have_text("No caller is waiting")
    await visit.check_accessibility("the list")

    await ended.get_by_role("link").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("Connected to Dana (billing)")
    await expect(page.get_by_role("heading", level=1)).to_be_focused()
    assert page.url.endswith(f"#/t/{transfer.id}")
    facts = page.locator(".facts")
    await expect(facts).to_contain_text("within the target 1:00")
    await expect(facts).to_contain_text("with the supervisor since")
    legend = page.get_by_role("region", name="Timeline").locator(".legend")
    for words in ("Ringing", "Briefing", "the supervisor says yes", "end of the transfer"):
        await expect(legend.filter(has_text=words)).to_have_count(1)
    await expect(page.locator("svg.timeline .step.briefing")).to_have_count(1)
    await expect(page.locator("svg.timeline .command")).not_to_have_count(0)
    happened = page.get_by_role("region", name="What happened")
    await expect(happened).to_contain_text("Supervisor said yes")
    await expect(happened).to_contain_text("Supervisor can be heard")
    report = page.get_by_role("region", name="Report")
    await expect(report).to_contain_text("time to human")
    await expect(report).to_contain_text("Dial supervisor")
    await expect(page.get_by_role("region", name="Evidence")).to_contain_text("accepted by")
    await page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    await report.get_by_role("button", name="Copy JSON: report").click()
    await expect(report.get_by_role("button", name="Copied: report")).to_have_count(1)
    copied = json.loads(await page.evaluate("navigator.clipboard.readText()"))
    assert (copied["transfer_id"], copied["outcome"]) == (transfer.id, "complete")
    await visit.check_accessibility("one transfer")
    assert "4155550101" not in await page.content()
    await page.keyboard.press("Escape")
    await expect(page.locator("#ended .row", has_text="Dana (billing)")).to_be_visible()
    await visit.no_fault()


async def test_an_open_transfer_advances_live(deployment: Deployment, visit: Visit) -> None:
    page = visit.page
    transfer = await deployment.transfer("ready", "Noor (orders)")
    await visit.open(deployment.board.link)
    await page.goto(f"{deployment.board.address}/#/t/{transfer.id}")
    heading = page.get_by_role("heading", level=1)
    await expect(heading).to_have_text("Waits for Noor (orders) to accept or decline")
    await expect(page.get_by_role("button", name="Cancel transfer")).to_have_count(1)
    await expect(heading).to_have_text("Connected to Noor (orders)", timeout=RESULT_S * 1_000)
    await expect(page.get_by_role("region", name="What happened")).to_contain_text("transfer complete")
    await expect(page.get_by_role("button", name="Cancel transfer")).to_have_count(0)
    await visit.no_fault()


async def test_a_cancel_asks_first_and_returns_the_caller(deployment: Deployment, visit: Visit) -> None:
    page = visit.page
    transfer = await deployment.transfer("silent", "Tom (support)", briefing_timeout_s=600.0)
    await visit.open(deployment.board.link)
    await page.locator("#running .row", has_text="Tom (support)").get_by_role("link").click()
    await page.get_by_role("button", name="Cancel transfer").click()
    dialog = page.get_by_role("dialog")
    await expect(dialog).to_contain_text("the caller goes back to the AI")
    await visit.check_accessibility("the question")
    await dialog.get_by_role("button", name="Keep it").click()
    await expect(dialog).not_to_be_visible()
    status = await deployment.client.status(transfer.id)
    assert not status.ended, "the question changed nothing"
    await page.get_by_role("button", name="Cancel transfer").click()
    await dialog.get_by_role("button", name="Cancel transfer").click()
    result = await transfer.result(RESULT_S)
    assert (result.outcome, result.detail) == ("cancelled", "cancelled on the board")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Cancelled")
    await visit.no_fault()


async def test_the_filters_and_the_search_show_what_matches(deployment: Deployment, visit: Visit) -> None:
    page = visit.page
    busy = await deployment.transfer("busy", "Sam (claims)")
    declined = await deployment.transfer("declined", "Priya (retention)")
    await asyncio.gather(busy.result(RESULT_S), declined.result(RESULT_S))
    await visit.open(deployment.board.link)
    ended = page.locator("#ended .row")
    await expect(ended.filter(has_text="Sam (claims)")).to_contain_text("Supervisor busy")
    await expect(ended.filter(has_text="Priya")).to_contain_text(
        "Supervisor declinedCaller sent back to the AI"
    )
    await expect(ended.filter(has_text="Priya")).not_to_contain_text("The supervisor declined.")
    await page.keyboard.press("/")
    search = page.get_by_role("searchbox")
    await expect(search).to_be_focused()
    await search.fill("claims")
    await expect(ended).to_have_count(1)
    await search.fill(declined.id[-8:])
    await expect(ended).to_have_count(1)
    await expect(ended).to_contain_text("Priya (retention)")
    await search.fill("")
    steps = page.get_by_role("group", name="Step")
    await expect(steps.get_by_role("button", name="Moving")).to_have_count(0)
    await steps.get_by_role("button", name="Ended").click()
    await expect(steps.get_by_role("button", name="Ended")).to_have_attribute("aria-pressed", "true")
    await expect(page.get_by_role("heading", name="Running now")).to_have_count(0)
    await steps.get_by_role("button", name="Ended").click()
    await expect(page.get_by_role("heading", name="Running now")).to_have_count(1)
    await page.get_by_label("Time of the end").select_option("at any time")
    await expect(ended.filter(has_text="Priya (retention)")).to_have_count(1)
    last_hour = page.get_by_role("region", name="Last hour")
    await expect(last_hour.get_by_role("img")).to_have_count(1)
    await expect(last_hour).to_contain_text("Supervisor busy")
    actors = page.get_by_role("region", name="Actors")
    await expect(actors).to_contain_text("Gateway")
    await expect(actors.locator(".dot.good")).not_to_have_count(0)
    await visit.no_fault()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
async def test_it_fits_and_is_readable_in_light_and_dark(
    deployment: Deployment, context: BrowserContext, visit: Visit, scheme: Any, width: int
) -> None:
    page = visit.page
    transfer = await deployment.transfer("busy", "A supervisor with a very long name (of a large team)")
    await transfer.result(RESULT_S)
    await page.emulate_media(color_scheme=scheme)
    await page.set_viewport_size({"width": width, "height": 800})
    await visit.open(deployment.board.link)
    await expect(page.locator("#ended .row")).not_to_have_count(0)
    assert not await visit.overflows()
    await visit.check_accessibility(f"the list, {scheme}, {width}")
    await page.goto(f"{deployment.board.address}/#/t/{transfer.id}")
    await expect(page.locator("svg.timeline .command")).not_to_have_count(0)
    assert not await visit.overflows()
    await visit.check_accessibility(f"one transfer, {scheme}, {width}")
    await visit.no_fault()


async def test_everything_can_be_done_by_keyboard(deployment: Deployment, visit: Visit) -> None:
    page = visit.page
    transfer = await deployment.transfer("busy", "Lee (legal)")
    await transfer.result(RESULT_S)
    await visit.open(deployment.board.link)
    await expect(page.locator("#ended .row", has_text="Lee (legal)")).to_be_visible()
    await page.keyboard.press("Tab")
    await expect(page.get_by_role("link", name="Skip to the transfers")).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.locator("main")).to_be_focused()
    link = page.locator("#ended .row", has_text="Lee (legal)").get_by_role("link")
    for _ in range(40):
        await page.keyboard.press("Tab")
        if await link.evaluate("each => each === document.activeElement"):
            break
    await expect(link).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("heading", level=1)).to_have_text("Supervisor busy")
    await visit.no_fault()


async def test_without_the_token_the_form_is_shown(deployment: Deployment, visit: Visit) -> None:
    page = visit.page
    answer = await page.goto(deployment.board.address)
    assert answer is not None
    assert answer.status == 401
    await visit.check_accessibility("the form")
    await page.get_by_label("Token").fill(TOKEN)
    await page.get_by_role("button", name="Show the board").click()
    await page.wait_for_selector("header .status.live")
    visit.complaints[:] = [each for each in visit.complaints if "401" not in each]
    await visit.no_fault()
