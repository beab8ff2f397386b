"""Exit codes for scripts, and the mapping from an exception to its code and its sentence.

docs/operations.md lists the causes of each code. Test: `tests/docs/test_exit_codes.py`.
"""

from __future__ import annotations

import json
import os
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager

from .visible_text import escaped, plain

OK = 0
UNSUCCESSFUL = 1
"""The transfer was cancelled or failed, a scenario did not end as expected, or `doctor` found a fault."""

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
def exit_codes(*, as_json: bool = False) -> Iterator[None]:
    """Exit with one sentence and the code of the exception raised inside.

    The sentence is text on stderr, or with `as_json` one line of JSON. An exception that is not a
    `WarmxferError` is a bug: its traceback is printed, or with `as_json` only its type.
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
        from warmxfer.schemas import InvalidRequest, WarmxferError

        code = code_of(error)
        if isinstance(error, WarmxferError):
            field = error.field if isinstance(error, InvalidRequest) else None
            report(str(error), code, as_json=as_json, field=field, id=error.transfer_id)
        elif as_json:
            report(f"{type(error).__name__}; please report it", code, as_json=True)
        else:
            traceback.print_exc()
        sys.exit(code)


def code_of(error: Exception) -> int:
    """Return the exit code for `error`."""
    from warmxfer.schemas import InvalidRequest, RetryableError

    codes = {InvalidRequest: INVALID, RetryableError: UNAVAILABLE}
    return next((code for kind, code in codes.items() if isinstance(error, kind)), INTERNAL)


def report(sentence: str, code: int, *, as_json: bool, **details: str | None) -> None:
    """Print why the command exits with `code` to stderr. Details that are None or empty are left out."""
    if not as_json:
        print(f"warmxfer: {plain(sentence)}", file=sys.stderr)
        return
    causes = {INTERNAL: "broken", INVALID: "refused", UNAVAILABLE: "unavailable", INTERRUPTED: "interrupted"}
    given = {name: value for name, value in details.items() if value}
    line = {"error": sentence, "cause": causes[code], "exit_code": code, **given}
    print(escaped(json.dumps(line, ensure_ascii=False)), file=sys.stderr)
