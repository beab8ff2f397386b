"""The floor program: what the messages of one transfer cost in raw nats-py, without a line of warmxfer.

FROZEN. `warmxfer bench` compares every version of warmxfer with it. A change of it would make the ratios of
two versions incomparable, so `tests/cli/bench/test_floor.py` holds its text. It follows no later change of
warmxfer's messages, stream or subjects.

It sends the messages of commit e2d3578 (`messages.py`): as many, of the same sizes, in the same order, with
as many consumers, reads, acknowledgements, requests and timers. It decides nothing: each role answers a
message with the messages that follow. It has no validation, retries, logs, metrics or health checks. One
process plays all roles on one connection, so that nothing is measured but the messages. What the cloud tells
an actor (the supervisor is in the room, the caller was moved) needs no message here: the next message simply
follows.

    python -m warmxfer.cli.bench.floor.program worker --url nats://127.0.0.1:4222
    python -m warmxfer.cli.bench.floor.program client --url nats://127.0.0.1:4222 --count 500 --in-flight 50

Start a nats-server with JetStream and an empty store, then the worker, which creates the stream, then the
client. The worker prints "ready" and serves until its stdin is closed. The client prints one line of JSON.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
import time
from collections.abc import Callable, Coroutine, Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import nats
from nats.aio.client import Client
from nats.aio.msg import Msg

from .messages import (
    CANCELS_TIMER,
    HISTORY_REPLY_BYTES,
    HISTORY_REQUEST_BYTES,
    LAST_PHASE,
    MESSAGES,
    OUTBOXES,
    RECORDS,
    TOKEN_REPLY_BYTES,
    TOKEN_REQUEST_BYTES,
)

STREAM = "FLOOR"
CONSUMERS = ("coordinator", "summarizer", "gateway", "briefing")
BY_NAME = {message.name: message for message in MESSAGES}
NUMBER = {message.name: number for number, message in enumerate(MESSAGES)}
SECOND_NS = 1_000_000_000
PULL, PULL_S = 256, 30
TIMEOUT_S = 30.0
TRANSFER_TIMEOUT_S = 120.0
TIMER_S = 10
STREAM_CONFIG: dict[str, Any] = {
    "name": STREAM,
    "subjects": ["floor.>"],
    "storage": "file",
    "retention": "limits",
    "discard": "old",
    "max_age": 7 * 86_400 * SECOND_NS,
    "max_msg_size": 128 * 1024,
    "duplicate_window": 120 * SECOND_NS,
    "num_replicas": 1,
    "allow_direct": True,
    "allow_msg_schedules": True,
    "allow_msg_ttl": True,
    "allow_rollup_hdrs": True,
}


def consumer_config(name: str) -> dict[str, Any]:
    """Return the durable pull consumer of a role as a JetStream configuration."""
    triggers = [f"floor.*.{kind}" for kind in ("request", "event", "timeout")]
    return {
        "durable_name": name,
        "filter_subjects": triggers if name == "coordinator" else [f"floor.*.do.{name}"],
        "ack_policy": "explicit",
        "ack_wait": 30 * SECOND_NS,
        "max_deliver": -1,
        "max_ack_pending": 10_000,
    }


class Connection:
    """One connection to the broker: what every role does with it."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self._tasks: set[asyncio.Task[None]] = set()
        self._inbox = client.new_inbox()
        self._replies: dict[str, asyncio.Future[Msg]] = {}
        self._requests = 0

    async def open(self) -> None:
        """Subscribe to the replies of every request of this process."""
        await self.client.subscribe(f"{self._inbox}.*", cb=self._on_reply)

    async def _on_reply(self, msg: Msg) -> None:
        self._replies.pop(msg.subject).set_result(msg)

    async def send(
        self, subject: str, data: bytes, headers: dict[str, str] | None = None
    ) -> asyncio.Future[Msg]:
        """Send a request and return its reply to come."""
        self._requests += 1
        inbox = f"{self._inbox}.{self._requests}"
        reply = self._replies[inbox] = asyncio.get_running_loop().create_future()
        await self.client.publish(subject, data, reply=inbox, headers=headers)
        return reply

    async def request(self, subject: str, data: bytes) -> Msg:
        """Send a request and return its reply. A lost one ends by the client's limit for a whole transfer."""
        return await (await self.send(subject, data))

    def start(self, work: Coroutine[Any, Any, None]) -> None:
        """Run `work` beside the caller. An error ends the process: the floor has no retries."""
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()):
            sys.exit(f"floor: {error!r}")

    async def publish(
        self, name: str, id: str, session: str, *, expect_last: int | None = None, trigger: int = 0
    ) -> int:
        """Store one message of the table and return its number."""
        reply = self._send_message(name, id, session, expect_last=expect_last, trigger=trigger)
        return stored_number(await (await reply))

    async def publish_all(self, names: Iterable[str], id: str, session: str) -> None:
        """Store messages, all sent before the first acknowledgement is awaited."""
        for reply in [await self._send_message(name, id, session) for name in names]:
            stored_number(await reply)

    async def _send_message(
        self, name: str, id: str, session: str, *, expect_last: int | None = None, trigger: int = 0
    ) -> asyncio.Future[Msg]:
        message = BY_NAME[name]
        headers = {"Nats-Msg-Id": f"{id}:{name}"}
        if expect_last is not None:
            headers["Nats-Expected-Last-Subject-Sequence"] = str(expect_last)
        if name == CANCELS_TIMER:
            headers |= {"Nats-Schedule-Next": "purge", "Nats-Scheduler": f"floor.{id}.timer.deadline"}
        if name.startswith("timer."):
            due = datetime.now(UTC) + timedelta(seconds=TIMER_S)
            headers |= {
                "Nats-Schedule": f"@at {due.isoformat(timespec='microseconds').replace('+00:00', 'Z')}",
                "Nats-Schedule-Target": f"floor.{id}.timeout",
                "Nats-Schedule-TTL": "86400s",
            }
        subject = message.subject.format(id=id, session=session)
        return await self.send(subject, body(name, session, message.bytes, trigger), headers)

    async def read_leader(self, subject: str) -> None:
        """Read the newest message of a subject from the stream leader, whether or not there is one."""
        await self.request(
            f"$JS.API.STREAM.MSG.GET.{STREAM}",
            json.dumps({"last_by_subj": subject}).encode(),
        )

    async def read_last(self, subject: str) -> None:
        """Read the newest message of a subject from any replica, whether or not there is one."""
        await self.request(f"$JS.API.DIRECT.GET.{STREAM}.{subject}", b"")

    async def read_all(self, subject: str) -> list[Msg]:
        """Read every message of a subject in one batch."""
        ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        found: list[Msg] = []

        async def on_message(msg: Msg) -> None:
            if "Nats-Sequence" in (msg.headers or {}):
                found.append(msg)
            elif not ended.done():
                ended.set_result(None)

        inbox = self.client.new_inbox()
        subscription = await self.client.subscribe(inbox, cb=on_message)
        query = json.dumps({"seq": 1, "next_by_subj": subject, "batch": 256}).encode()
        await self.client.publish(f"$JS.API.DIRECT.GET.{STREAM}", query, reply=inbox)
        await asyncio.wait_for(ended, TIMEOUT_S)
        await subscription.unsubscribe()
        return found

    async def set_up(self) -> None:
        """Create the stream and its consumers, or leave them as they are."""
        await self._api(f"STREAM.CREATE.{STREAM}", STREAM_CONFIG)
        for name in CONSUMERS:
            config = {"stream_name": STREAM, "config": consumer_config(name)}
            await self._api(f"CONSUMER.DURABLE.CREATE.{STREAM}.{name}", config)

    async def _api(self, operation: str, config: dict[str, Any]) -> None:
        reply = await self.request(f"$JS.API.{operation}", json.dumps(config).encode())
        if error := json.loads(reply.data).get("error"):
            raise RuntimeError(f"{operation}: {error['description']}")

    async def pull(self, consumer: str, handle: Callable[[Msg], Coroutine[Any, Any, None]]) -> None:
        """Give each message of a consumer to a task of its own. The task acknowledges it."""
        inbox, subject = self.client.new_inbox(), f"$JS.API.CONSUMER.MSG.NEXT.{STREAM}.{consumer}"
        wanted = json.dumps({"batch": PULL, "expires": PULL_S * SECOND_NS}).encode()
        left = 0

        async def ask() -> None:
            nonlocal left
            left = PULL
            await self.client.publish(subject, wanted, reply=inbox)

        async def on_message(msg: Msg) -> None:
            nonlocal left
            if msg.subject == inbox:  # the pull has expired
                await ask()
                return
            left -= 1
            if not left:
                await ask()
            self.start(handle(msg))

        await self.client.subscribe(inbox, cb=on_message)
        await ask()


