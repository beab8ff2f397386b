"""Every test here runs with the product's logs read and not printed."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import structlog

from .logs import read_logs


@pytest.fixture(autouse=True)
def silence() -> Iterator[None]:
    before = structlog.get_config()
    read_logs()
    yield
    structlog.configure(**before)
