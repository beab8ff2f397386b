"""Libraries that a worker does not load at start-up."""

from __future__ import annotations

import subprocess
import sys

import pytest

from warmxfer.actors.runtime.fast_imports import UNUSED_LIBRARIES, without_unused_libraries
from warmxfer.actors.runtime.roles import Role

NOT_LOADED = (*UNUSED_LIBRARIES, "typer", "pydantic", "nats.js.api")
PROGRAM = """
import runpy, sys
from warmxfer.actors.runtime.fast_imports import without_unused_libraries

def stop(role, actor, settings, env):
    print(sorted({name.partition(".")[0] for name in sys.modules} | {"nats.js.api"} & sys.modules.keys()))

with without_unused_libraries():
    from warmxfer.actors.runtime import runner
runner.run_actor = stop
runpy.run_module("warmxfer.actors", run_name="__main__", alter_sys=True)
import rich
"""


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_an_actor_does_not_import_unused_libraries(role: str) -> None:
    """When every worker is killed at once, all new workers load their imports at the same time."""
    env = {
        "VIDEOSDK_AUTH_TOKEN": "token",
        "WARMXFER_DIAL_REGIONS": "US",
        "WARMXFER_ROOM_ID": "room",
        "WARMXFER_VOICE": "sandbox",
    }
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, role], env=env, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "'structlog'" in done.stdout
    assert not [name for name in NOT_LOADED if f"'{name}'" in done.stdout]


def test_a_loaded_library_stays_loaded() -> None:
    import rich

    with without_unused_libraries():
        assert sys.modules["rich"] is rich
    assert sys.modules["rich"] is rich


def test_the_jetstream_client_of_nats_is_loaded_when_it_is_used() -> None:
    """nats-py itself uses it for a message that `bus` leaves to it."""
    program = """
import sys
from warmxfer.actors.runtime.fast_imports import without_unused_libraries
with without_unused_libraries():
    import warmxfer.bus
print("nats.js.api" in sys.modules)
import nats
print(nats.js.api.Header.STATUS.value)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["False", "Status"]
