"""Runs whole transfers among real processes, and checks what must hold afterwards."""

from __future__ import annotations

import asyncio
import os
import secrets
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import nats
import nats.aio.client

from tests.testkit.certificates import stack_certificates
from tests.testkit.denied_lines import denied_lines
from tests.testkit.invariants import is_after_guard
from tests.testkit.transfer_history import read_history
from warmxfer.bus import Bus, subjects
from warmxfer.bus.credentials import tls as tls_context
from warmxfer.cli.local_stack.certificates import StackCertificates
from warmxfer.cli.local_stack.stack import ROLES, ROOT, LocalStack, PlacedCall
from warmxfer.client import Client, TransferHandle, new_id
from warmxfer.schemas import NoticeKind, PhaseChanged, WarmTransferPhase, WarmTransferResult, encode

ALL_WITH_TLS = os.environ.get("WARMXFER_TEST_TLS") == "yes"
"""Run every stack with mutual TLS to the broker, and HTTPS to the cloud and the model.

Invariant: no test of this folder starts a stack or a broker that ignores it. Test: `test_tls.py`.
"""
RESULT_TIMEOUT_S = 60.0
STEADY_READS = 5
SETTLE_TIMEOUT_S = 10.0
"""Shorter than the lease of 20 s: an expired lease must not hide that an AI was never told to release."""

READY = "+14155550101"
BUSY = "+14155550102"
NO_ANSWER = "+14155550103"
VOICEMAIL = "+14155550105"
DECLINES = "+14155550106"
GONE_MID_BRIEFING = "+14155550108"
SILENT = "+14155550111"
OUR_NUMBER = "+14155550100"
PATIENT = "+14155550201"


@dataclass
class Call:
    """A running or ended transfer, with its caller."""

    stack: LocalStack
    caller: PlacedCall
    transfer: TransferHandle

    async def phases(self) -> list[PhaseChanged]:
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            return [phase async for phase in self.transfer.phases()]

    async def until(self, phase: WarmTransferPhase) -> PhaseChanged:
        """Return once `phase` is published."""
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            async for each in self.transfer.phases():
                if each.phase is phase:
                    return each
        raise AssertionError(f"ended without {phase}: {await self.result()}")

    async def result(self) -> WarmTransferResult:
        return await self.transfer.result(RESULT_TIMEOUT_S)

    async def report(self) -> dict[str, Any]:
        return await self.stack.report(self.caller, self.transfer.id)

    async def assert_clean_end(self, *, dials: int = 1, ai_killed: bool = False) -> dict[str, Any]:
        """Assert what holds after every transfer, by the ledger of what was executed.

        `ai_killed`: the process of the AI was killed and not restarted, so no agent is there for the caller.
        """
        result = await self.result()
        report = await self._settled(ai_killed, complete=result.success)
        try:
            self._check_report(result, report, dials, returned=await self._was_returned())
            assert not report["callerAlone"] or ai_killed or await self._left_by_choice(result, report)
        except AssertionError as error:
            error.add_note(await self._evidence(report))
            raise
        return report

    async def _was_returned(self) -> bool:
        """Return whether the bridge guard brought the caller back."""
        notices = [each.notice async for each in self.transfer.notices(follow=False)]
        return NoticeKind.CALLER_RETURNED in notices

    async def _left_by_choice(self, result: WarmTransferResult, report: dict[str, Any]) -> bool:
        """Return whether the supervisor hung up after the last leg check of the bridge guard."""
        if not result.success or report["supervisorEndedBy"] != "person":
            return False
        async with await Bus.connect(self.stack.settings(ROOT), name="test") as bus:
            history = await read_history(bus, self.transfer.id)
        return is_after_guard(report["supervisorEndedAt"], result, history.last_check_at)

    def _check_report(
        self, result: WarmTransferResult, report: dict[str, Any], dials: int, *, returned: bool
    ) -> None:
        assert sum(report["dials"].values()) <= dials
        assert all(count <= 1 for count in report["dials"].values())
        assert report["switches"]["forward"] <= 1
        assert report["switches"]["back"] <= 1
        assert report["callerEndedBy"] in (None, "person")
        if result.success and not returned:
            assert report["callerRoom"] == result.consultation_room_id
        else:
            assert report["supervisorLegsUp"] == 0
            if report["callerLegUp"]:
                assert report["callerRoom"] == self.caller.room_id
                assert not report["callerHeld"]

    async def _evidence(self, report: dict[str, Any]) -> str:
        """Return the ledger of the caller's room, and the AI's log lines about it."""
        ledger = await self.stack.ledger(room=self.caller.room_id)
        logs = [
            line
            for path in sorted(self.stack.directory.glob("primary-*.log"))
            for line in path.read_text().splitlines()
            if self.caller.room_id in line or self.transfer.id in line
        ]
        return "\n".join((f"{self.transfer.id}: {report}", *map(str, ledger), *logs))

    async def _settled(self, ai_killed: bool, *, complete: bool) -> dict[str, Any]:
        """Return the transfer report once it stays the same.

        An action of an actor reaches the cloud a moment later. Waits for `SETTLE_TIMEOUT_S` at most: on a
        busy machine an AI releases its caller a little late. After a complete transfer the AI still holds its
        room, for the bridge guard.
        """
        report, same = await self.report(), 0
        loop = asyncio.get_running_loop()
        deadline = loop.time() + SETTLE_TIMEOUT_S
        while loop.time() < deadline:
            await asyncio.sleep(0.05)
            again = await self.report()
            waits = (again["callerHeld"] and not complete) or (again["callerAlone"] and not ai_killed)
            same = same + 1 if again == report and not waits else 0
            if same == STEADY_READS:
                break
            report = again
        return report


