"""How to call this command line from another terminal: the commands that it prints must run there."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "warmxfer"


def command_line(env: Mapping[str, str] = os.environ) -> str:
    """Return `warmxfer` if a shell finds it, otherwise the way in which this process was called.

    Under `uv run` it is always `uv run warmxfer`: uv changes the PATH of its child only, so another terminal
    does not find `warmxfer`.
    """
    if "UV" in env:
        return f"uv run {NAME}"
    script = Path(sys.argv[0])
    found = shutil.which(NAME, path=env.get("PATH"))
    if found and (script.name != NAME or Path(found).resolve() == script.resolve()):
        return NAME
    if script.name == NAME:
        return shlex.quote(str(script.absolute()))
    return f"{shlex.quote(sys.executable)} -m warmxfer.cli"
