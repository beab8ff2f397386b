"""`Client`: request a transfer, follow it, cancel it, list earlier ones.

    async with Client.connect("nats://127.0.0.1:4222") as client:
        transfer = await client.request(WarmTransferRequest(room_id=..., config=...))
        async for phase in transfer.phases():
            print(phase.phase, phase.data)
        print(await transfer.result())

An invalid request is refused with one sentence, before anything is published. All errors are subclasses of
`InvalidRequest` (change the request), `RetryableError` (try again) or `InternalError` (a fault of warmxfer).
"""

from __future__ import annotations

import asyncio
import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import aclosing, asynccontextmanager
from typing import Any, Literal

import structlog

from warmxfer import tracing
from warmxfer.bus import (
    Bus,
    BusSettings,
    NoReply,
    ProcessStatistics,
    StaleWrite,
    Stored,
    StoredDeadLetter,
    Unavailable,
    find_dead_letter,
    newest_dead_letters,
    subjects,
)
from warmxfer.bus.polling import Follower, growing_pauses
from warmxfer.schemas import (
    CancelRequest,
    DecodeError,
    EraseQuery,
    EraseReply,
    InvalidRequest,
    PhaseChanged,
    ReplayQuery,
    ReplayReply,
    RetryableError,
    TransferNotice,
    WarmTransferRequest,
    WarmTransferResult,
    decode_as,
    decode_result,
    encode,
    read_cancel,
    read_request,
)
from warmxfer.schemas.api import (
    TransferQuery,
    TransferStatus,
    TransferSummary,
    ValidateReply,
)
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.id_in_use import IdInUse, same_request
from warmxfer.schemas.report import TransferReport
from warmxfer.schemas.timeline import (
    DeadLetter,
    DeadLettersQuery,
    DeadLettersReply,
    TransferOutline,
    TransferTimeline,
)

from .archived import archived_line, archived_phases, archived_result, find_archived, newest_archived
from .notice_stream import follow_notices, notice_of, stored_notices
from .phase_stream import MAX_PHASES, follow_phases, phase_of

CONNECT_DEADLINE_S = 2.0
START_TIMEOUT_S = 5.0
RESULT_TIMEOUT_S = 600.0
REPLAY_TIMEOUT_S = 10.0
ERASE_TIMEOUT_S = 12.0
"""A coordinator answers within 10 s. What it has not overwritten by then, it does when asked again."""
API_TIMEOUT_S = 10.0
MAX_REPORT_BYTES = 1_000_000
MAX_POLL_PAUSE_S = 5.0
MAX_LISTED = 1_000
MAX_RECORDS = 1_000
MAX_SCANNED = 100_000
FIRST_WINDOW = 64
READS_AT_ONCE = 32

log = structlog.get_logger(__name__)


class NoCoordinator(RetryableError):
    """No coordinator has started the transfer. The request may be stored."""

    def __init__(self) -> None:
        super().__init__(
            f"No coordinator replied within {START_TIMEOUT_S:g} s; start one with `warmxfer run coordinator`"
        )


class NotStarted(RetryableError):
    """The transfer was requested, but no coordinator has started it."""

    def __init__(self, id: str) -> None:
        super().__init__(
            f"Transfer {id} was requested but has not started; "
            "start a coordinator with `warmxfer run coordinator`"
        )


class NotArchived(RetryableError):
    """The transfer has ended, and is not archived yet."""

    def __init__(self, id: str) -> None:
        super().__init__(
            f"Transfer {id} has ended and is not archived yet, because its last commands may still be "
            f"carried out; erase it again in some minutes, and see `warmxfer report {id}` if it stays so"
        )


class StillRunning(RetryableError):
    """The transfer has not ended yet. It continues."""


class NoSuchTransfer(InvalidRequest):
    """There is no transfer with this id."""

    def __init__(self, id: str) -> None:
        super().__init__(f"id is {id!r}, but no transfer has this id; see `warmxfer list`", field="id")


class ErasedTransfer(NoSuchTransfer):
    """The transfer was erased. Nothing is known of it but its id."""

    def __init__(self, id: str) -> None:
        InvalidRequest.__init__(
            self, f"id is {id!r}, a transfer that was erased: only its id is kept", field="id"
        )


Listing = list[TransferSummary]
Phases = list[PhaseChanged]
Records = list[Stored]


