"""Runs a command that ends when its parent ends, however the parent ends.

    python run_with_parent.py <parent pid> <command...>

On Linux the kernel ends the command (PR_SET_PDEATHSIG survives the exec, so no extra process stays).
On other systems this process stays, watches its parent, and ends the command. It imports the standard
library only, and starts in 30 ms.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

PR_SET_PDEATHSIG = 1
WATCH_EVERY_S = 0.2
STOP_S = 5.0


def main(parent: int, command: list[str]) -> int:
    """Become `command` on Linux. On other systems run it and return its exit status."""
    if sys.platform == "linux":
        import ctypes

        if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0) != 0:
            return 70
        if os.getppid() != parent:
            return 0
        os.execv(command[0], command)
    with subprocess.Popen(command) as child:
        signal.signal(signal.SIGTERM, lambda _number, _frame: child.terminate())
        while child.poll() is None:
            if os.getppid() != parent:
                child.terminate()
                try:
                    child.wait(STOP_S)
                except subprocess.TimeoutExpired:
                    child.kill()
            time.sleep(WATCH_EVERY_S)
        return child.returncode


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]), sys.argv[2:]))
