"""F5: a stream, the consumers of a role or the broker's disk are lost. No worker is restarted.

A consumer that is deleted costs no transfer. The streams that are lost take their transfers with them:
nothing waits for their results, and only the cloud's ledger is checked. No caller stays on hold, because the
sessions release them. No supervisor stays on the phone, because the gateways end orphan calls. No briefing
agent stays in its room, because the coordinators say that its transfer is not live. In every row a request
made right after the fault completes.

After an old copy is restored, effects executed since may be executed again. The table shows that, and does
not promise otherwise.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path

import nats

from tests.e2e.stack_fixture import Call
from warmxfer.bus.consumer_table import CONSUMERS, consumers_of
from warmxfer.bus.subjects import STREAMS
from warmxfer.cli.local_stack.managed_process import ManagedProcess
from warmxfer.cli.local_stack.stack import ROLES, PlacedCall
from warmxfer.schemas import RetryableError, participant_ids
from warmxfer.schemas import WarmTransferPhase as Phase

from .report_row import CUT_OFF, LEFT_ALONE, Row
from .scenario import Scenario, open_scenario
from .stage_barrier import at_every_phase

LEASE_S = 4.0
RECONCILE_S = 6.0
"""The default of 60 s, as fast as people and cloud are here."""
ENV = {
    "WARMXFER_HOLD_LEASE_S": f"{LEASE_S:g}",
    "WARMXFER_DEPLOYMENT": "chaos",
    "WARMXFER_RECONCILE_S": f"{RECONCILE_S:g}",
}
WORK_GOES_ON_S = 10.0
"""Promise: so long after the fault, a caller whose transfer is requested now is on hold."""
AGENTS_LEAVE_S = 45.0
"""Two liveness queries of a briefing agent, and a margin for a busy machine."""
RESTORED_CLEAN_S = 90.0
"""A restored transfer is live again. It may hold its caller until its own deadlines of 60 s have passed."""
POLL_S = 0.25
OLD_COPY = "an old copy of the streams put back"
NOT_PROMISED = frozenset(("2nd dials", "2nd switches", "muted", LEFT_ALONE, CUT_OFF))
"""Columns that are not promised after an old copy was put back.

The column `muted` also counts a caller in the wrong room. Such a caller may stay there: by the copy they were
never moved, and their AI has left since. `_still_held` shows that no caller is muted.
"""

CONSUMER_ROLES = tuple(dict.fromkeys(spec.role for spec in CONSUMERS.values()))

Loss = Callable[[Scenario], Awaitable[None]]


async def f5() -> AsyncIterator[Row]:
    """Strike transfers in every phase with each loss."""
    yield await _old_copy()
    for struck, lose in LOSSES.items():
        yield await _stream_lost(struck, lose)
    for role in CONSUMER_ROLES:
        yield await _consumers_lost(role)


async def _old_copy() -> Row:
    """Run transfers that a copy of the stream knows, and others that began after the copy."""
    row = Row("F5", OLD_COPY, unpromised=NOT_PROMISED)
    async with _scenario(row) as scenario:
        (caller,) = await scenario.driver.callers(1)
        async with at_every_phase(scenario, row) as known:
            copy = await _copy_stream(scenario)
            async with at_every_phase(scenario, row) as unknown:
                await _restore(scenario, copy)
                new = await _goes_on(scenario, row, caller)
                await scenario.check_transfers(
                    row, [*known, *unknown], lost=True, lost_clean_s=RESTORED_CLEAN_S
                )
                await _still_held(row, [*known, *unknown])
                await scenario.check_transfers(row, new)
    return row


async def _stream_lost(struck: str, lose: Loss) -> Row:
    row = Row("F5", struck)
    async with _scenario(row) as scenario:
        (caller,) = await scenario.driver.callers(1)
        async with at_every_phase(scenario, row) as calls:
            await lose(scenario)
            new = await _goes_on(scenario, row, caller)
            await scenario.check_transfers(row, calls, lost=True)
            await scenario.check_transfers(row, new)
            await _agents_leave(scenario, row, calls)
    return row


async def _consumers_lost(role: str) -> Row:
    consumers = consumers_of(role)
    row = Row("F5", f"{_several(len(consumers), 'consumer')} of the {role} deleted")
    async with _scenario(row) as scenario:
        (caller,) = await scenario.driver.callers(1)
        async with at_every_phase(scenario, row) as calls:
            for consumer in consumers:
                await _api(scenario, f"CONSUMER.DELETE.{CONSUMERS[consumer].stream}.{consumer}")
            new = await _goes_on(scenario, row, caller)
            await scenario.check_transfers(row, [*calls, *new])
        row.all_complete()
    return row


def _several(count: int, what: str) -> str:
    return what if count == 1 else f"{count} {what}s"


@asynccontextmanager
async def _scenario(row: Row) -> AsyncIterator[Scenario]:
    """Run a named deployment with its stream in a directory. A worker that was replaced is a problem."""
    with tempfile.TemporaryDirectory(prefix="warmxfer-chaos-") as directory:
        async with open_scenario(directory=Path(directory), env=ENV) as scenario:
            before = list(_workers(scenario))
            yield scenario
            if list(_workers(scenario)) != before:
                row.problems.append(f"{row.fault} {row.struck}: a worker ended")
        row.facts.append(f"{row.happened[CUT_OFF]} callers were hung up on")


def _workers(scenario: Scenario) -> Iterator[ManagedProcess]:
    for role in ROLES:
        yield from scenario.stack.running(role)


# ── the losses ───────────────────────────────────────────────────────────────────────────────────────


async def _empty_disk(scenario: Scenario) -> None:
    await _restore(scenario, None)


async def _delete_streams(scenario: Scenario) -> None:
    for stream in STREAMS:
        await _api(scenario, f"STREAM.DELETE.{stream}")


async def _purge_streams(scenario: Scenario) -> None:
    for stream in STREAMS:
        await _api(scenario, f"STREAM.PURGE.{stream}")


def _delete(stream: str) -> Loss:
    async def delete(scenario: Scenario) -> None:
        await _api(scenario, f"STREAM.DELETE.{stream}")

    return delete


LOSSES: dict[str, Loss] = {
    "the broker back on an empty disk": _empty_disk,
    "every stream deleted": _delete_streams,
    "every stream purged": _purge_streams,
    **{f"{stream} deleted": _delete(stream) for stream in STREAMS},
}


def _store(scenario: Scenario) -> Path:
    return scenario.stack.directory / "stream"


async def _copy_stream(scenario: Scenario) -> Path:
    copy = scenario.stack.directory / "copy"
    await scenario.stack.nats.stop()
    await asyncio.to_thread(shutil.copytree, _store(scenario), copy)
    await scenario.stack.nats.start()
    return copy


async def _restore(scenario: Scenario, copy: Path | None) -> None:
    """Do what an operator does: restore the disk, or leave it empty, and start the broker."""
    await scenario.stack.nats.stop(kill=True)
    await asyncio.to_thread(shutil.rmtree, _store(scenario))
    if copy:
        await asyncio.to_thread(shutil.copytree, copy, _store(scenario))
    await scenario.stack.nats.start()


async def _api(scenario: Scenario, verb: str) -> None:
    """Call the broker's API. Raises ValueError if the broker refuses it: the fault would not be injected."""
    connection = await nats.connect(scenario.url)
    try:
        reply = await connection.request(f"$JS.API.{verb}", timeout=WORK_GOES_ON_S)
    finally:
        await connection.close()
    if error := json.loads(reply.data).get("error"):
        raise ValueError(f"{verb} was refused: {error}")


