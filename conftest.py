"""Stop a pytest that does not run in the project's environment.

`uv run` without `--group dev` finds no pytest in the environment, and starts another one from the PATH.
That one fails with an unknown option or a failed import, and neither error names the cause.
"""

from __future__ import annotations

from importlib.util import find_spec

import pytest

NEEDED = ("hypothesis", "pytest_asyncio", "pytest_timeout", "testcontainers", "warmxfer", "xdist", "yaml")


def pytest_addoption() -> None:
    """Raise UsageError if a package is missing. Pytest calls this before it rejects unknown options."""
    missing = [name for name in NEEDED if find_spec(name) is None]
    if missing:
        raise pytest.UsageError(
            f"this pytest runs without {', '.join(missing)}; run: uv run --group dev pytest"
        )