class TransferHandle:
    """One transfer, as returned by `Client.request` and `Client.transfer`."""

    def __init__(self, bus: Bus, id: str) -> None:
        self._bus = bus
        self.id = subjects.check_token(id)

    async def phases(self, *, from_start: bool = True) -> AsyncGenerator[PhaseChanged, None]:
        """Yield every phase once, in order, the final one last. `from_start` False: only later phases.

        If the first phase does not arrive, raises `NoCoordinator`, or `NoSuchTransfer` if no transfer with
        this id was requested.
        """
        seen = None if from_start else await self.newest_phase()
        if seen and seen.phase.final:
            return
        phases = follow_phases(self._bus, self.id, after_seq=seen.seq if seen else 0)
        async with aclosing(phases):
            if seen is None:
                yield await self._first_phase(phases)
            async for phase in phases:
                yield phase

    async def notices(self, *, follow: bool = True) -> AsyncGenerator[TransferNotice, None]:
        """Yield every notice once, in order. `follow` False: only those so far.

        With `follow` it does not end by itself, because a notice may come after the result.
        """
        if not follow:
            for notice in await stored_notices(self._bus, self.id):
                yield notice
            return
        async with aclosing(follow_notices(self._bus, self.id)) as notices:
            async for notice in notices:
                yield notice

    async def result(self, timeout_s: float = RESULT_TIMEOUT_S) -> WarmTransferResult:
        """Block until the transfer has ended, and return its result.

        Raises as `phases` does, and `StillRunning` after `timeout_s`.
        """
        try:
            async with asyncio.timeout(timeout_s):
                async with aclosing(follow_phases(self._bus, self.id)) as phases:
                    await self._first_phase(phases)
                return await self._wait_for_result()
        except TimeoutError as error:
            raise StillRunning(f"Transfer {self.id} has not ended within {timeout_s:g} s") from error

    async def cancel(self, reason: str = CancelRequest().reason) -> None:
        """Cancel the transfer: the caller is returned to the AI, and it ends with `transfer_cancelled`."""
        cancel = read_cancel(encode(CancelRequest(reason)))
        await self._bus.publish(subjects.cancel(self.id), encode(cancel), msg_id=f"{self.id}:cancel")

    async def exists(self) -> bool:
        """Return whether the transfer was requested."""
        if await self._bus.get_last(subjects.request(self.id)) is not None:
            return True
        return await archived_result(self._bus, self.id) is not None

    async def check_same_request(self, data: bytes) -> None:
        """Raise `IdInUse` if the stored request with this id is not `data`.

        It owns the id: coordinators remove a request that they refuse for its id. Until then the newest one
        counts. Raises `Unavailable` if no replica shows it in time.
        """
        if not same_request((await self._stored_request()).data, data):
            newest = await self.newest_phase()
            raise IdInUse(self.id, newest.phase if newest else None)

    async def check_not_archived(self, data: bytes) -> bool:
        """Return False if the transfer is archived with this request. Raises `IdInUse` for another one."""
        archived = await find_archived(self._bus, self.id)
        if archived is None:
            return True
        if not same_request(archived.request, data, archived.without):
            line = await archived_line(self._bus, self.id)
            raise IdInUse(
                self.id,
                None if line is None else line.phase,
                erased=line is not None and line.erased,
            )
        return False

    async def unknown(self) -> NoSuchTransfer:
        """Return the error for a transfer of which nothing is stored: it was erased, or never existed."""
        line = await archived_line(self._bus, self.id)
        return ErasedTransfer(self.id) if line is not None and line.erased else NoSuchTransfer(self.id)

    async def newest_phase(self) -> PhaseChanged | None:
        """Return the newest phase, or None if the transfer has not started, or does not exist."""
        stored = await self._bus.get_last(subjects.phase(self.id))
        if stored is not None:
            return phase_of(stored)
        return next(reversed(await archived_phases(self._bus, self.id)), None)

    async def _stored_request(self) -> Stored:
        """Return the request with this id. Waits while the replica that answers has none yet."""
        pauses_s = growing_pauses(MAX_POLL_PAUSE_S)
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                while True:
                    if stored := await self._bus.get_last(subjects.request(self.id)):
                        return stored
                    await asyncio.sleep(next(pauses_s))
        except TimeoutError as error:
            raise Unavailable(f"The broker did not show the request of transfer {self.id} in time") from error

    async def _first_phase(self, phases: AsyncIterator[PhaseChanged]) -> PhaseChanged:
        try:
            async with asyncio.timeout(START_TIMEOUT_S):
                return await anext(phases)
        except TimeoutError as error:
            raise (NoCoordinator() if await self.exists() else await self.unknown()) from error

    async def _wait_for_result(self) -> WarmTransferResult:
        subject = subjects.result(self.id)
        async with Follower(self._bus, subject) as follower:
            while True:
                if stored := await self._bus.get_last(subject):
                    return decode_result(stored.data)
                if archived := await archived_result(self._bus, self.id):
                    return archived
                if message := await follower.next():
                    return decode_result(message.data)