class Coordinator:
    """Appends one record per trigger and publishes the outboxes; one trigger of a transfer at a time."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._locks: dict[str, asyncio.Lock] = {}
        self._arrived: dict[str, set[str]] = {}
        self._last: dict[str, int] = {}

    async def serve(self) -> None:
        await self._connection.pull("coordinator", self._handle)

    async def _handle(self, msg: Msg) -> None:
        id, name, session = id_of(msg), *name_of(msg)
        async with self._locks.setdefault(id, asyncio.Lock()):
            if name == "request":
                await self._connection.read_leader(f"floor.{id}.log")
                await self._connection.read_leader(f"floor.{session}.claim")
                await self._connection.publish("claim", id, session, expect_last=0)
            if name not in RECORDS:
                await self._connection.read_leader(f"floor.{id}.log")
            else:
                trigger = msg.metadata.sequence.stream
                after = self._last.get(id, 0)
                self._last[id] = await self._connection.publish(
                    RECORDS[name], id, session, expect_last=after, trigger=trigger
                )
            arrived = self._arrived.setdefault(id, set())
            before = frozenset(arrived)
            arrived.add(name)
            for outbox in OUTBOXES:
                if outbox.after <= arrived and not outbox.after <= before:
                    await self._connection.publish_all(outbox.messages, id, session)
            await msg.ack()
        if name == "call_left":
            del self._locks[id], self._arrived[id], self._last[id]


class Gateway:
    """Answers four commands, and requests for a room token."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def serve(self) -> None:
        await self._connection.client.subscribe("floor-ask.token", cb=self._token)
        await self._connection.pull("gateway", self._handle)

    async def _token(self, msg: Msg) -> None:
        await msg.respond(b"x" * TOKEN_REPLY_BYTES)

    async def _handle(self, msg: Msg) -> None:
        id, name, session = id_of(msg), *name_of(msg)
        match name:
            case "find_caller_call":
                await self._connection.publish("caller_call_found", id, session)
            case "create_room":
                await self._connection.publish("room_created", id, session)
            case "dial_supervisor":
                await self._connection.publish("intent.dial", id, session, expect_last=0)
                await self._connection.read_last(f"floor.{id}.intent.dial-1")
                await self._connection.publish("supervisor_dialed", id, session)
            case "switch_caller":
                await self._connection.read_last(f"floor.{id}.intent.switch")
                await self._connection.publish("intent.switch", id, session, expect_last=0)
                await self._connection.read_last(f"floor.{id}.intent.switch")
                await self._connection.publish("caller_switched", id, session)
        await msg.ack()


