"""The command line `warmxfer`: one file per command.

- Every command takes `--json`. Results go to stdout, everything else to stderr.
- Every error is one sentence on stderr; with `--json` one line of JSON.
- An option that would have no effect is refused.
- One cause has one exit code in every command (docs/operations.md).
- A command imports what it needs when it runs, so that `--help` is fast.
"""

from __future__ import annotations

__all__ = ["main"]


def main() -> None:
    """Run the command in `sys.argv` and exit."""
    # Imported here so that a process of the benchmark, which is in this package, loads no command line.
    from .app import main as run

    run()
