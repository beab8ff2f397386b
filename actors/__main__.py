"""`python -m warmxfer.actors <role>`: one actor as this process, set up by its environment alone.

It is `warmxfer run <role>` without the command line, whose imports are a third of what a worker costs to
start: who restarts many at once waits for that.
"""

from __future__ import annotations

import argparse
import os

from .runtime.exit_codes import exit_codes
from .runtime.roles import Role, run_role


def main() -> None:
    """Be the actor that `sys.argv` names until told to stop."""
    parser = argparse.ArgumentParser(
        prog="python -m warmxfer.actors",
        description="Run one actor until stopped; its settings come from the environment.",
    )
    parser.add_argument("role", choices=[role.value for role in Role], help="which actor to run")
    with exit_codes():
        run_role(Role(parser.parse_args().role), os.environ)


if __name__ == "__main__":
    main()