class Summarizer:
    """Asks the primary session for the transcript and answers with a summary."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def serve(self) -> None:
        await self._connection.pull("summarizer", self._handle)

    async def _handle(self, msg: Msg) -> None:
        id, (_, session) = id_of(msg), name_of(msg)
        request = b"x" * HISTORY_REQUEST_BYTES
        await self._connection.request(f"floor-ask.history.{session}", request)
        await self._connection.publish("summary_ready", id, session)
        await msg.ack()


class Briefing:
    """Holds one message per consultation until the consultation is left."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def serve(self) -> None:
        await self._connection.pull("briefing", self._handle)

    async def _handle(self, msg: Msg) -> None:
        id, (_, session) = id_of(msg), name_of(msg)
        commands: asyncio.Queue[str] = asyncio.Queue()

        async def on_command(command: Msg) -> None:
            commands.put_nowait(name_of(command)[0])

        subscription = await self._connection.client.subscribe(f"floor.{id}.do.consult", cb=on_command)
        await self._connection.read_all(f"floor.{id}.do.consult")
        await self._connection.read_all(f"floor.{id}.event")
        await self._connection.request("floor-ask.token", b"x" * TOKEN_REQUEST_BYTES)
        for name in ("consultation_joined", "supervisor_joined", "supervisor_audio"):
            await self._connection.publish(name, id, session)
        await commands.get()
        for name in ("supervisor_ready", "caller_joined", "caller_audio"):
            await self._connection.publish(name, id, session)
        await commands.get()
        await self._connection.publish("consultation_left", id, session)
        await subscription.unsubscribe()
        await msg.ack()


