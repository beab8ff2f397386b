"""A browser for the tests of the page. Where there is no Chromium, they are skipped with a sentence."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
TIMEOUT_MS = 20_000
expect.set_options(timeout=TIMEOUT_MS)
VIOLATIONS = """
window.violations = [];
addEventListener('securitypolicyviolation', (event) =>
  window.violations.push(`${event.violatedDirective} ${event.blockedURI} ${event.sample}`));
"""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncIterator[Browser]:
    """Headless Chromium, one for all tests."""
    if CHROMIUM is None:
        pytest.skip("there is no chromium on this machine: install Debian's package chromium")
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield browser
        await browser.close()


@dataclass
class Visit:
    """One window, with what it complained about and where it sent requests."""

    page: Page
    complaints: list[str] = field(default_factory=list[str])
    hosts: set[str] = field(default_factory=set[str])

    async def open(self, link: str) -> None:
        """Open an address, and wait until the content is there."""
        await self.page.goto(link)
        await self.page.wait_for_selector("header .status.live")

    async def check_accessibility(self, where: str) -> None:
        """Assert that axe-core finds no fault in what is shown now."""
        if not await self.page.evaluate("typeof axe === 'object'"):
            # Evaluated by the debugger, so the page's policy does not have to allow it.
            await self.page.evaluate(AXE.read_text(encoding="utf-8") + "; 0")
        found: Any = await self.page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        faults = [
            f"{each['id']}: {each['help']}: {each['nodes'][0]['html'][:200]}" for each in found["violations"]
        ]
        assert faults == [], where

    async def no_fault(self) -> None:
        """Assert that nothing was complained about, and that no request left this machine."""
        assert self.complaints == []
        assert await self.page.evaluate("window.violations") == []
        assert self.hosts == {"127.0.0.1"}

    async def overflows(self) -> bool:
        """Return whether the page is wider than the window."""
        return await self.page.evaluate("document.documentElement.scrollWidth > innerWidth")


@pytest_asyncio.fixture(loop_scope="session")
async def context(browser: Browser) -> AsyncIterator[BrowserContext]:
    context = await browser.new_context(viewport={"width": 1280, "height": 900}, reduced_motion="reduce")
    context.set_default_timeout(TIMEOUT_MS)
    await context.add_init_script(VIOLATIONS)
    yield context
    await context.close()


@pytest_asyncio.fixture(loop_scope="session")
async def visit(context: BrowserContext) -> Visit:
    """A window that records its complaints: console errors, exceptions, failed requests."""
    visit = Visit(await context.new_page())
    page = visit.page

    def on_console(message: Any) -> None:
        if message.type in ("error", "warning"):
            visit.complaints.append(f"console: {message.text}")

    page.on("console", on_console)
    page.on("pageerror", lambda error: visit.complaints.append(f"exception: {error}"))
    page.on("request", lambda request: visit.hosts.add(request.url.split("/")[2].split(":")[0]))
    return visit
