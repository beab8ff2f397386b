"""`Client`: request a transfer, follow it, cancel it, list earlier ones.

    async with Client.connect("nats://127.0.0.1:4222") as client:
        transfer = await client.request(WarmTransferRequest(room_id=..., config=...))
        async for phase in transfer.phases():
            print(phase.phase, phase.data)
        print(await transfer.result())

An invalid request is refused with one sentence, before anything is published. All errors are subclasses of
`InvalidRequest` (change the request), `RetryableError` (try again), `InternalError` (a fault of warmxfer) or
`DecodeError` (a coordinator of another version replied what this client cannot read: give both one version).
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, get_args

from warmxfer import tracing
from warmxfer.bus import (
    Bus,
    BusSettings,
    DeadLetterBody,
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
from warmxfer.bus.transfer_log import MAX_RECORDS
from warmxfer.schemas import (
    CancelRequest,
    EraseQuery,
    EraseReply,
    InvalidRequest,
    PhaseChanged,
    ReplayQuery,
    ReplayReply,
    TransferNotice,
    WarmTransferRequest,
    check_request,
    decode_as,
    encode,
)
from warmxfer.schemas.api import TransferQuery, TransferStatus, TransferSummary, ValidateReply
from warmxfer.schemas.compact_request import compact_request
from warmxfer.schemas.report import TransferReport
from warmxfer.schemas.timeline import (
    DeadLetter,
    DeadLettersQuery,
    DeadLettersReply,
    TransferOutline,
    TransferTimeline,
)

from .archived import archived_dead_letters, archived_phases, find_archived
from .errors import NoCoordinator, NotArchived, NotStarted
from .listing import Which, newest_transfers
from .notice_stream import notice_of
from .phase_stream import MAX_PHASES, phase_of
from .transfer_handle import TransferHandle

CONNECT_DEADLINE_S = 2.0
REPLAY_TIMEOUT_S = 75.0
"""A replayed request may wait for a free place for 60 s; a coordinator answers within 70 s."""
ERASE_TIMEOUT_S = 12.0
"""A coordinator answers within 10 s. What it has not overwritten by then, it does when asked again."""
API_TIMEOUT_S = 10.0
MAX_REPORT_BYTES = 1_000_000
MAX_LISTED = 1_000

Listing = list[TransferSummary]
Phases = list[PhaseChanged]
Records = list[Stored]


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

        Raises `Unavailable`, `AccessDenied` and `UnsupportedServer`, each with one sentence.
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
        data = compact_request(check_request(request))
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
        data = encode(check_request(request))
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

    async def started_log(self, id: str) -> Records:
        """Return what `log` does. Raises `NoSuchTransfer`, and `NotStarted` if there is no record yet."""
        if stored := await self.log(id):
            return stored
        transfer = self.transfer(id)
        raise NotStarted(id) if await transfer.exists() else await transfer.unknown()

    async def list(self, limit: int = 20, *, only: Which = "all") -> Listing:
        """Return the `limit` transfers with the newest phases, newest first: live ones and archived ones.

        Reads back over a bounded number of messages of the working streams. Raises `InvalidRequest` for the
        limit, and for a word that is not in `Which`.
        """
        _check_limit(limit)
        if only not in get_args(Which):
            words = ", ".join(get_args(Which))
            raise InvalidRequest(f"only is {str(only)[:40]!r}; use one of {words}", field="only")
        return await newest_transfers(self._bus, limit, only)

    async def dead_letters(self, limit: int = 20) -> list[StoredDeadLetter]:
        """Return the newest `limit` dead letters, newest first. Raises `InvalidRequest` for the limit."""
        _check_limit(limit)
        return await newest_dead_letters(self._bus, limit)

    async def archived_dead_letters(self, id: str) -> list[DeadLetterBody]:
        """Return the dead letters of an archived transfer, oldest first. They cannot be replayed."""
        return await archived_dead_letters(self._bus, id)

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


def _trace_headers() -> dict[str, str]:
    value = tracing.users_header()
    return {} if value is None else {tracing.HEADER: value}


def new_id() -> str:
    """Return a unique id that sorts by time: milliseconds, then random digits."""
    return f"{time.time_ns() // 1_000_000:012x}-{secrets.token_hex(5)}"


def _check_limit(limit: int) -> None:
    if not 1 <= limit <= MAX_LISTED:
        raise InvalidRequest(f"limit is {limit}; give 1 to {MAX_LISTED}", field="limit")