class Primary:
    """Answers the level commands of each session, and follows the phases of its transfer."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def serve(self) -> None:
        await self._connection.client.subscribe("floor-ask.history.*", cb=self._history)
        await self._connection.client.subscribe("floor.*.do.primary.*", cb=self._command)

    async def _history(self, msg: Msg) -> None:
        await msg.respond(b"x" * HISTORY_REPLY_BYTES)

    async def _command(self, msg: Msg) -> None:
        id, (name, session) = id_of(msg), name_of(msg)
        self._connection.start(self._hold(id, session) if name == "hold_caller" else self._leave(id, session))

    async def _hold(self, id: str, session: str) -> None:
        await self._connection.publish("caller_held", id, session)
        switching, ended = asyncio.Event(), asyncio.Event()

        async def on_phase(phase: Msg) -> None:
            match name_of(phase)[0]:
                case "phase.8":
                    switching.set()
                case name if name == LAST_PHASE:
                    ended.set()

        subscription = await self._connection.client.subscribe(f"floor.{id}.phase", cb=on_phase)
        await self._connection.read_all(f"floor.{id}.phase")
        await self._connection.read_all(f"floor.{id}.phase")
        await switching.wait()
        await self._connection.publish("caller_left_primary", id, session)
        await ended.wait()
        await subscription.unsubscribe()

    async def _leave(self, id: str, session: str) -> None:
        await self._connection.publish("call_left", id, session)


class User:
    """The user of the floor: requests transfers, and follows each to its last phase."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    async def run(self, count: int, in_flight: int, prefix: str) -> dict[str, Any]:
        """Run `count` transfers, `in_flight` at a time. Return how long all and each of them took.

        With one in flight the result also has the transitions: how long each took, by the broker's clock.
        """
        numbers, took_s = iter(range(count)), list[float]()

        async def work() -> None:
            for number in numbers:
                started = time.perf_counter()
                await asyncio.wait_for(self._transfer(prefix, number), TRANSFER_TIMEOUT_S)
                took_s.append(time.perf_counter() - started)

        started = time.perf_counter()
        await asyncio.gather(*(work() for _ in range(min(in_flight, count))))
        seconds, transitions_s = time.perf_counter() - started, list[float]()
        if in_flight == 1:
            for number in range(count):
                transitions_s += transitions(
                    await self._connection.read_all(f"floor.{id_for(prefix, number)}.>")
                )
        return {"seconds": seconds, "latencies_s": took_s, "transitions_s": transitions_s}

    async def _transfer(self, prefix: str, number: int) -> None:
        ended, id, session = asyncio.Event(), id_for(prefix, number), f"{prefix:0>4}-{number:09x}"

        async def on_phase(phase: Msg) -> None:
            if name_of(phase)[0] == LAST_PHASE:
                ended.set()

        subscription = await self._connection.client.subscribe(f"floor.{id}.phase", cb=on_phase)
        await self._connection.publish("request", id, session, expect_last=0)
        await self._connection.read_all(f"floor.{id}.phase")
        await ended.wait()
        await subscription.unsubscribe()


