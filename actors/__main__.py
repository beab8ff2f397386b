"""`python -m warmxfer.actors <role>`: run one actor in this process, with settings from the environment.

It does the same as `warmxfer run <role>` without importing the command line. Those imports are a third of a
worker's start-up time, which matters when many workers restart at once.
"""

from __future__ import annotations

import argparse
import os

from .runtime.exit_codes import exit_codes
from .runtime.roles import Role, run_role


def main() -> None:
    """Run the actor that `sys.argv` names until it is stopped."""
    parser = argparse.ArgumentParser(
        prog="python -m warmxfer.actors",
        description="Run one actor until stopped; its settings come from the environment.",
    )
    parser.add_argument("role", choices=[role.value for role in Role], help="which actor to run")
    with exit_codes():
        run_role(Role(parser.parse_args().role), os.environ)


if __name__ == "__main__":
    main()
