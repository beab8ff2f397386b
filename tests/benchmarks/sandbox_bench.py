"""How many whole transfers a second the sandbox carries, and what one costs, without any product code.

Run `python -m tests.benchmarks.sandbox_bench`. It starts a sandbox process at time scale 0, where people
answer and say yes at once. This process, the driver, then does at the provider what the actors do for a whole
transfer. Each line is one batch: transfers a second, CPU of the sandbox and of the driver for one transfer,
CPU that other programs used, memory of the sandbox.

- Each transfer checks its own course: frames, call records, webhooks. The ledger then shows one dial and one
  switch for each.
- The capacity of one core is 1,000 divided by the sandbox's milliseconds a transfer. The rate is lower where
  the driver or another program uses the CPU.
- Webhooks are not signed. A signature costs about 0.5 ms, so it is measured apart: `--signed`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import jwt
import uvloop

from .sandbox_client import WAIT_S, HttpPool, Json, RoomSocket, WebhookReceiver

API_KEY: Final = "bench"
SECRET: Final = "a-secret-of-the-benchmark-32-bytes-long"
OUR_NUMBER: Final = "+14155550100"
READY: Final = "+14155550101"
PATIENT: Final = "+14155550201"
YES: Final = "Yes, I'm ready, put them through."
CPU_TARGET_MS: Final = 2.0
"""CPU of the sandbox for one transfer: 500 transfers a second on one core."""
WARM_UP: Final = 50

CALL_EVENTS: Final = ["call-hangup", "call-missed", "call-update"]
ROOM_EVENTS: Final = ["participant-joined", "participant-left"]
WEBHOOKS: Final = Counter(
    {"participant-joined": 3, "participant-left": 3, "call-update": 1, "call-hangup": 2}
)
"""The webhooks of one transfer: agent, supervisor and caller come and go, and both legs end."""

SUMMARY_PROMPT: Final = json.dumps([{"role": "caller", "text": "I was charged twice for order 4417."}])
TOOLS: Final = [{"type": "function", "function": {"name": name}} for name in ("accept", "decline")]
BRIEFING: Final = (
    "Hi, I'm the AI assistant. Let me bring you up to speed on this call.",
    "The caller says: Hi, this is Ann.",
    "I was charged twice for order 4417.",
    "Both charges were on Monday, forty nine dollars each.",
    "I would like one of them refunded to my card, please.",
    "No, I'd rather speak to a person about it.",
    "Are you ready to take the call?",
)


@dataclass(frozen=True, slots=True)
class Batch:
    """Figures of one batch of transfers. CPU in milliseconds a transfer, `others_cpu` in cores."""

    transfers: int
    rate: float
    sandbox_ms: float
    driver_ms: float
    others_cpu: float
    sandbox_mb: float

    def line(self) -> str:
        return (
            f"{self.transfers:>7,} transfers  {self.rate:7.1f}/s   sandbox {self.sandbox_ms:6.2f} ms  "
            f"driver {self.driver_ms:5.2f} ms  others {self.others_cpu:4.2f} cores   "
            f"sandbox {self.sandbox_mb:6.1f} MB"
        )


class Driver:
    """Does what gateway, briefing, primary and summarizer do at the provider for a transfer."""

    def __init__(self, base_url: str, receiver: WebhookReceiver) -> None:
        address = urlsplit(base_url)
        assert address.hostname is not None
        assert address.port is not None
        self._host, self._port = address.hostname, address.port
        self.http = HttpPool(self._host, self._port, _token("crawler"))
        self._hook_url = receiver.url
        self._arrived: dict[str, Counter[str]] = {}
        self._complete: dict[str, asyncio.Future[None]] = {}
        self._count = 0

    def on_webhook(self, kind: str, data: Json) -> None:
        room_id = data.get("meetingId") or data["roomId"]
        arrived = self._arrived.get(room_id)
        assert arrived is not None, f"a webhook {kind} names the room {room_id}, which no transfer uses"
        arrived[kind] += 1
        if arrived == WEBHOOKS:
            self._complete[room_id].set_result(None)

    async def transfer(self) -> None:
        """Do one whole transfer, from the caller's call to the end of both legs."""
        http = self.http
        self._count += 1
        key = f"bench-{os.getpid()}-{self._count}"
        caller = await http.post("/sandbox/calls", {"from": PATIENT, "participantId": f"caller-{key}"})
        primary = await self._join(caller["roomId"], f"agent-{caller['roomId']}")
        primary.send({"type": "listen", "enabled": True})
        primary.send({"type": "listen", "enabled": False})
        primary.say("u1", "Please hold while I connect you with a supervisor.")
        legs = await http.get(f"/v2/sip/call?roomId={caller['roomId']}&page=1&perPage=50")
        assert [leg["callId"] for leg in legs["data"]] == [caller["callId"]]
        webhook = {"endPoint": self._hook_url, "events": ROOM_EVENTS}
        room_id = (await http.post("/v2/rooms", {"customRoomId": key, "webhook": webhook}))["roomId"]
        self._arrived[room_id] = Counter()
        complete = self._complete[room_id] = asyncio.get_running_loop().create_future()
        briefing = await self._join(room_id, f"wxa-{key}")
        supervisor = await self._dial(room_id, key)
        await http.post("/v1/chat/completions", _chat(SUMMARY_PROMPT), bearer=True)
        await self._brief(briefing)
        await self._check_legs(caller["callId"], supervisor)
        await self._switch(caller["callId"], room_id, f"wxc-{key}")
        await briefing.wait("speech", text="Hello, is somebody there?")
        await briefing.wait("speech", text="Hi, this is the supervisor.")
        await briefing.leave()
        for _ in range(2):
            await self._check_legs(caller["callId"], supervisor)
        await http.post(f"/sandbox/people/wxc-{key}/hangup", {})
        await http.post("/v2/sip/call/end", {"callId": supervisor})
        await primary.leave()
        try:
            await asyncio.wait_for(complete, WAIT_S)
        except TimeoutError:
            raise AssertionError(f"only these webhooks came: {dict(self._arrived[room_id])}") from None
        del self._arrived[room_id], self._complete[room_id]

    async def register_webhooks(self) -> None:
        await self.http.post("/v2/sip/webhooks", {"url": self._hook_url, "events": CALL_EVENTS})

    async def _join(self, room_id: str, agent_id: str) -> RoomSocket:
        token = _token("rtc", roomId=room_id, participantId=agent_id)
        return await RoomSocket.join(self._host, self._port, room_id, agent_id, token)

    async def _dial(self, room_id: str, key: str) -> str:
        order = {
            "metadata": {"warmxferId": key, "attempt": "1", "attemptKey": f"{key}-1"},
            "ringingTimeout": 30,
            "participant": {"id": f"wxs-{key}", "name": "Supervisor"},
            "destinationRoomId": room_id,
            "routingRuleId": "rr_1",
            "sipCallFrom": OUR_NUMBER,
            "sipCallTo": READY,
        }
        return (await self.http.post("/v2/sip/call", order))["data"]["callId"]

    async def _brief(self, briefing: RoomSocket) -> None:
        """Brief the supervisor, and ask until they say yes."""
        await briefing.wait("audio-stream-enabled")
        await briefing.wait("speech", text="Hello?")
        for n, sentence in enumerate(BRIEFING):
            briefing.say(f"u{n}", sentence)
        await briefing.wait("speech", text=YES)
        reply = await self.http.post("/v1/chat/completions", _chat(YES, tools=TOOLS), bearer=True)
        assert reply["choices"][0]["message"]["tool_calls"][0]["function"]["name"] == "accept"
        briefing.say("u8", "Connecting the caller now. Stand by.")

    async def _check_legs(self, *call_ids: str) -> None:
        for call_id in call_ids:
            record = (await self.http.get(f"/v2/sip/call/{call_id}"))["data"]
            assert record["end"] is None, record

    async def _switch(self, call_id: str, room_id: str, participant_id: str) -> None:
        order = {
            "callId": call_id,
            "roomId": room_id,
            "participantId": participant_id,
            "token": _token("rtc", roomId=room_id, participantId=participant_id),
        }
        await self.http.post("/v2/sip/call/switch-room", order)