def id_for(prefix: str, number: int) -> str:
    """Return an id as long as warmxfer's own."""
    return f"{prefix:0>8}-{number:014x}"


def transitions(stored: list[Msg]) -> list[float]:
    """Return how long the coordinator took for each record of one transfer, from its stored messages.

    A transition begins when its trigger is stored and the transition before it is over. It is over when the
    last message that the coordinator wrote before its next record is stored.
    """
    at: dict[int, float] = {}
    spans: list[tuple[float, float]] = []
    for msg in stored:
        headers = msg.headers or {}
        now = datetime.fromisoformat(headers["Nats-Time-Stamp"]).timestamp()
        at[int(headers["Nats-Sequence"])] = now
        message = BY_NAME[name_of(msg)[0]]
        if message.name.startswith("log."):
            trigger_at = at[int(msg.data.split(b"|", 3)[2])]
            spans.append((max(trigger_at, spans[-1][1] if spans else 0.0), now))
        elif message.publisher == "coordinator" and spans:
            spans[-1] = (spans[-1][0], now)
    return [ended_at - began_at for began_at, ended_at in spans]


def stored_number(reply: Msg) -> int:
    """Return the number in the broker's acknowledgement of a write."""
    ack = json.loads(reply.data)
    if "error" in ack:
        raise RuntimeError(f"a message was not stored: {ack['error']['description']}")
    return ack["seq"]


def body(name: str, session: str, size: int, trigger: int = 0) -> bytes:
    """Return a body of `size` bytes that begins with what the receiver needs, as far as it has room."""
    return f"{NUMBER[name]}|{session}|{trigger}|".encode().ljust(size, b"x")


def name_of(msg: Msg) -> tuple[str, str]:
    """Return the name of a message and the session of its transfer."""
    number, session, _ = msg.data.split(b"|", 2)
    return MESSAGES[int(number)].name, session.decode()


def id_of(msg: Msg) -> str:
    """Return the id in a subject."""
    return msg.subject.split(".", 2)[1]


async def work(url: str) -> None:
    """Play every role until stdin is closed."""
    client = await nats.connect(url, name="floor-worker")
    connection = Connection(client)
    await connection.open()
    await connection.set_up()
    for role in (Coordinator, Gateway, Summarizer, Briefing, Primary):
        await role(connection).serve()
    await client.flush()
    print("ready", flush=True)
    loop, reader = asyncio.get_running_loop(), asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    await client.close()


async def drive(url: str, count: int, in_flight: int, prefix: str) -> None:
    """Run the client and print its result as JSON."""
    client = await nats.connect(url, name="floor-client")
    connection = Connection(client)
    await connection.open()
    print(json.dumps(await User(connection).run(count, in_flight, prefix)), flush=True)
    await client.close()


def main() -> None:
    """Run one process of the floor."""
    parser = argparse.ArgumentParser(description="One process of the floor.")
    parser.add_argument("role", choices=("worker", "client"))
    parser.add_argument("--url", required=True)
    parser.add_argument("--count", type=int, default=0)
    parser.add_argument("--in-flight", type=int, default=1)
    parser.add_argument(
        "--prefix", default="0", help="first part of the ids, 1 to 4 letters; once per stream"
    )
    args = parser.parse_args()
    if args.role == "client":
        running = drive(args.url, args.count, args.in_flight, args.prefix)
    else:
        running = work(args.url)
    try:
        import uvloop
    except ImportError:
        asyncio.run(running)
    else:
        uvloop.run(running)


if __name__ == "__main__":
    main()
