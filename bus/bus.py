"""`Bus`: one connection to the broker, and the only class through which actors use NATS.

`TransferLog`, `Worker`, timers and effect claims use only its methods and the values in `messages.py`. The
simulation replaces what is below: the nats client (`nats_client.py`).
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from types import TracebackType

from . import (
    diagnostics,
    removal,
    request_reply,
    stream,
    stream_reader,
    stream_writer,
    subjects,
    subscriptions,
)
from .broker_clock import BrokerClock
from .connection import Connection
from .consumers import ensure_consumers_of
from .diagnostics import BrokerReport
from .messages import NO_HEADERS, Outgoing, Stored
from .micro_service import Endpoints, MicroService
from .pull_consumer import MessageSink, PullConsumer
from .pull_watch import PullWatch
from .readiness import Readiness
from .recovery import StreamRecovery
from .request_reply import REPLY_DEADLINE_S, Handler, Responder
from .services import ProcessStatistics, list_processes
from .settings import BusSettings
from .storage import StorageReader, StorageUse, StreamSpan, read_span, read_time
from .subscriptions import Subscription

CONNECT_DEADLINE_S = 5.0
WRITE_DEADLINE_S = 5.0
READ_DEADLINE_S = 5.0
DRAIN_DEADLINE_S = 10.0


class Bus:
    """One connection to the broker: publish, read, subscribe, request and serve.

        async with await Bus.connect(BusSettings.from_env(), name="gateway") as bus:
            await bus.ensure()
            await bus.publish(subjects.event(id, "gateway"), data, msg_id=f"{id}.answer")

    What holds for every method:

    - Payloads are bytes. Times are epoch seconds by the broker's clock. A sequence number is the position of
      a message in its stream: it is unique there and only grows. Which stream: `subject_table.py`.
    - The connection reconnects without end. A method waits through an outage until its `deadline_s`, and then
      raises `Unavailable`. After `Unavailable` it is unknown whether a message was stored.
    - A publish, read or request raises `AccessDenied` at once if the broker forbids this user the subject.
    - A subscriber may receive a message more than once, and a worker gets it again after a crash. Handle
      messages idempotently.
    - Direct reads (`get_last`, `history`) may be stale, because any replica answers them. A message that they
      return was stored. A message that they do not return may have been stored a moment ago.
    - Thread/loop: use a bus only in the event loop that connected it.

    Close it with `drain()`, `close()` or `async with`.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._recovery = StreamRecovery(connection)
        self._storage = StorageReader(connection)
        self._watch = PullWatch(connection)
        self.endpoints = Endpoints()
        """What this process serves, and its statistics."""

    @classmethod
    async def connect(
        cls, settings: BusSettings, *, name: str, deadline_s: float = CONNECT_DEADLINE_S
    ) -> Bus:
        """Connect to the broker under the client name `name`. Retries for `deadline_s` while no server
        listens.

        Raises, each in one sentence with the remedy:

        - `Unavailable`: no server answers.
        - `AccessDenied`: the credentials are refused.
        - `UnsupportedServer`: the server is older than 2.14.3, or runs without JetStream.
        - `InvalidRequest`: a file in the settings cannot be used.
        """
        connection = Connection(settings, name)
        await connection.open(deadline_s)
        return cls(connection)

    @property
    def settings(self) -> BusSettings:
        """The settings of this connection."""
        return self._connection.settings

    @property
    def connected(self) -> bool:
        """True if the connection to the broker is up, as far as this process knows."""
        return self._connection.connected

    @property
    def readiness(self) -> Readiness:
        """The checks that this process must pass to be ready. Its connection and workers add theirs."""
        return self._connection.readiness

    @property
    def clock(self) -> BrokerClock:
        """Estimate of the broker's clock, from what workers received. For metrics."""
        return self._connection.clock

    async def ensure(self, role: str | None = None) -> None:
        """Create the streams and their consumers, or update them. With `role`: only its consumers.

        Idempotent. Any number of processes may call it at the same time.
        Raises `InvalidRequest` if an existing stream or consumer cannot be updated, and `StreamMissing` if a
        role finds no stream for its consumers.
        """
        if role is None:
            await stream.ensure(self._connection)
        else:
            await ensure_consumers_of(self._connection, role, stream.API_DEADLINE_S)

    async def diagnose(self, *, deadline_s: float = READ_DEADLINE_S) -> BrokerReport:
        """Return the broker's report on itself, the streams, the consumers and the registered services."""
        return await diagnostics.diagnose(self._connection, deadline_s)

    async def processes(self) -> list[ProcessStatistics]:
        """Return the processes of warmxfer that answer within half a second, with their statistics."""
        return await list_processes(self._connection)

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
        """Store one message in the stream and return its sequence number.

        `msg_id` makes the call idempotent for 120 seconds: a repeat is not stored, and the sequence number of
        the first message is returned. The id must be unique in its stream, not only on this subject.
        Without `msg_id` the bus assigns a random one, so its own retries are stored once.

        `expect_last` is the sequence number of the last message on this subject, or 0 if there is none. The
        message is stored only if that is still true.

        Raises:

        - `StaleWrite`: another message was stored first. Nothing was stored; load again, decide again.
        - `Unavailable`: it is unknown whether the message was stored.
        - `InvalidRequest`: the message is too large.
        - `InternalError`: `msg_id` was used on another subject before (checked only with `expect_last`).
        """
        return await stream_writer.publish(
            self._connection, Outgoing(subject, data, msg_id, headers), expect_last, deadline_s
        )

    async def publish_all(
        self, messages: Sequence[Outgoing], *, deadline_s: float = WRITE_DEADLINE_S
    ) -> list[int]:
        """Store many messages and return their sequence numbers, in the same order.

        All messages are sent before the first acknowledgement is awaited. Messages that were not stored are
        sent again, in order, until `deadline_s`. A rejected message does not delay the others: the first
        rejection is raised after all messages were tried.
        """
        return await stream_writer.publish_all(self._connection, messages, deadline_s)

    async def get_last(self, subject: str, *, deadline_s: float = READ_DEADLINE_S) -> Stored | None:
        """Return the newest message on `subject` (wildcards allowed), or None. Any replica answers.

        The result may be stale, usually by milliseconds. Use it where a guarded write decides, where you read
        again, or where an old answer does no harm.
        """
        return await stream_reader.get_last(self._connection, subject, deadline_s)

    async def get_last_from_leader(
        self, subject: str, *, deadline_s: float = READ_DEADLINE_S
    ) -> Stored | None:
        """Return the newest message on `subject` (wildcards allowed), or None. The stream leader answers.

        The result includes every acknowledged write. Use it before you drop something for good because a
        message does not exist. It raises `Unavailable` while the stream has no leader, which takes some
        seconds after one died. A leader that was just cut off from the other replicas may answer for as long.
        """
        return await stream_reader.get_last_from_leader(self._connection, subject, deadline_s)

    async def get_by_number(
        self, stream: str, seq: int, *, deadline_s: float = READ_DEADLINE_S
    ) -> Stored | None:
        """Return the message with number `seq` of `stream`, or None.

        A replica may answer. Only the stream leader says that there is none.
        """
        found = await stream_reader.get_by_number(self._connection, stream, seq, deadline_s)
        if found is not None:
            return found
        return await stream_reader.get_by_number_from_leader(self._connection, stream, seq, deadline_s)

    async def history(
        self,
        subject: str,
        limit: int,
        *,
        after: int = 0,
        stream: str | None = None,
        deadline_s: float = READ_DEADLINE_S,
    ) -> list[Stored]:
        """Return the oldest `limit` messages on `subject` (wildcards allowed) after number `after`, in order.

        `stream` is needed for a filter over several kinds of messages. Any replica answers, so the newest
        messages may be missing.
        """
        place = subjects.place_of(subject) if stream is None else subjects.Place(stream, subject)
        return await stream_reader.history(self._connection, place, limit, after, deadline_s)

    async def purge(
        self, stream: str, subject: str, *, before: int | None = None, deadline_s: float = WRITE_DEADLINE_S
    ) -> int:
        """Remove the messages on `subject` (wildcards allowed) from `stream`; return how many.

        With `before`, only messages with a lower number. Idempotent. Only the coordinator has this right.
        """
        return await removal.purge(self._connection, subjects.Place(stream, subject), before, deadline_s)

    async def delete(
        self, stream: str, seq: int, *, overwrite: bool = False, deadline_s: float = WRITE_DEADLINE_S
    ) -> None:
        """Remove one message from `stream`; `overwrite` its bytes too, or leave them on the disk.

        Idempotent. Only the coordinator has this right.
        """
        await removal.delete(self._connection, stream, seq, deadline_s, overwrite=overwrite)

    async def overwrite(
        self,
        stream: str,
        subject: str,
        *,
        before: int | None = None,
        keep: Collection[int] = (),
        deadline_s: float = WRITE_DEADLINE_S,
    ) -> int:
        """Remove the messages on `subject` (wildcards allowed) from `stream`, and overwrite their bytes.

        As `purge`, and none of the text stays on the disk of the broker, except in a store that the broker
        encrypts. It costs a request and the writing of a block for each message. Those in `keep` stay.
        `deadline_s` is for each request. Idempotent.
        """
        place = subjects.Place(stream, subject)
        return await removal.overwrite(self._connection, place, before, keep, deadline_s)

    async def ensure_stream(self, name: str, *, deadline_s: float = WRITE_DEADLINE_S) -> None:
        """Create stream `name`, or update it, without its consumers. Raises as `ensure` does."""
        await stream.ensure_stream(self._connection, name, deadline_s)

    async def count(self, subject: str, *, deadline_s: float = READ_DEADLINE_S) -> int:
        """Return the number of messages on `subject` (wildcards allowed). Any replica answers."""
        return await stream_reader.count(self._connection, subjects.place_of(subject), deadline_s)

    async def storage(self, *, deadline_s: float = READ_DEADLINE_S) -> StorageUse:
        """Return how much storage the broker has used, and its limit if the broker names one."""
        return await self._storage.read(deadline_s)

    async def stream_span(self, stream: str, *, deadline_s: float = READ_DEADLINE_S) -> StreamSpan:
        """Return which messages the stream can hold. It shows that a stream was lost or purged."""
        return await read_span(self._connection, stream, deadline_s)

    async def broker_time(self, *, deadline_s: float = READ_DEADLINE_S) -> float:
        """Return the time by the clock of the broker that leads `WARMXFER_CORE`, in epoch seconds.

        It costs a request: use `clock` where an estimate is enough. Raises as `stream_span` does.
        """
        return await read_time(self._connection, deadline_s)

    def subscribe(self, subject: str, keep: Callable[[bytes], bool] | None = None) -> Subscription:
        """Receive messages on `subject` (wildcards allowed) as they are published.

        With `keep`, only the messages for whose data it returns True. It must not raise, and it is quick: it
        is called as each message arrives.

        Returns an async context manager that is also an async iterator of `LiveMessage`. Invariants:

        - Messages published while the connection is down are not received. Register `on_reconnect`, and read
          the stream again then.
        - A message in transit while you subscribe may be missed. It may be stored only after your first read.
          Read the stream more than once (`polling.py`).
        - A guarded write that is rejected is received all the same. Subscribe only to subjects that are
          written after the transfer log was appended.
        - A subscriber that is too slow loses the oldest messages. `LiveMessage.lost` says how many.
        """
        return Subscription(self._connection, subject, keep)

    async def announce(self, subject: str, data: bytes) -> None:
        """Send a message that no stream stores to those who subscribe now. It may be lost. Never raises.

        While the connection is down, nothing is sent.
        """
        await subscriptions.announce(self._connection, subject, data)

    async def request(self, subject: str, data: bytes, timeout_s: float) -> bytes:
        """Send a request on `subject` and return the reply. Requests and replies are never stored.

        Raises `NoReply` if no process serves the subject, or if no reply comes within `timeout_s`, and `Busy`
        if the server cannot handle it now. Raises `InvalidRequest` or `InternalError` if the server's handler
        did.
        """
        return await request_reply.request(self._connection, subject, data, timeout_s)

    def serve(
        self,
        subject: str,
        handler: Handler,
        queue: str | None = None,
        *,
        deadline_s: float = REPLY_DEADLINE_S,
    ) -> Responder:
        """Reply to requests on `subject` while the returned async context manager is open.

        If several servers share a `queue`, one of them replies. Each request has `deadline_s`. At most 64
        requests are handled at a time. If `handler` raises InvalidRequest or RetryableError, the requester
        gets the text. For any other error the requester gets InternalError without the text, because that may
        quote the payload.
        """
        endpoint = self.endpoints.of_subject(subject, queue)
        return Responder(self._connection, subject, handler, endpoint, queue, deadline_s)

    async def register_service(
        self, name: str, version: str, description: str, facts: Mapping[str, str] = NO_HEADERS
    ) -> None:
        """Show this process in `nats service ls` and in `diagnose()` until the bus is closed.

        It answers `$SRV.PING`, `INFO` and `STATS`. Each client can read `facts`: they hold no secret.
        """
        await MicroService(self._connection, self.endpoints, name, version, description, facts).start()

    def on_reconnect(self, hook: Callable[[], Awaitable[None]]) -> Callable[[], None]:
        """Call `hook` after each reconnect. Returns a function that unregisters it.

        Hooks run at the same time, each for 15 seconds at most. An error in a hook is logged.
        """
        return self._connection.on_reconnect(hook)

    def pull(self, consumer: str, sink: MessageSink, window: int) -> PullConsumer:
        """Return the raw message flow of one durable consumer. Actors use `Worker`, which is built on it."""
        return PullConsumer(self._connection, self._recovery, consumer, sink, window, self._watch)

    async def wait_closed(self) -> None:
        """Block until the connection is closed for good, by this process or by the broker."""
        await self._connection.wait_closed()

    async def drain(self, deadline_s: float = DRAIN_DEADLINE_S) -> None:
        """Finish subscriptions, send pending messages and close, within `deadline_s`."""
        await self._connection.drain(deadline_s)

    async def close(self) -> None:
        """Close at once. Messages that were not sent yet are lost."""
        await self._connection.close()

    async def __aenter__(self) -> Bus:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()
