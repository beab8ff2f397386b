"""Exit codes for scripts, and the mapping from an exception to its code."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OK = 0
UNSUCCESSFUL = 1
"""The transfer was cancelled or failed, or a scenario did not end as expected."""

INTERNAL = 1
INVALID = 2
"""Wrong usage or an invalid value; the sentence on stderr names the remedy."""

UNAVAILABLE = 3
"""No reply: no broker, no coordinator, or not in time."""

INTERRUPTED = 130
"""Ctrl-C, by the convention of shells."""


class BrokenPipe(Exception):
    """The reader of our stdout (`| head`) has closed it. Typer and rich end an EPIPE of their own with 1."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """Exit with one sentence and the code of the exception raised inside.

    An exception that is not a `WarmxferError` is a bug and is raised unchanged.
    """
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipe:
        # Without this, Python reports a second error when it flushes stdout at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    except Exception as error:
        from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

        if not isinstance(error, WarmxferError):
            raise
        print(f"warmxfer: {error}", file=sys.stderr)
        codes = {InvalidRequest: INVALID, RetryableError: UNAVAILABLE}
        sys.exit(next((code for kind, code in codes.items() if isinstance(error, kind)), INTERNAL))
