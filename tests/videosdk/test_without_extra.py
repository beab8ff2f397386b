"""Without the extra: everything else is imported, nothing of VideoSDK's, and nobody notices."""

from __future__ import annotations

import subprocess
import sys

ALL_BUT_OURS = """
import importlib, pkgutil, sys
sys.modules["videosdk"] = None  # whoever imports it now fails
for room in ("schemas", "bus", "client", "adapters", "actors", "integrations", "cli", "sandbox"):
    package = importlib.import_module(f"warmxfer.{room}")
    for module in pkgutil.walk_packages(package.__path__, f"warmxfer.{room}.", onerror=print):
        theirs = ("warmxfer.integrations.videosdk", "warmxfer.adapters.rooms.videosdk")
        if not module.name.startswith(theirs) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(sorted(name for name in sys.modules if name.split(".")[0] == "videosdk"))
"""


def test_nothing_but_our_own_folder_needs_the_extra() -> None:
    ran = subprocess.run([sys.executable, "-c", ALL_BUT_OURS], capture_output=True, text=True, timeout=60)
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().splitlines()[-1] == "['videosdk']"
