"""The broker's management requests and reads, `$JS.API.…`, as far as the product sends them.

The formats are those of nats-server 2.14. The tests of `tests/bus` run the same code of the product against a
real one.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

from warmxfer.bus import Stored
from warmxfer.bus.transfer_log import MAX_RECORDS

if TYPE_CHECKING:
    from .consumer import Consumer
    from .sim_broker import SimBroker
    from .sim_client import Headers
    from .stream import Stream
    from .world import World

STALE_S = (0.15, 0.3)
"""How far a stale replica is behind, as measured."""
NOT_FOUND: Headers = {"Status": "404", "Description": "Message Not Found"}
NO_RESPONDERS: Headers = {"Status": "503"}
NO_SUCH_STREAM = {"code": 404, "err_code": 10059, "description": "stream not found"}
NO_SUCH_CONSUMER = {"code": 404, "err_code": 10014, "description": "consumer not found"}
NO_MESSAGE = {"code": 404, "err_code": 10037, "description": "no message found"}
_NS = 1_000_000_000


class JetStreamApi:
    """Replies to the management requests of clients."""

    def __init__(self, world: World, broker: SimBroker) -> None:
        self._world = world
        self._broker = broker
        self._configs: dict[str, dict[str, Any]] = {}
        """Configuration of each stream, as the last `ensure` wrote it."""

    def handle(self, verb: str, data: bytes, reply: str) -> None:
        """Handle the request `$JS.API.<verb>`."""
        match verb.split("."):
            case ["CONSUMER", "MSG", "NEXT", stream, name]:
                self._pull(stream, name, msgspec.json.decode(data), reply)
            case ["DIRECT", "GET", stream, *subject]:
                query = {"last_by_subj": ".".join(subject)} if subject else msgspec.json.decode(data)
                self._direct_get(self._world.streams.by_name[stream], query, reply)
            case ["STREAM", "MSG", "GET", stream]:
                query = msgspec.json.decode(data)
                self._answer(reply, self._leader_get(self._world.streams.by_name[stream], query))
            case ["STREAM", "PURGE", stream]:
                query = msgspec.json.decode(data)
                purged = self._world.streams.by_name[stream].purge(query["filter"], query.get("seq"))
                self._answer(reply, {"success": True, "purged": purged})
            case ["STREAM", "MSG", "DELETE", stream]:
                removed = self._world.streams.by_name[stream].remove(msgspec.json.decode(data)["seq"])
                self._answer(reply, {"success": True} if removed else {"error": NO_MESSAGE})
            case ["INFO"]:
                self._answer(reply, {"type": "io.nats.jetstream.api.v1.account_info_response"})
            case ["STREAM", "INFO", stream]:
                self._answer(reply, self._stream_info(stream))
            case ["STREAM", "CREATE" | "UPDATE", stream]:
                self._configs[stream] = msgspec.json.decode(data)
                self._answer(reply, {"config": self._configs[stream]})
            case ["CONSUMER", "LIST", stream]:
                self._answer(reply, self._list(stream))
            case ["CONSUMER", what, stream, name, *_]:
                self._answer(reply, self._consumer(what, stream, name, msgspec.json.decode(data or b"{}")))
            case _:
                self._world.problem(f"the simulated broker does not know $JS.API.{verb}")

    def _answer(self, reply: str, answer: dict[str, Any]) -> None:
        self._broker.deliver(reply, msgspec.json.encode(answer))

    def _pull(self, stream: str, name: str, options: dict[str, int], reply: str) -> None:
        consumer = self._world.streams.by_name[stream].consumers.get(name)
        if consumer is None or consumer.leaderless:
            self._broker.deliver(reply, b"", NO_RESPONDERS)
        else:
            expires_s = options["expires"] / _NS
            heartbeat_s = options["idle_heartbeat"] / _NS if "idle_heartbeat" in options else expires_s
            consumer.pull(reply, options["batch"], expires_s, heartbeat_s)

    def _list(self, stream: str) -> dict[str, Any]:
        """Show every consumer of a stream."""
        if stream not in self._configs:
            return {"error": NO_SUCH_STREAM}
        ts = _iso(self._world.now)
        found = [self._shown(each, ts) for each in self._world.streams.by_name[stream].consumers.values()]
        return {"total": len(found), "offset": 0, "consumers": found}

    def _consumer(self, what: str, stream: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """Create, show, reset or delete a consumer."""
        if stream not in self._configs:
            return {"error": NO_SUCH_STREAM}
        kept = self._world.streams.by_name[stream]
        consumer = kept.consumers.get(name)
        if what == "CREATE":
            consumer = kept.create_consumer(name)
            consumer.config = options["config"]
        if consumer is None:
            return {"error": NO_SUCH_CONSUMER}
        if what == "RESET":
            consumer.reset(options["seq"])
        if what == "DELETE":
            kept.delete_consumer(name)
        return self._shown(consumer, _iso(self._world.now))

    def _shown(self, consumer: Consumer, ts: str) -> dict[str, Any]:
        return {
            "name": consumer.name,
            "config": consumer.config,
            "delivered": {"consumer_seq": consumer.delivered},
            "ack_floor": {"stream_seq": consumer.ack_floor},
            "ts": ts,
        }

    def _stream_info(self, stream: str) -> dict[str, Any]:
        if stream not in self._configs:
            return {"error": NO_SUCH_STREAM}
        kept = self._world.streams.by_name[stream]
        state: dict[str, Any] = {
            "messages": kept.count,
            "bytes": kept.size_bytes,
            "first_seq": 1,
            "last_seq": kept.last_seq,
        }
        return {
            "config": self._configs[stream],
            "state": state,
            "created": CREATED,
            "ts": _iso(self._world.now),
        }

    # ── reads ────────────────────────────────────────────────────────────────────────────────────

    def _leader_get(self, stream: Stream, query: dict[str, Any]) -> dict[str, Any]:
        """Read from the leader: each acknowledged write is visible."""
        if "next_by_subj" in query:
            stored = next(iter(stream.history(query["next_by_subj"], 1, query["seq"] - 1)), None)
        else:
            stored = stream.last(query["last_by_subj"])
        if stored is None:
            return {"error": NO_MESSAGE}
        block = "".join(f"{name}: {value}\r\n" for name, value in stored.headers.items())
        return {
            "message": {
                "subject": stored.subject,
                "seq": stored.seq,
                "time": _iso(stored.at),
                "data": base64.b64encode(stored.data).decode(),
                "hdrs": base64.b64encode(f"NATS/1.0\r\n{block}\r\n".encode()).decode(),
            }
        }

    def _direct_get(self, stream: Stream, query: dict[str, Any], reply: str) -> None:
        """Read from any replica, which may be behind."""
        match query:
            case {"last_by_subj": subject}:
                self._deliver_stored(reply, stream, self._last_known(stream, subject))
            case {"seq": seq, "next_by_subj": subject}:
                # Only a count reads timers: no reader needs those that were replaced.
                pending = stream.pending_timers(subject) if ".timer." in subject else None
                known = self._known(stream, subject, seq - 1) if pending is None else pending
                if "batch" in query:
                    self._deliver_batch(reply, stream, known, query["batch"])
                else:
                    self._deliver_stored(reply, stream, known[0] if known else None)
            case {"seq": seq}:
                self._deliver_stored(reply, stream, stream.get(seq))
            case _:
                self._world.problem(f"the simulated broker does not know this read: {query}")

    def _last_known(self, stream: Stream, subject: str) -> Stored | None:
        behind_s = self._staleness_s(stream, subject)
        if not behind_s:
            return stream.last(subject)
        known = stream.history(subject, MAX_RECORDS, 0)
        return next((each for each in reversed(known) if each.at <= self._world.now - behind_s), None)

    def _known(self, stream: Stream, subject: str, after: int) -> list[Stored]:
        known_at = self._world.now - self._staleness_s(stream, subject)
        return [each for each in stream.history(subject, None, after) if each.at <= known_at]

    def _deliver_stored(self, reply: str, stream: Stream, stored: Stored | None) -> None:
        if stored is None:
            self._broker.deliver(reply, b"", NOT_FOUND)
        else:
            self._broker.deliver(reply, stored.data, _envelope(stream.name, stored))

    def _deliver_batch(self, reply: str, stream: Stream, known: list[Stored], batch: int) -> None:
        if not known:
            self._broker.deliver(reply, b"", NOT_FOUND)
            return
        for stored in known[:batch]:
            self._broker.deliver(reply, stored.data, _envelope(stream.name, stored))
        left = len(known[batch:])
        end = {"Status": "204", "Description": "EOB", "Nats-Num-Pending": str(left)}
        self._broker.deliver(reply, b"", end)

    def _staleness_s(self, stream: Stream, subject: str) -> float:
        """Return how stale a read of a log is. Any replica may serve the read."""
        newest = stream.last(subject) if subject.endswith(".log") else None
        fresh = newest is not None and self._world.now - newest.at < STALE_S[0]
        if not (fresh and stream.clustered):
            return 0.0
        stale = self._world.faults.strikes("read_stale", subject.split(".")[2])
        return self._world.faults.between(*STALE_S) if stale else 0.0


def _envelope(stream: str, stored: Stored) -> Headers:
    return {
        **stored.headers,
        "Nats-Stream": stream,
        "Nats-Subject": stored.subject,
        "Nats-Sequence": str(stored.seq),
        "Nats-Time-Stamp": _iso(stored.at),
    }


def _iso(at: float) -> str:
    whole_s = int(at)
    micros = round((at - whole_s) * 1_000_000)
    return f"{_iso_s(whole_s + micros // 1_000_000)}.{micros % 1_000_000:06d}Z"


@lru_cache(maxsize=4_096)
def _iso_s(at: int) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="seconds").removesuffix("+00:00")


CREATED = _iso(0.0)
