"""One transfer with what compose.yaml describes, and one with what the demo overlay describes."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx
import pytest

from tests.ops.kubernetes.rendering import INSTALL, copied, kubectl, rendered

from .deployed_files import Deployed, Described, deployed, of_compose, of_overlay, variables


async def shown_on_the_board(running: Deployed, token: str, folder: Path) -> None:
    """The token of its secret opens the board, and no process prints it."""
    async with httpx.AsyncClient(base_url=running.board) as http:
        assert (await http.get("/api/transfers")).status_code == httpx.codes.UNAUTHORIZED
        shown = await http.get("/api/transfers", headers={"authorization": f"Bearer {token}"})
        assert [each["outcome"] for each in shown.json()["transfers"]] == ["complete"]
        assert (await http.get(f"/?token={token}")).status_code == httpx.codes.SEE_OTHER
    printed = [path.read_text(encoding="utf-8") for path in folder.glob("*.log")]  # noqa: ASYNC240
    assert token not in "".join([*printed, running.processes["board"].ready])


async def transfer_and_stop(
    described: Mapping[str, Described], secrets: Path, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Make one transfer, which the board shows. Then each process gets SIGTERM, and ends with 0."""
    config = (secrets / "nats.conf").read_text(encoding="utf-8")
    client = variables(secrets / "client.env")
    async with deployed(described, config, client, folder, monkeypatch) as running:
        numbers = ["--to", "+14155550101", "--from", "+14155550100", "--rule", "rr_demo"]
        code, printed = await running.command("request", "--room", "demo-room", *numbers, "--wait")
        assert code == 0, printed
        await shown_on_the_board(running, variables(secrets / "board.env")["WARMXFER_BOARD_TOKEN"], folder)
        assert await running.stopped() == dict.fromkeys(running.processes, 0)


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    folder = tmp_path / "secrets"
    command = [sys.executable, "-m", "warmxfer.cli", "permissions", "--write", str(folder)]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    return folder


async def test_what_compose_describes_makes_a_transfer(
    secrets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    await transfer_and_stop(of_compose(secrets), secrets, tmp_path, monkeypatch)


async def test_what_the_demo_overlay_describes_makes_a_transfer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = kubectl()
    if program is None:
        pytest.skip(f"kubectl is not installed; {INSTALL}")
    overlay = copied(tmp_path) / "demo"
    described = of_overlay(rendered(overlay, program))
    await transfer_and_stop(described, overlay / "secrets", tmp_path, monkeypatch)
