"""The command line `warmxfer`: one file per command.

- Every command takes `--json`. Results go to stdout, everything else to stderr.
- Every error is one sentence on stderr.
- Exit codes: 0 success; 1 the transfer ended without success; 2 wrong usage or invalid request; 3 no answer.
- A command imports what it needs when it runs, so that `--help` is fast.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command in `sys.argv` and exit."""
    # Imported here so that a process of the benchmark, which is in this package, loads no command line.
    from .app import main as run

    run()
