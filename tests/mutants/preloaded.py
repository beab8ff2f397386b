"""A process that has imported the packages of other projects, and forks itself for each stage.

pytest and its plugins take two seconds to import, which is most of the time of a stage that fails at once.
The product and its tests are imported in the fork, because they are what changes.

It reads one JSON array per line: the path of the file for the output, then the arguments of the interpreter
(`-m` and a module, or `-c` and a text, and what follows). It prints the process id of the fork, and its exit
status when it has ended. The fork leads a process group of its own.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import runpy
import sys
import traceback

PACKAGES = (
    "_pytest.debugging",
    "docker",
    "httpx",
    "hypothesis",
    "hypothesis.stateful",
    "jwt",
    "msgspec",
    "nats",
    "phonenumbers",
    "pytest",
    "pytest_asyncio",
    "pytest_timeout",
    "starlette.applications",
    "structlog.testing",
    "testcontainers.core.container",
    "uvicorn",
    "websockets",
    "xdist",
    "yaml",
)


def main() -> None:
    for package in PACKAGES:
        importlib.import_module(package)
    gc.freeze()
    for line in sys.stdin:
        output, *arguments = json.loads(line)
        pid = os.fork()
        if pid == 0:
            status = 1
            try:
                _become(output)
                status = _run(arguments)
            except BaseException:
                traceback.print_exc()
            finally:
                with contextlib.suppress(ValueError):
                    sys.stdout.flush()
                    sys.stderr.flush()
                os._exit(status)
        print(pid, flush=True)
        _, wait_status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(wait_status), flush=True)


def _become(output: str) -> None:
    """Lead a process group, read nothing, and write to the file `output`."""
    os.setsid()
    for name, mode, numbers in (("/dev/null", os.O_RDONLY, (0,)), (output, os.O_WRONLY, (1, 2))):
        opened = os.open(name, mode)
        for number in numbers:
            os.dup2(opened, number)
        os.close(opened)


def _run(arguments: list[str]) -> int:
    """Do what the interpreter does with these arguments; return the exit status."""
    kind, what, *rest = arguments
    importlib.invalidate_caches()
    sys.argv = [what if kind == "-m" else kind, *rest]
    try:
        if kind == "-m":
            runpy.run_module(what, run_name="__main__", alter_sys=True)
        else:
            exec(compile(what, "<stage>", "exec"), {"__name__": "__main__"})
    except SystemExit as end:
        if end.code is None or isinstance(end.code, int):
            return end.code or 0
        print(end.code, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    main()
