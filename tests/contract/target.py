"""The cloud under test: a sandbox that the suite starts, or the cloud that the environment names.

A test that costs money needs a `PhoneLine`. The sandbox has one; any other cloud must be given one.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from urllib.parse import urlsplit

URL = "WARMXFER_CONTRACT_URL"
LINE = ("WARMXFER_CONTRACT_TO", "WARMXFER_CONTRACT_FROM", "WARMXFER_CONTRACT_RULE")
WEBHOOK_URL = "WARMXFER_CONTRACT_WEBHOOK_URL"
WEBHOOK_PORT = "WARMXFER_CONTRACT_WEBHOOK_PORT"
KEYS = ("VIDEOSDK_API_KEY", "VIDEOSDK_SECRET")

SILENT = "+14155550111"
OUR_NUMBER = "+14155550100"
TIME_SCALE = 0.05
START_S = STOP_S = 10.0


@dataclass(frozen=True)
class PhoneLine:
    """A number that answers two calls at once, the number that we call from, and the routing rule."""

    to: str
    caller: str
    rule: str


@dataclass(frozen=True)
class Target:
    """A cloud. `patience_s`: maximum time to do what it accepted. `pause_s`: pause between two reads."""

    url: str
    api_key: str
    secret: str = field(repr=False)
    line: PhoneLine | None
    is_sandbox: bool
    """The suite started it: it has the sandbox's control API and no calls of other users."""
    webhook_url: str = ""
    webhook_port: int = 0
    patience_s: float = 45.0
    pause_s: float = 0.5
    settle_s: float = 2.0
    """From a call's `answered` until its room certainly has a session."""

    @property
    def local(self) -> bool:
        """Whether the cloud runs on this machine and reaches our loopback address."""
        return urlsplit(self.url).hostname in ("127.0.0.1", "localhost", "::1")


@contextmanager
def open_target(env: Mapping[str, str]) -> Iterator[Target | None]:
    """Open the cloud named in `env`, or a new sandbox by default; yield None if the key is missing."""
    if not env.get(URL):
        with _sandbox() as target:
            yield target
    elif any(not env.get(name) for name in KEYS):
        yield None
    else:
        yield _named(env)


def _named(env: Mapping[str, str]) -> Target:
    given = [env.get(name, "") for name in LINE]
    return Target(
        url=env[URL].rstrip("/"),
        api_key=env[KEYS[0]],
        secret=env[KEYS[1]],
        line=PhoneLine(*given) if all(given) else None,
        is_sandbox=False,
        webhook_url=env.get(WEBHOOK_URL, ""),
        webhook_port=int(env.get(WEBHOOK_PORT) or 0),
    )


@contextmanager
def _sandbox() -> Iterator[Target]:
    """Run a sandbox process at twenty times real time, and stop it in order."""
    key, secret = "contract", "a-secret-of-the-contract-suite-32-bytes"
    command = [sys.executable, "-m", "warmxfer.sandbox", "--api-key", key]
    process = subprocess.Popen(
        [*command, "--time-scale", str(TIME_SCALE)],
        env={**os.environ, "VIDEOSDK_SECRET": secret},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        url = json.loads(process.stdout.readline())["sandbox"]
        line = PhoneLine(SILENT, OUR_NUMBER, "rr_contract")
        yield Target(url, key, secret, line, is_sandbox=True, patience_s=5.0, pause_s=0.02, settle_s=0.0)
        process.terminate()
        assert process.wait(STOP_S) == 0
    finally:
        process.kill()
        process.wait(STOP_S)
        process.stdout.close()
