"""Without the extra `videosdk` all other modules can be imported."""

from __future__ import annotations

import subprocess
import sys

IMPORT_ALL_OTHERS = """
import importlib, pkgutil, sys
sys.modules["videosdk"] = None  # an import of it fails from here on
for folder in ("schemas", "bus", "client", "adapters", "actors", "integrations", "cli", "sandbox"):
    package = importlib.import_module(f"warmxfer.{folder}")
    for module in pkgutil.walk_packages(package.__path__, f"warmxfer.{folder}.", onerror=print):
        needs_extra = ("warmxfer.integrations.videosdk", "warmxfer.adapters.rooms.videosdk")
        if not module.name.startswith(needs_extra) and not module.name.endswith("__main__"):
            importlib.import_module(module.name)
print(sorted(name for name in sys.modules if name.split(".")[0] == "videosdk"))
"""


def test_only_the_videosdk_folders_need_the_extra() -> None:
    ran = subprocess.run(
        [sys.executable, "-c", IMPORT_ALL_OTHERS], capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout.strip().splitlines()[-1] == "['videosdk']"
