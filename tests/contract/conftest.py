"""One cloud for the whole suite; each test gets a client of it and leaves nothing behind.

A test with the fixture `phone` places calls and is marked `phone`. The fixture `admin` needs the sandbox's
control API. The fixture `webhook_receiver` needs a cloud that can reach this machine.
"""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from .cloud import Cloud, open_cloud
from .phone import Phone
from .sandbox_admin import SandboxAdmin
from .target import KEYS, LINE, URL, WEBHOOK_PORT, WEBHOOK_URL, Target, open_target
from .webhook_receiver import WebhookReceiver, open_webhook_receiver


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "phone: places calls, which cost money anywhere but in the sandbox")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test that uses the fixture `phone`, so that no test can call without the mark."""
    for item in items:
        if item.path.parent == Path(__file__).parent and "phone" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.phone)


@pytest.fixture(scope="session")
def target() -> Iterator[Target]:
    """The cloud under test."""
    with open_target(os.environ) as target:
        if target is None:
            pytest.skip(f"{URL} names a cloud, which needs {' and '.join(KEYS)}")
        yield target


@pytest.fixture
async def cloud(target: Target) -> AsyncIterator[Cloud]:
    """The cloud, for one test."""
    async with open_cloud(target) as cloud:
        yield cloud


@pytest.fixture
def phone(cloud: Cloud) -> Phone:
    """A phone that answers."""
    if cloud.target.line is None:
        pytest.skip(f"a call on a real cloud costs money: allow it by {', '.join(LINE)}")
    return Phone(cloud, cloud.target.line)


@pytest.fixture
async def admin(cloud: Cloud) -> AsyncIterator[SandboxAdmin]:
    """The sandbox's control API."""
    if not cloud.target.is_sandbox:
        pytest.skip("this needs a fault or a person on demand; only our own sandbox has them")
    admin = SandboxAdmin(cloud)
    yield admin
    await admin.clear_faults()


@pytest.fixture
async def webhook_receiver(target: Target) -> AsyncIterator[WebhookReceiver]:
    """The receiver of webhooks."""
    if not target.local and not target.webhook_url:
        pytest.skip(f"the cloud cannot reach this machine: give {WEBHOOK_URL} and {WEBHOOK_PORT}")
    async with open_webhook_receiver(target) as webhook_receiver:
        yield webhook_receiver
