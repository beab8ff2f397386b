"""`Bus`: what an actor sees of the broker. Bytes in, bytes out, our own errors, a deadline on every wait.

This class is the seam behind which a simulated bus can stand: actors, `Log`, `Worker`, timers and intents
use nothing but its methods and the values of `messages.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from types import TracebackType

from nats.micro.service import Service, ServiceConfig

from . import diagnostics, request_reply, stream, stream_reader, stream_writer
from .connection import Connection
from .diagnostics import BrokerReport
from .messages import NO_HEADERS, Outgoing, Stored
from .pull_consumer import MessageSink, PullConsumer
from .request_reply import Handler, Responder
from .settings import BusSettings
from .subscriptions import Subscription

CONNECT_DEADLINE_S = 5.0
WRITE_DEADLINE_S = 5.0
READ_DEADLINE_S = 5.0
DRAIN_DEADLINE_S = 10.0


class Bus:
    """One connection to the broker. It reconnects for ever; close it with `drain` or `async with`."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @classmethod
    async def connect(
        cls, settings: BusSettings, *, name: str, deadline_s: float = CONNECT_DEADLINE_S
    ) -> Bus:
        """Connect as `name`, trying for `patience_s` while nothing listens.

        Raises `Unavailable` (nothing listens), `AccessDenied` (credentials), `UnfitServer` (older than
        2.14, or JetStream off), each with one sentence.
        """
        link = Connection(settings, name)
        await link.open(deadline_s)
        return cls(link)

    @property
    def settings(self) -> BusSettings:
        """The settings this bus was connected with."""
        return self._connection.settings

    @property
    def connected(self) -> bool:
        """Whether the broker can be reached now, as far as is known."""
        return self._connection.connected

    async def ensure(self) -> None:
        """Create or upgrade the stream and its consumers; safe from any number of processes at once."""
        await stream.ensure(self._connection, self.settings)

    async def diagnose(self, *, deadline_s: float = READ_DEADLINE_S) -> BrokerReport:
        """What the broker says about the stream, its queues and itself."""
        return await diagnostics.diagnose(self._connection, deadline_s)

    async def publish(
        self,
        subject: str,
        data: bytes,
        *,
        msg_id: str | None = None,
        expect_last: int | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
        deadline_s: float = WRITE_DEADLINE_S,
    ) -> int:
        """Store one message and return its number in the stream.

        A repeat of `msg_id` within two minutes is not stored again (its first number is returned), so
        it must be unique in the whole stream, not only on this subject.
        `expect_last` is the number of the last message on this very subject, 0 for none: the write
        happens only if it still is. Outages are waited out until `deadline_s`.

        Raises `StaleWrite` (somebody wrote first), `Unavailable` (unknown whether it was stored), and
        `Refused` (too large, not allowed).
        """
        return await stream_writer.publish(
            self._connection, Outgoing(subject, data, msg_id, headers), expect_last, deadline_s
        )

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline_s: float = WRITE_DEADLINE_S
    ) -> list[int]:
        """Store messages, all written in order before the first answer is awaited; their numbers in order.

        What was not stored is written again, in order, until `deadline_s`. One that is refused does not
        hold up the others; the first refusal is raised once all were tried.
        """
        return await stream_writer.publish_all(self._connection, messages, deadline_s)

    async def get_last(self, subject: str, *, deadline_s: float = READ_DEADLINE_S) -> Stored | None:
        """The last message on `subject` (wildcards allowed) or None, from any replica: maybe a moment old."""
        return await stream_reader.get_last(self._connection, subject, deadline_s)

    async def get_last_from_leader(
        self, subject: str, *, deadline_s: float = READ_DEADLINE_S
    ) -> Stored | None:
        """As `last`, from the stream's leader: never older than what was acknowledged. For whoever would let
        something go because of what is not there."""
        return await stream_reader.get_last_from_leader(self._connection, subject, deadline_s)

    async def history(
        self, subject: str, limit: int, *, after: int = 0, deadline_s: float = READ_DEADLINE_S
    ) -> list[Stored]:
        """The oldest `limit` messages on `subject` (wildcards allowed) above number `after`, in order."""
        return await stream_reader.history(self._connection, subject, limit, after, deadline_s)

    async def count(self, subject: str, *, deadline_s: float = READ_DEADLINE_S) -> int:
        """On how many subjects that match `subject` something is stored."""
        return await diagnostics.count(self._connection, subject, deadline_s)

    def subscribe(self, subject: str) -> Subscription:
        """Hear `subject` (wildcards allowed) live: an async context manager that is an async iterator.

        What is published while the connection is away is not heard: see `on_reconnect` and `last`. What
        was on its way as listening began is neither heard nor, for a moment, stored: look more than once.
        A write that lost its race is heard too, so listen to subjects that are written after the commit.
        """
        return Subscription(self._connection, subject)

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Ask and return the answer; raises `NoOneAnswered`, or `Refused`/`Broken` as the other side said."""
        return await request_reply.request(self._connection, subject, data, timeout_s)

    def serve(self, subject: str, handler: Handler, queue: str | None = None) -> Responder:
        """Answer questions on `subject` while the returned async context manager is open.

        Of the servers that share a `queue`, one answers. What `handler` raises reaches the asker.
        """
        return Responder(self._connection, subject, handler, queue)

    async def register_service(self, name: str, version: str, description: str) -> None:
        """Show this process in `nats service ls` until the bus is closed."""
        await Service(self._connection.client, ServiceConfig(name, version, description)).start()

    def on_reconnect(self, hook: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Call `hook` after each reconnect, to catch up; returns what unregisters it."""
        return self._connection.on_reconnect(hook)

    def pull(self, consumer: str, sink: MessageSink, window: int) -> PullConsumer:
        """The raw flow of one durable consumer; `Worker` is built on it, actors use that."""
        return PullConsumer(self._connection, consumer, sink, window)

    async def wait_closed(self) -> None:
        """Return when the connection is gone for good (closed by us, or barred by the broker)."""
        await self._connection.wait_closed()

    async def drain(self, deadline_s: float = DRAIN_DEADLINE_S) -> None:
        """Finish what was begun, write what is pending, close; cut short at `deadline_s`."""
        await self._connection.drain(deadline_s)

    async def close(self) -> None:
        """Close at once."""
        await self._connection.close()

    async def __aenter__(self) -> Bus:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()
