"""Exit codes, for scripts, and how an error becomes one."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OK = 0
UNSUCCESSFUL = 1
"""The transfer ended cancelled or failed, or a scenario did not end as expected."""

INTERNAL = 1
INVALID = 2
"""Wrong usage, or refused: the sentence on stderr says what to write instead."""

UNAVAILABLE = 3
"""Nothing answered: no broker, no coordinator, or not in time."""

INTERRUPTED = 130
"""Ctrl-C, as shells count it."""


class BrokenPipe(Exception):
    """Whoever read our stdout (`| head`) has seen enough. Typer and rich end an EPIPE of their own with 1."""


@contextmanager
def exit_codes() -> Iterator[None]:
    """What is raised inside ends this process with one sentence and its code; a bug is raised as it is."""
    try:
        yield
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)
    except BrokenPipe:
        # Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(OK)
    except Exception as error:
        from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

        if not isinstance(error, WarmxferError):
            raise
        print(f"warmxfer: {error}", file=sys.stderr)
        codes = {InvalidRequest: INVALID, RetryableError: UNAVAILABLE}
        sys.exit(next((code for kind, code in codes.items() if isinstance(error, kind)), INTERNAL))
