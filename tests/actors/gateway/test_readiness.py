"""A gateway is ready only while it can open connections to the provider."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import time
from pathlib import Path

import httpx

from tests.testkit.provider_sandbox import API_KEY, SECRET, Cloud
from tests.testkit.slow_server import slow_server
from warmxfer.bus import Bus, subjects
from warmxfer.cli.local_stack.managed_process import ManagedProcess
from warmxfer.schemas import CreateRoom, encode

READY_S = 30.0


async def until_status(http: httpx.AsyncClient, status: int) -> None:
    """Wait until the readiness probe answers with `status`."""
    async with asyncio.timeout(READY_S):
        while (await http.get("/readyz")).status_code != status:
            await asyncio.sleep(0.1)


async def test_readiness_follows_the_connection_to_the_provider(
    bus: Bus, nats_url: str, transfer_id: str, tmp_path: Path
) -> None:
    """The gateway registers its webhooks when it starts, and finds no provider then. Later it loses it again.

    Before, `/readyz` was 200 as long as the broker was connected.
    """
    async with slow_server() as gone:
        port = int(gone.url.rpartition(":")[2])
    env = {
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "NATS_URL": nats_url,
        "WARMXFER_LOG": "json",
        "WARMXFER_HEALTH_PORT": "0",
        "WARMXFER_HEALTH_HOST": "127.0.0.1",
        "WARMXFER_WEBHOOK_PORT": "0",
        "WARMXFER_PROVIDER_TIMEOUT_S": "1",
        "VIDEOSDK_BASE_URL": gone.url,
        "VIDEOSDK_API_KEY": API_KEY,
        "VIDEOSDK_SECRET": SECRET,
    }
    log_path = tmp_path / "log"
    command = [sys.executable, "-m", "warmxfer.actors", "gateway"]
    gateway = await ManagedProcess.spawn("gateway", command, env, log_path)
    try:
        line = next(line for line in log_path.read_text().splitlines() if "probe_listens" in line)
        port_text = line.partition('"port":')[2].partition(",")[0]
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port_text}") as http:
            assert (await http.get("/readyz")).status_code == 503
            assert (await http.get("/healthz")).status_code == 200
            async with slow_server(port):
                await until_status(http, 200)
            command = CreateRoom(
                command_id=f"{transfer_id}-1", deadline_at=time.time() + READY_S, key=transfer_id
            )
            await bus.publish(subjects.work_queue(transfer_id, "gateway"), encode(command), msg_id="create")
            await until_status(http, 503)
            async with slow_server(port):
                await until_status(http, 200)
    finally:
        await gateway.stop()


async def test_a_gateway_with_wrong_credentials_says_so_at_its_start_and_is_not_ready(
    nats_url: str, cloud: Cloud, tmp_path: Path
) -> None:
    env = {
        "PYTHONPATH": os.environ.get("PYTHONPATH", ""),
        "NATS_URL": nats_url,
        "WARMXFER_LOG": "json",
        "WARMXFER_HEALTH_PORT": "0",
        "WARMXFER_HEALTH_HOST": "127.0.0.1",
        "VIDEOSDK_BASE_URL": cloud.url,
        "VIDEOSDK_API_KEY": API_KEY,
        "VIDEOSDK_SECRET": "another-secret-of-at-least-thirty-two-bytes",
    }
    log_path = tmp_path / "log"
    gateway = await ManagedProcess.spawn(
        "gateway", [sys.executable, "-m", "warmxfer.actors", "gateway"], env, log_path
    )
    try:
        lines = [json.loads(line) for line in log_path.read_text().splitlines()]
        by_event = {line["event"]: line for line in lines}
        assert by_event["provider_refused_credentials"]["level"] == "error"
        assert by_event["provider_request"]["level"] == "error"
        url = f"http://127.0.0.1:{by_event['probe_listens']['port']}"
        async with httpx.AsyncClient(base_url=url) as http:
            answer = await http.get("/readyz")
        assert answer.status_code == 503
        # Another test's command may be carried out first: then its request is the one that was refused last.
        assert re.search("provider: (GET|POST) /v2/[a-z/]+ answered 401: ", answer.text)
        assert "check VIDEOSDK_API_KEY and VIDEOSDK_SECRET" in answer.text
    finally:
        await gateway.stop()
