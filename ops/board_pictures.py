"""Make the pictures of the board in docs/pictures, from a board beside real actors and simulated people.

    uv run --group dev python -m ops.board_pictures

It needs Debian's package `chromium`. It takes about two minutes, because the people speak in real time.
"""

from __future__ import annotations

import asyncio
import secrets
import shutil
import sys
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, async_playwright

from warmxfer.bus.subject_table import BOARD
from warmxfer.cli.board.serve import BoardOptions, RunningBoard, running_board
from warmxfer.cli.local_stack.stack import LocalStack
from warmxfer.cli.scenarios import BY_NAME
from warmxfer.client import Client, TransferHandle

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "pictures"
WIDE, NARROW = (1280, 860), (360, 740)
RESULT_S = 120.0
BETWEEN_S = 2.5
"""Between two requests, so that the callers of the picture wait for different times."""
WAIT_TARGET_S = 18.0
"""So that the pictures have callers within the target, almost late and late."""
ENDED = (
    ("ready", "Dana (billing)"),
    ("busy", "Sam (claims)"),
    ("declined", "Priya (retention)"),
    ("voicemail", "Lee (legal)"),
    ("presses_one", "Noor (orders)"),
)
WAITING = (
    ("no_answer", "Ines (sales)"),
    ("silent", "Tom (support)"),
    ("ready", "Dana (billing)"),
    ("answers_late", "Maya (orders)"),
)
LIMITS = {"supervisor_join_timeout_s": 45.0, "briefing_timeout_s": 60.0}


async def main() -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        sys.exit("there is no chromium on this machine: install Debian's package chromium")
    FOLDER.mkdir(parents=True, exist_ok=True)
    options = BoardOptions(token=secrets.token_hex(16), actions=True, wait_target_s=WAIT_TARGET_S)
    async with (
        LocalStack() as stack,
        stack.client() as client,
        running_board(stack.settings(BOARD), options) as board,
        async_playwright() as playwright,
    ):
        browser = await playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        ended = await _request(stack, client, ENDED, 0.0)
        await asyncio.gather(*(each.result(RESULT_S) for each in ended))
        await _request(stack, client, WAITING, BETWEEN_S, **LIMITS)
        await asyncio.sleep(BETWEEN_S)
        await _photograph(browser, board, "board-light.png", "#running .row", "light", WIDE)
        await asyncio.sleep(BETWEEN_S)
        await _photograph(browser, board, "board-dark.png", "#running .row", "dark", WIDE)
        await _photograph(browser, board, "board-narrow.png", "#running .row", "light", NARROW)
        opened = f"/#/t/{ended[0].id}"
        await _photograph(
            browser, board, "board-transfer.png", "svg.timeline .command", "light", WIDE, opened
        )
        await browser.close()


async def _request(
    stack: LocalStack, client: Client, transfers: Any, pause_s: float, **config: Any
) -> list[TransferHandle]:
    callers = [await stack.call(BY_NAME[name].caller) for name, _ in transfers]
    await stack.start("primary", rooms=[caller.room_id for caller in callers])
    found: list[TransferHandle] = []
    for (name, supervisor), caller in zip(transfers, callers, strict=True):
        request = BY_NAME[name].request(caller.room_id)
        request["config"] |= config
        request["config"]["destination"]["participant_display_name"] = supervisor
        found.append(await client.request(request))
        await asyncio.sleep(pause_s)
    return found


async def _photograph(
    browser: Browser,
    board: RunningBoard,
    name: str,
    shown: str,
    scheme: Any,
    size: tuple[int, int],
    path: str = "/",
) -> None:
    context = await browser.new_context(
        viewport={"width": size[0], "height": size[1]}, color_scheme=scheme, locale="en-GB"
    )
    page = await context.new_page()
    await page.goto(board.link)
    await page.goto(board.address + path)
    await page.wait_for_selector(shown)
    if path == "/":
        await page.wait_for_selector(".actors .dot.good")
    await page.screenshot(path=FOLDER / name)
    await context.close()
    print(FOLDER / name)


if __name__ == "__main__":
    asyncio.run(main())
