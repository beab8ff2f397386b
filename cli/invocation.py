"""How to call this command line from another terminal: the commands that it prints must run there."""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from warmxfer.actors.runtime.exit_codes import INTERRUPTED, report

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


@contextmanager
def told_how_to_cancel(id: str, as_json: bool, *, if_: Callable[[], bool] = lambda: True) -> Iterator[None]:
    """If the user stops to wait for transfer `id`, say that it goes on and how to cancel it.

    Another error inside gets the id, which `--json` shows. `if_`: whether the transfer was requested.
    """
    from warmxfer.schemas import WarmxferError

    try:
        yield
    except KeyboardInterrupt:
        if if_():
            sentence = f"transfer {id} goes on; cancel it with: {command_line()} cancel {id}"
            report(sentence, INTERRUPTED, as_json=as_json, id=id)
        raise
    except WarmxferError as error:
        error.transfer_id = id if if_() else None
        raise
