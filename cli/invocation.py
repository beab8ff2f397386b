"""What to type to call this command line again: what we print for another terminal must run there."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

NAME = "warmxfer"


def command_line(env: Mapping[str, str] = os.environ) -> str:
    """`warmxfer` where a shell finds it, else as this process was called itself.

    `uv run` puts its environment on the PATH of what it runs alone, so another terminal goes by uv too.
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
