"""Request and reply over core NATS: `request()` sends a request, `Responder` replies to it."""

from __future__ import annotations

import asyncio
import contextvars
from collections.abc import Awaitable, Callable
from types import TracebackType

import structlog
from nats.aio.subscription import Subscription as NatsSubscription
from nats.errors import Error

from warmxfer import tracing

from .connection import Connection, has_no_responders
from .dead_letters import describe_error
from .errors import Busy, InternalError, InvalidRequest, NoReply, RetryableError
from .messages import NO_HEADERS, LiveMessage
from .micro_service import Endpoint, row_of_request
from .nats_client import ArrivedMessage, unsubscribe
from .reply_inbox import ConnectionLost
from .subjects import ASK_LIVENESS, is_reply_address

MAX_CONCURRENT_REPLIES = 64
REPLY_DEADLINE_S = 10.0
"""Time of a handler for one request, unless the server has another one."""
MAX_SENTENCE_CHARS = 300

WITHOUT_SPAN = (ASK_LIVENESS,)
"""Requests that make no span. A session asks again and again whether its transfer is live."""
OTHER = "other"

ERROR = "Nats-Service-Error"
ERROR_CODE = "Nats-Service-Error-Code"
_REFUSED, _BROKEN, _BUSY = "400", "500", "503"

Handler = Callable[[LiveMessage], Awaitable[bytes]]
log = structlog.get_logger(__name__)


class Responder:
    """A server of requests: `async with bus.serve(subject, handler): ...`.

    Each handler has `deadline_s`, and runs in the context in which this server was made. At most
    `MAX_CONCURRENT_REPLIES` run at a time; further requests are rejected at once as busy. A request whose
    reply subject is one of ours is ignored.
    """

    def __init__(
        self,
        connection: Connection,
        subject: str,
        handler: Handler,
        endpoint: Endpoint,
        queue: str | None = None,
        deadline_s: float = REPLY_DEADLINE_S,
    ) -> None:
        self._connection = connection
        self._subject = subject
        self._handler = handler
        self._endpoint = endpoint
        self._queue = queue
        self._span_name = f"serve {_name_of(subject)}"
        self._deadline_s = deadline_s
        self._context = contextvars.copy_context()
        self._running: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop
        self._subscription: NatsSubscription | None = None

    async def __aenter__(self) -> Responder:
        self._loop = asyncio.get_running_loop()
        self._subscription = await self._connection.client.subscribe_callback(
            self._subject, self._on_message, self._queue or ""
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._subscription is not None:
            await unsubscribe(self._subscription)
        if self._running:
            _, late = await asyncio.wait(self._running, timeout=min(self._deadline_s, REPLY_DEADLINE_S))
            for task in late:
                task.cancel()  # a session that closes does not wait for the summary of a slow model

    def _on_message(self, msg: ArrivedMessage) -> None:
        if not msg.reply:
            return
        if not is_reply_address(msg.reply):
            log.warning("reply_refused", subject=msg.subject, reply=msg.reply)
            return
        if len(self._running) >= MAX_CONCURRENT_REPLIES:
            self._endpoint.failed("Busy")
            self._reply(
                msg, b"", _BUSY, f"{MAX_CONCURRENT_REPLIES} requests are in progress; try again later"
            )
            return
        # A callback runs in the context of the connection, which many servers share.
        task = asyncio.create_task(self._handle(msg), context=self._context.copy())
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _handle(self, msg: ArrivedMessage) -> None:
        try:
            with self._endpoint.measured(self._loop):
                async with asyncio.timeout(self._deadline_s):
                    data = await self._answer(msg)
        except InvalidRequest as error:
            self._reply(msg, b"", _REFUSED, str(error))
        except RetryableError as error:
            self._reply(msg, b"", _BUSY, str(error))
        except TimeoutError:
            log.warning("reply_timed_out", subject=msg.subject, deadline_s=self._deadline_s)
            self._reply(msg, b"", _BUSY, f"no reply within {self._deadline_s:g} s")
        except Exception as error:
            # Its text may quote the payload, so only the type of the error leaves this process.
            log.error("reply_failed", subject=msg.subject, cause=describe_error(error))
            self._reply(msg, b"", _BROKEN, f"the server failed with {type(error).__name__}")
        else:
            self._reply(msg, data)

    async def _answer(self, msg: ArrivedMessage) -> bytes:
        headers = msg.headers or NO_HEADERS
        with tracing.handle(self._span_name, tracing.received(headers), kind=tracing.Kind.SERVER):
            return await self._handler(LiveMessage(msg.subject, msg.data, headers=headers))

    def _reply(self, msg: ArrivedMessage, data: bytes, code: str = "", sentence: str = "") -> None:
        headers = {ERROR_CODE: code, ERROR: sentence[:MAX_SENTENCE_CHARS]} if code else None
        try:
            self._connection.client.send(msg.reply, data, headers=headers)
        except Error as error:
            log.warning("reply_send_failed", subject=msg.subject, error=str(error))


async def request(connection: Connection, subject: str, data: bytes, timeout_s: float) -> bytes:
    """Send a request and return the reply; see `Bus.request`."""
    if not tracing.is_on() or subject in WITHOUT_SPAN:
        return await _request(connection, subject, data, None, timeout_s)
    with tracing.span(f"request {_name_of(subject)}", tracing.Kind.CLIENT):
        trace = tracing.header()
        headers = None if trace is None else {tracing.HEADER: trace}
        return await _request(connection, subject, data, headers, timeout_s)


def _name_of(subject: str) -> str:
    row = row_of_request(subject)
    return row.name if row is not None else OTHER


async def _request(
    connection: Connection, subject: str, data: bytes, headers: dict[str, str] | None, timeout_s: float
) -> bytes:
    try:
        reply = await connection.inbox.call(subject, data, headers, timeout_s)
    except TimeoutError as error:
        raise NoReply(f"No reply on {subject} within {timeout_s:g} s") from error
    except ConnectionLost as error:
        raise NoReply(f"The connection failed while waiting for a reply on {subject}") from error
    if has_no_responders(reply):
        raise NoReply(f"No process serves {subject}")
    answered = reply.headers or {}
    code, sentence = answered.get(ERROR_CODE), answered.get(ERROR, "")
    if code is None:
        return reply.data
    if code == _REFUSED:
        raise InvalidRequest(sentence)
    if code == _BUSY:
        raise Busy(f"{subject}: {sentence}")
    raise InternalError(f"{subject}: {sentence}")