class Client:
    """One connection of a user. Safe to share between tasks."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus

    @classmethod
    @asynccontextmanager
    async def connect(
        cls, url: str | None = None, *, name: str = "warmxfer-client", env: Mapping[str, str] = os.environ
    ) -> AsyncIterator[Client]:
        """Connect to `url`, or to `NATS_URL` of `env`. Credentials are read from `env` too.

        Raises `Unavailable`, `AccessDenied` and `UnfitServer`, each with one sentence.
        """
        settings = BusSettings.from_env({**env, **({"NATS_URL": url} if url else {})})
        async with await Bus.connect(settings, name=name, deadline_s=CONNECT_DEADLINE_S) as bus:
            yield cls(bus)

    async def request(
        self, request: WarmTransferRequest | Mapping[str, Any], id: str | None = None
    ) -> TransferHandle:
        """Publish a request, and return its handle once the request is stored.

        Idempotent for the same `id` and request; without an id it uses `new_id()`. Raises `InvalidRequest`
        with the field, its value and the remedy, `IdInUse` (an `InvalidRequest`) if another request has this
        id, and `RetryableError` if the broker does not reply. Inside a span of OpenTelemetry, the trace of
        the transfer begins in it.
        """
        transfer = TransferHandle(self._bus, new_id() if id is None else id)
        data = encode(read_request(encode(request)))
        try:
            if id is not None and not await transfer.check_not_archived(data):
                return transfer
            # The first request with an id owns it. A message id would not do: the broker drops a repeated
            # one without a look at the body, and forgets it after two minutes.
            await self._bus.publish(
                subjects.request(transfer.id), data, expect_last=0, headers=_trace_headers()
            )
        except StaleWrite:
            await transfer.check_same_request(data)
        except Unavailable as error:
            if self._bus.connected:
                # The broker replies but the stream does not exist: no coordinator has run here yet.
                raise NoCoordinator from error
            raise
        return transfer

    async def validate(self, request: WarmTransferRequest | Mapping[str, Any]) -> WarmTransferRequest:
        """Return the request with its defaults if it is valid and its calls may be dialled.

        A coordinator asks its dial policy. Nothing is stored. Raises `InvalidRequest`, and `NoCoordinator`.
        """
        data = encode(read_request(encode(request)))
        return decode_as(ValidateReply, await self._ask("validate", data)).request

    async def status(self, id: str) -> TransferStatus:
        """Return where a transfer is, with its result if it has ended. Raises `NoSuchTransfer`."""
        transfer = self.transfer(id)
        newest = await transfer.newest_phase()
        if newest is None:
            if not await transfer.exists():
                raise await transfer.unknown()
            return TransferStatus(id=id)
        ended = newest.phase.final
        return TransferStatus(
            id=id,
            phase=newest.phase,
            seq=newest.seq,
            at=newest.timestamp,
            ended=ended,
            result=await transfer.result() if ended else None,
        )

    async def cancel(self, id: str, reason: str = CancelRequest().reason) -> None:
        """Cancel a running transfer; see `TransferHandle.cancel`.

        Raises `NoSuchTransfer`, and `InvalidRequest` if it has ended already.
        """
        transfer = self.transfer(id)
        newest = await transfer.newest_phase()
        if newest is None and not await transfer.exists():
            raise await transfer.unknown()
        if newest is not None and newest.phase.final:
            raise InvalidRequest(
                f"Transfer {id!r} has already ended ({newest.phase.value}); "
                "only a running transfer can be cancelled",
                field="id",
            )
        await transfer.cancel(reason)

    async def report(self, id: str) -> TransferReport:
        """Return the report of a transfer: moments, durations, attempts, commands, and what is unconfirmed.

        A coordinator makes it from the log. Raises `NoSuchTransfer`, `NotStarted` and `NoCoordinator`.
        """
        await self.status(id)  # raises NoSuchTransfer, which a reply does not tell apart
        reply = await self._ask("report", encode(TransferQuery(subjects.check_token(id))))
        return decode_as(TransferReport, reply, max_bytes=MAX_REPORT_BYTES)

    async def outline(self, id: str) -> TransferOutline:
        """Return to whom a transfer goes, with a masked number, and how long each step may take.

        A coordinator reads it from the log. Raises `InvalidRequest` if there is no such transfer,
        `NotStarted` and `NoCoordinator`.
        """
        query = encode(TransferQuery(subjects.check_token(id)))
        return decode_as(TransferOutline, await self._ask("outline", query))

    async def timeline(self, id: str) -> TransferTimeline:
        """Return everything that happened in a transfer, oldest first; see `outline`."""
        query = encode(TransferQuery(subjects.check_token(id)))
        return decode_as(TransferTimeline, await self._ask("timeline", query), max_bytes=MAX_REPORT_BYTES)

    async def processes(self) -> list[ProcessStatistics]:
        """Return the processes of warmxfer that answer now, with what they have handled since their start."""
        return await self._bus.processes()

    async def _ask(self, verb: str, query: bytes) -> bytes:
        try:
            return await self._bus.request(subjects.api(verb), query, API_TIMEOUT_S)
        except NoReply as error:
            raise NoCoordinator from error

    def transfer(self, id: str) -> TransferHandle:
        """Return the handle of an earlier transfer. Raises `InvalidRequest` for an invalid id."""
        return TransferHandle(self._bus, id)

    async def all_phases(self) -> AsyncGenerator[tuple[str, PhaseChanged], None]:
        """Yield the phases of every transfer from now on, each with its transfer id."""
        async with self._bus.subscribe(subjects.ANY_PHASE) as subscription:
            async for message in subscription:
                if phase := phase_of(message):
                    yield subjects.parse(message.subject).id, phase

    async def all_notices(self) -> AsyncGenerator[tuple[str, TransferNotice], None]:
        """Yield the notices of every transfer from now on, each with its transfer id."""
        async with self._bus.subscribe(subjects.ANY_NOTICE) as subscription:
            async for message in subscription:
                if notice := notice_of(message):
                    yield subjects.parse(message.subject).id, notice

    async def history(self, id: str) -> Phases:
        """Return the phases of one transfer so far, in order; empty if there is no such transfer."""
        stored = await self._bus.history(subjects.phase(id), MAX_PHASES)
        if not stored:
            return await archived_phases(self._bus, id)
        by_seq = {phase.seq: phase for each in stored if (phase := phase_of(each))}
        return [by_seq[seq] for seq in sorted(by_seq)]

    async def log(self, id: str) -> Records:
        """Return the coordinator's records of one transfer: one per transition, oldest first.

        The stream has at most the last record of an archived transfer, for a while.
        """
        stored = await self._bus.history(subjects.log(id), MAX_RECORDS)
        if len(stored) > 1:
            return stored
        archived = await find_archived(self._bus, id)
        return stored if archived is None else archived.stored_records()

    async def list(self, limit: int = 20, *, only: Literal["running", "all"] = "all") -> Listing:
        """Return the `limit` transfers with the newest phases, newest first: live ones and archived ones.

        Reads back over at most `MAX_SCANNED` messages of the working streams.
        """
        if not 1 <= limit <= MAX_LISTED:
            raise InvalidRequest(f"limit is {limit}; give 1 to {MAX_LISTED}", field="limit")
        newest = await self._bus.get_last(subjects.ANY_PHASE)
        window, found = FIRST_WINDOW * limit, dict[str, TransferSummary]()
        while newest and len(found) < limit:
            after = max(0, newest.seq - window)
            stored = await self._bus.history(subjects.ANY_PHASE, MAX_SCANNED, after=after)
            found = _newest_phase_of_each(stored, only)
            if after == 0 or window >= MAX_SCANNED:
                break
            window = min(4 * window, MAX_SCANNED)
        archived = await newest_archived(self._bus, limit) if only == "all" else []
        found |= {each.id: _summary(each) for each in archived if each.id not in found}
        listed = sorted(found.values(), key=lambda each: each.at, reverse=True)[:limit]
        slots = asyncio.Semaphore(READS_AT_ONCE)
        return await asyncio.gather(*(self._with_outcome(each, slots) for each in listed))

    async def dead_letters(self, limit: int = 20) -> list[StoredDeadLetter]:
        """Return the newest `limit` dead letters, newest first. Raises `InvalidRequest` for the limit."""
        if not 1 <= limit <= MAX_LISTED:
            raise InvalidRequest(f"limit is {limit}; give 1 to {MAX_LISTED}", field="limit")
        return await newest_dead_letters(self._bus, limit)

    async def shown_dead_letters(self, limit: int = 20) -> list[DeadLetter]:
        """Return what `dead_letters` does, read by a coordinator: for users without a right to the stream."""
        reply = await self._ask("dead_letters", encode(DeadLettersQuery(limit)))
        return decode_as(DeadLettersReply, reply, max_bytes=MAX_REPORT_BYTES).dead_letters

    async def dead_letter(self, number: int) -> StoredDeadLetter:
        """Return one dead letter. Raises `NoSuchDeadLetter`."""
        return await find_dead_letter(self._bus, number)

    async def replay(self, number: int) -> ReplayReply:
        """Ask a coordinator to handle the message of a dead letter again, and return what it handled.

        What was done is not done twice. Raises `InvalidRequest` if it could do harm, and `NoCoordinator`.
        """
        query = encode(ReplayQuery(number))
        try:
            reply = await self._bus.request(subjects.ASK_REPLAY, query, REPLAY_TIMEOUT_S)
        except NoReply as error:
            raise NoCoordinator from error
        return decode_as(ReplayReply, reply)

    async def erase(self, id: str) -> EraseReply:
        """Ask a coordinator to erase an archived transfer: only its id is kept.

        Idempotent. Raises `InvalidRequest` if it runs or does not exist, `NotArchived` if it has ended and is
        not archived yet, and `NoCoordinator`.
        """
        query = encode(EraseQuery(subjects.check_token(id)))
        try:
            reply = await self._bus.request(subjects.ASK_ERASE, query, ERASE_TIMEOUT_S)
        except NoReply as error:
            raise NoCoordinator from error
        erased = decode_as(EraseReply, reply)
        if not erased.erased:
            raise NotArchived(id)
        return erased

    async def _with_outcome(self, summary: TransferSummary, slots: asyncio.Semaphore) -> TransferSummary:
        if not summary.phase.final or summary.outcome is not None:
            return summary
        async with slots:
            stored = await self._bus.get_last(subjects.result(summary.id))
        if stored is None:
            return summary
        try:
            result = decode_result(stored.data)
        except DecodeError as error:
            log.warning("result_not_decoded", transfer_id=summary.id, error=str(error))
            return summary
        return TransferSummary(
            id=summary.id,
            phase=summary.phase,
            seq=summary.seq,
            at=summary.at,
            outcome=result.outcome,
            detail=result.detail,
        )


def _trace_headers() -> dict[str, str]:
    value = tracing.users_header()
    return {} if value is None else {tracing.HEADER: value}


def new_id() -> str:
    """Return a unique id that sorts by time: milliseconds, then random digits."""
    return f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(5)}"


def _summary(archived: ArchivedTransfer) -> TransferSummary:
    result = archived.result
    return TransferSummary(
        id=archived.id,
        phase=archived.phase,
        seq=archived.seq,
        at=archived.at,
        outcome=None if result is None else result.outcome,
        detail=None if result is None else result.detail,
    )


def _newest_phase_of_each(stored: Records, only: Literal["running", "all"]) -> dict[str, TransferSummary]:
    last: dict[str, TransferSummary] = {}
    for each in stored:
        if not (phase := phase_of(each)):
            continue
        id = subjects.parse(each.subject).id
        if id not in last or phase.seq > last[id].seq:
            last[id] = TransferSummary(id=id, phase=phase.phase, seq=phase.seq, at=phase.timestamp)
    return {id: each for id, each in last.items() if only == "all" or not each.phase.final}