# ── what must hold after it ──────────────────────────────────────────────────────────────────────────


async def _goes_on(scenario: Scenario, row: Row, caller: PlacedCall) -> list[Call]:
    """Request a transfer right after the fault, and measure when its caller is on hold."""
    struck_at = time.monotonic()
    call: Call | None = None
    while call is None:
        try:
            call = await scenario.driver.begin(caller)
        except RetryableError as error:
            if time.monotonic() - struck_at > WORK_GOES_ON_S:
                row.problems.append(f"{row.fault} {row.struck}: a new request was not accepted: {error}")
                return []
    await call.until(Phase.CALLER_ON_HOLD)
    row.recovered(time.monotonic() - struck_at)
    if time.monotonic() - struck_at > WORK_GOES_ON_S:
        row.problems.append(f"{row.fault} {row.struck}: work went on after {WORK_GOES_ON_S:g} s")
    result = await call.result()
    row.facts.append(
        f"a new transfer ended {result.outcome.value} {time.monotonic() - struck_at:.1f} s later"
    )
    if not result.success:
        row.problems.append(f"{row.fault} {row.struck}: a new transfer ended {result.outcome.value}")
    return [call]


async def _still_held(row: Row, calls: Sequence[Call]) -> None:
    """Add a problem for each caller whom their AI still does not hear."""
    for call in calls:
        if (await call.report())["callerHeld"]:
            row.problems.append(f"{row.fault} {row.struck}: {call.transfer.id}: the caller is still held")


async def _agents_leave(scenario: Scenario, row: Row, calls: Sequence[Call]) -> None:
    """Wait until no briefing agent of a lost transfer is in a room."""
    agents = {participant_ids.agent(call.transfer.id) for call in calls}
    until = time.monotonic() + AGENTS_LEAVE_S
    while present := await _present(scenario, agents):
        if time.monotonic() > until:
            row.problems.append(f"{row.fault} {row.struck}: still in their rooms: {sorted(present)}")
            return
        await asyncio.sleep(POLL_S)


async def _present(scenario: Scenario, agents: set[str]) -> set[str]:
    """Return which of `agents` the cloud has in a room."""
    present: set[str] = set()
    for entry in await scenario.stack.ledger():
        participant_id = entry.get("participantId")
        if participant_id in agents and entry["kind"] == "joined":
            present.add(participant_id)
        elif participant_id in agents and entry["kind"] == "left":
            present.discard(participant_id)
    return present
