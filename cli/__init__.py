"""The command line `warmxfer`: one file a command, one sentence an error.

The law of this room: a command says what it does with `--json` too; stdout holds results, stderr all else;
the exit code is 0 (done), 1 (the transfer ended without success), 2 (usage, or refused) or 3 (nobody
answered). Nothing heavy is imported before a command runs.
"""

from __future__ import annotations

from .app import main

__all__ = ["main"]
