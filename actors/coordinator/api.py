"""The API for users: request and reply on `warmxfer.api.v1.<verb>`.

Each verb does what the method of `Client` does. A mistake of the author is answered with its sentence, in the
headers of the reply.

- Invariant: a reply to `start` is sent only after the request is stored.
- Invariant: the same query to `start` gets the same reply, also from another coordinator.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from types import TracebackType

from warmxfer.bus import Bus, LiveMessage, Stored, StoredDeadLetter, subjects
from warmxfer.bus.consumer_table import COORDINATOR
from warmxfer.client import Client
from warmxfer.schemas import encode, read_request, with_defaults
from warmxfer.schemas.api import (
    CancelQuery,
    CancelReply,
    ListQuery,
    ListReply,
    StartReply,
    TransferQuery,
    ValidateReply,
)
from warmxfer.schemas.timeline import DeadLetter, DeadLettersQuery, DeadLettersReply
from warmxfer.schemas.validation import read_query, read_start

from ..common.dial_policy import DialPolicy
from .report import outline_of_log, outline_of_record, report_of_log, timeline_of_log

Answer = Callable[[bytes], Awaitable[object]]


class Api:
    """Answers every verb while the context is open. Any number of coordinators may: one of them answers."""

    def __init__(self, bus: Bus, policy: DialPolicy) -> None:
        self._bus = bus
        self._client = Client(bus)
        self._policy = policy
        self._open = AsyncExitStack()

    async def __aenter__(self) -> Api:
        verbs: dict[str, Answer] = {
            "validate": self.validate,
            "start": self.start,
            "status": self.status,
            "list": self.list,
            "cancel": self.cancel,
            "report": self.report,
            "outline": self.outline,
            "timeline": self.timeline,
            "dead_letters": self.dead_letters,
        }
        for verb, answer in verbs.items():
            serving = self._bus.serve(subjects.api(verb), _handler(answer), queue=COORDINATOR)
            await self._open.enter_async_context(serving)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._open.aclose()

    async def validate(self, data: bytes) -> object:
        """Check a request as its coordinator would. Nothing is stored."""
        request = with_defaults(read_request(data))
        self._policy.check_request(request.config)
        return ValidateReply(request)

    async def start(self, data: bytes) -> object:
        query = read_start(data)
        await self._client.request(query.request, query.id)
        return StartReply(query.id, subjects.phase(query.id), subjects.result(query.id))

    async def status(self, data: bytes) -> object:
        return await self._client.status(read_query(TransferQuery, data).id)

    async def list(self, data: bytes) -> object:
        query = read_query(ListQuery, data)
        return ListReply(await self._client.list(query.limit, only=query.only))

    async def cancel(self, data: bytes) -> object:
        query = read_query(CancelQuery, data)
        await self._client.cancel(query.id, query.reason)
        return CancelReply(query.id)

    async def report(self, data: bytes) -> object:
        id, stored = await self._log_of(data)
        return report_of_log(id, [each.data for each in stored])

    async def outline(self, data: bytes) -> object:
        """Read the newest record only: each transfer that a board shows asks this once."""
        id = read_query(TransferQuery, data).id
        newest = await self._bus.get_last(subjects.log(id))
        if newest is not None and (outline := outline_of_record(id, newest.data)):
            return outline
        _, stored = await self._log_of(data)
        return outline_of_log(id, [each.data for each in stored])

    async def timeline(self, data: bytes) -> object:
        id, stored = await self._log_of(data)
        return timeline_of_log(id, [(each.at, each.data) for each in stored])

    async def dead_letters(self, data: bytes) -> object:
        """Return the newest dead letters. A board has no right to the stream that holds them."""
        found = await self._client.dead_letters(read_query(DeadLettersQuery, data).limit)
        return DeadLettersReply([_dead_letter(each) for each in found])

    async def _log_of(self, data: bytes) -> tuple[str, list[Stored]]:
        """Return the id in a query and its log. Raises `NotStarted` and `NoSuchTransfer`."""
        id = read_query(TransferQuery, data).id
        return id, await self._client.started_log(id)


def _dead_letter(stored: StoredDeadLetter) -> DeadLetter:
    body = stored.body
    return DeadLetter(
        number=stored.number,
        at=stored.at,
        id=stored.transfer_id,
        subject=body.subject,
        consumer=body.consumer,
        cause=body.cause,
        tries=body.tries,
        count=body.count,
    )


def _handler(answer: Answer) -> Callable[[LiveMessage], Awaitable[bytes]]:
    async def handle(message: LiveMessage) -> bytes:
        return encode(await answer(message.data))

    return handle