async def run_batch(driver: Driver, sandbox_pid: int, transfers: int, in_flight: int) -> Batch:
    """Run `transfers` transfers, `in_flight` at a time. Raises the first error of any of them."""
    left = iter(range(transfers))

    async def work() -> None:
        for _ in left:
            await driver.transfer()

    before_s, all_before_s = process_cpu_s(sandbox_pid), machine_cpu_s()
    own_before_s, began = time.process_time(), time.perf_counter()
    async with asyncio.TaskGroup() as tasks:
        for _ in range(min(in_flight, transfers)):
            tasks.create_task(work())
    took_s = time.perf_counter() - began
    sandbox_s, driver_s = process_cpu_s(sandbox_pid) - before_s, time.process_time() - own_before_s
    others_s = machine_cpu_s() - all_before_s - sandbox_s - driver_s
    return Batch(
        transfers=transfers,
        rate=transfers / took_s,
        sandbox_ms=sandbox_s / transfers * 1e3,
        driver_ms=driver_s / transfers * 1e3,
        others_cpu=max(0.0, others_s / took_s),
        sandbox_mb=process_mb(sandbox_pid),
    )


@asynccontextmanager
async def open_driver(base_url: str) -> AsyncIterator[Driver]:
    """Yield a driver of the sandbox at `base_url`. Its webhooks go to this process."""
    drivers: list[Driver] = []
    async with WebhookReceiver(lambda kind, data: drivers[0].on_webhook(kind, data)) as receiver:
        driver = Driver(base_url, receiver)
        drivers.append(driver)
        await driver.register_webhooks()
        yield driver
        driver.http.close()