def request_for(caller: PlacedCall, supervisor: str = READY, **config: Any) -> dict[str, Any]:
    """Return a request as a user would write it; `destination` in `config` is merged."""
    destination = {
        "routing_rule_id": "rr_1",
        "sip_call_to": supervisor,
        "sip_call_from": OUR_NUMBER,
        **config.pop("destination", {}),
    }
    return {"room_id": caller.room_id, "config": {"destination": destination, **config}}


class TransferDriver:
    """One local stack, one client, any number of calls."""

    def __init__(self, stack: LocalStack, client: Client) -> None:
        self.stack = stack
        self.client = client
        self._calls = 0

    async def callers(self, count: int, number: str = PATIENT) -> list[PlacedCall]:
        """Let `count` people call in, each with an AI, all AIs in one primary process."""
        callers = [await self.stack.call(number) for _ in range(count)]
        await self.stack.start("primary", rooms=[caller.room_id for caller in callers])
        return callers

    async def conversation(self, caller: PlacedCall, lines: int = 9) -> None:
        """Return once the caller and the AI have said `lines` lines."""
        async with asyncio.timeout(RESULT_TIMEOUT_S):
            while len(await self.stack.ledger(room=caller.room_id, kind="speech")) < lines:
                await asyncio.sleep(0.1)

    async def begin(
        self, caller: PlacedCall, supervisor: str = READY, *, id: str | None = None, **config: Any
    ) -> Call:
        """Request a transfer of `caller`."""
        request = request_for(caller, supervisor, **config)
        return Call(self.stack, caller, await self.client.request(request, id))

    async def begin_unchecked(self, caller: PlacedCall, config: dict[str, Any]) -> Call:
        """Request a transfer without our client: nothing is checked before it is published."""
        id = new_id()
        async with await Bus.connect(self.stack.settings("client"), name="user") as bus:
            await bus.publish(subjects.request(id), encode({"room_id": caller.room_id, "config": config}))
        return Call(self.stack, caller, self.client.transfer(id))

    async def tidy(self) -> None:
        """Reset the stack: no calls, no faults, one process of every role."""
        await self.stack.post("/sandbox/reset", {})
        for role in ROLES:
            if len(self.stack.running(role)) != 1:
                await self.stack.stop(role)
                await self.stack.start(role)

    async def fault(self, kind: str, match: dict[str, Any], *, times: int = 1, **more: Any) -> None:
        """Add a fault of the cloud."""
        await self.stack.post("/sandbox/faults", {"match": match, "kind": kind, "times": times, **more})

    async def clear_faults(self) -> None:
        """Remove all faults of the cloud."""
        verify = self.stack.certificates.context() if self.stack.certificates else True
        async with httpx.AsyncClient(base_url=self.stack.sandbox_url, verify=verify) as http:
            (await http.delete("/sandbox/faults")).raise_for_status()

    async def person(self, number: str, **script: Any) -> None:
        """Change the person behind a number."""
        await self.stack.put(f"/sandbox/people/{number}", script)


def certificates_in(directory: Path, *, tls: bool = False) -> StackCertificates | None:
    """Return new certificates in `directory` if `tls`, or if `ALL_WITH_TLS`; otherwise None."""
    return stack_certificates(directory) if tls or ALL_WITH_TLS else None


@asynccontextmanager
async def running_stack(*, tls: bool = False, **stack: Any) -> AsyncIterator[TransferDriver]:
    """Run a local stack with a client. The broker denies its processes nothing.

    With `tls`, or if `ALL_WITH_TLS`, each connection is encrypted.
    """
    with tempfile.TemporaryDirectory() as directory:
        certificates = certificates_in(Path(directory), tls=tls)
        built = LocalStack(root_password=secrets.token_hex(16), certificates=certificates, **stack)
        async with built, built.client() as client:
            yield TransferDriver(built, client)
            assert denied_lines(built.directory) == []


async def plain_client(stack: LocalStack, user: str) -> nats.aio.client.Client:
    """Connect to the broker of the stack without warmxfer."""
    settings = stack.settings(user)
    return await nats.connect(
        stack.url_of(user), inbox_prefix=settings.inbox.encode(), connect_timeout=5, tls=tls_context(settings)
    )
