"""The versions of `videosdk-agents` that warmxfer works with."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from typing import Final

import structlog

from warmxfer.schemas import InvalidRequest

PACKAGE: Final = "videosdk-agents"
OLDEST: Final = (1, 0, 27)
"""Its `WarmTransferResult` is the first with the ids of the participants."""
TOO_NEW: Final = (1, 1)
READ_IN: Final = ("1.0.27", "1.0.28", "1.0.29", "1.0.30")
"""Versions whose undocumented parts were read; `framework.py` names them."""

log = structlog.get_logger(__name__)


def check_version() -> None:
    """Raise `InvalidRequest` if the installed framework is too old or too new for warmxfer.

    Without this check the import works, and a transfer fails in the middle of a call. Logs a version whose
    undocumented parts were not read.
    """
    try:
        installed = version(PACKAGE)
    except PackageNotFoundError:  # a copy without metadata, for example in a vendored folder
        log.warning("framework_version_unknown", package=PACKAGE, read_in=READ_IN)
        return
    numbers = tuple(int(part) for part in re.findall(r"\d+", installed)[:3])
    if not numbers >= OLDEST or numbers >= TOO_NEW:
        raise InvalidRequest(
            f"{PACKAGE} is {installed}; warmxfer needs 1.0.27 or newer, below 1.1: "
            f"pip install '{PACKAGE}>=1.0.27,<1.1'",
            field=PACKAGE,
        )
    if installed not in READ_IN:
        log.warning("framework_version_unread", package=PACKAGE, version=installed, read_in=READ_IN)