async def check_ledger(driver: Driver, transfers: int) -> None:
    """Check that the sandbox executed one dial and one switch for each transfer."""
    counts = (await driver.http.get("/sandbox/ledger/counts"))["counts"]
    for kind in ("dial", "switch", "switch_completed"):
        assert counts[kind] == transfers, f"{counts[kind]} {kind} for {transfers} transfers"


def start_sandbox(command: list[str]) -> tuple[subprocess.Popen[str], str]:
    """Start a sandbox and return its process and its base URL."""
    env = {**os.environ, "VIDEOSDK_SECRET": SECRET}
    process = subprocess.Popen(command, env=env, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["sandbox"]


def process_cpu_s(pid: int) -> float:
    """Return the CPU seconds that a process has used."""
    fields = _read(f"/proc/{pid}/stat").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def machine_cpu_s() -> float:
    """Return the CPU seconds that all processes of this machine have used."""
    user, nice, system = _read("/proc/stat").split("\n", 1)[0].split()[1:4]
    return (int(user) + int(nice) + int(system)) / os.sysconf("SC_CLK_TCK")


def process_mb(pid: int) -> float:
    """Return the resident memory of a process."""
    return int(_read(f"/proc/{pid}/statm").split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def _read(path: str) -> str:
    with open(path, encoding="ascii") as file:
        return file.read()


def _token(role: str, **claims: str) -> str:
    now = int(time.time())
    permissions = ["allow_join", "allow_mod"] if role == "crawler" else ["allow_join"]
    usual = {"apikey": API_KEY, "version": 2, "permissions": permissions, "roles": [role]}
    return jwt.encode({**usual, **claims, "iat": now, "exp": now + 7_200}, SECRET, algorithm="HS256")


def _chat(prompt: str, **more: Any) -> Json:
    return {"model": "sandbox", "messages": [{"role": "user", "content": prompt}], **more}


async def main(options: argparse.Namespace) -> int:
    """Run all batches and print them. Returns 1 if the last one misses the target."""
    command = [sys.executable, "-m", "warmxfer.sandbox"]
    command += ["--api-key", API_KEY, "--time-scale", "0"]
    command += ["--unsigned-webhooks"] if not options.signed else []
    if options.profile:
        command[1:1] = ["-m", "cProfile", "-o", options.profile]
    process, base_url = start_sandbox(command)
    try:
        async with open_driver(base_url) as driver:
            await run_batch(driver, process.pid, WARM_UP, options.in_flight)
            batches: list[Batch] = []
            for _ in range(options.batches):
                batches.append(await run_batch(driver, process.pid, options.transfers, options.in_flight))
                print(batches[-1].line(), flush=True)
            await check_ledger(driver, WARM_UP + options.batches * options.transfers)
    finally:
        process.terminate()
        process.wait()
    last = batches[-1].sandbox_ms
    print(f"capacity of one core: {1e3 / last:,.0f} transfers/s (target {1e3 / CPU_TARGET_MS:,.0f})")
    return 0 if last <= CPU_TARGET_MS else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--transfers", type=int, default=1_000, help="transfers of one batch")
    parser.add_argument("--batches", type=int, default=3)
    parser.add_argument("--in-flight", type=int, default=50, help="transfers at the same time")
    parser.add_argument("--signed", action="store_true", help="sign webhooks (RSA-2048), as by default")
    parser.add_argument("--profile", help="write a cProfile of the sandbox to this file")
    sys.exit(uvloop.run(main(parser.parse_args())))
