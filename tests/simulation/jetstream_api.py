"""The broker's management requests and reads, `$JS.API.…`, as far as the product sends them.

The formats are those of nats-server 2.14. The tests of `tests/bus` run the same code of the product against a
real one.
"""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from warmxfer.bus import Stored
from warmxfer.bus.stream import STREAM
from warmxfer.bus.transfer_log import MAX_RECORDS

if TYPE_CHECKING:
    from .sim_broker import SimBroker
    from .sim_client import Headers
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
        self._config: dict[str, Any] | None = None
        """Configuration of the stream, as the first `ensure` created it."""

    def handle(self, verb: str, data: bytes, reply: str) -> None:
        """Handle the request `$JS.API.<verb>`."""
        if verb.startswith(f"CONSUMER.MSG.NEXT.{STREAM}."):
            self._pull(verb.rpartition(".")[2], msgspec.json.decode(data), reply)
        elif verb.startswith(f"DIRECT.GET.{STREAM}"):
            subject = verb.removeprefix(f"DIRECT.GET.{STREAM}").removeprefix(".")
            self._direct_get({"last_by_subj": subject} if subject else msgspec.json.decode(data), reply)
        elif verb == f"STREAM.MSG.GET.{STREAM}":
            self._answer(reply, self._leader_get(msgspec.json.decode(data)["last_by_subj"]))
        elif verb == "INFO":
            self._answer(reply, {"type": "io.nats.jetstream.api.v1.account_info_response"})
        elif verb == f"STREAM.INFO.{STREAM}":
            self._answer(reply, self._stream_info(msgspec.json.decode(data or b"{}")))
        elif verb in (f"STREAM.CREATE.{STREAM}", f"STREAM.UPDATE.{STREAM}"):
            self._config = msgspec.json.decode(data)
            self._answer(reply, {"config": self._config})
        elif verb.startswith("CONSUMER."):
            _, what, _, name = verb.split(".")
            self._answer(reply, self._consumer(what, name, msgspec.json.decode(data or b"{}")))
        else:
            self._world.problem(f"the simulated broker does not know $JS.API.{verb}")

    def _answer(self, reply: str, answer: dict[str, Any]) -> None:
        self._broker.deliver(reply, msgspec.json.encode(answer))

    def _pull(self, name: str, options: dict[str, int], reply: str) -> None:
        consumer = self._world.stream.consumers.get(name)
        if consumer is None or consumer.leaderless:
            self._broker.deliver(reply, b"", NO_RESPONDERS)
        else:
            consumer.pull(reply, options["batch"], options["expires"] / _NS, options["idle_heartbeat"] / _NS)

    def _consumer(self, what: str, name: str, options: dict[str, Any]) -> dict[str, Any]:
        """Create, show, reset or delete a consumer."""
        if self._config is None:
            return {"error": NO_SUCH_STREAM}
        consumer = self._world.stream.consumers.get(name)
        if what == "CREATE":
            consumer = self._world.stream.create_consumer(name)
        if consumer is None:
            return {"error": NO_SUCH_CONSUMER}
        if what == "RESET":
            consumer.reset(options["seq"])
        if what == "DELETE":
            self._world.stream.delete_consumer(name)
        return {
            "name": name,
            "delivered": {"consumer_seq": consumer.delivered},
            "ack_floor": {"stream_seq": consumer.ack_floor},
            "ts": _iso(self._world.now),
        }

    def _stream_info(self, options: dict[str, Any]) -> dict[str, Any]:
        if self._config is None:
            return {"error": NO_SUCH_STREAM}
        sizes = [len(each.data) for each in self._world.stream.after(0)]
        state: dict[str, Any] = {
            "messages": len(sizes),
            "bytes": sum(sizes),
            "first_seq": 1,
            "last_seq": self._world.stream.last_seq,
        }
        if wanted := options.get("subjects_filter"):
            # Only timers of one name are counted by the product: `warmxfer.*.timer.<name>`.
            name = wanted.rpartition(".")[2]
            state["subjects"] = {each: 1 for each in self._world.stream.timers if each.endswith(f".{name}")}
        return {"config": self._config, "state": state, "created": _iso(0.0), "ts": _iso(self._world.now)}

    # ── reads ────────────────────────────────────────────────────────────────────────────────────

    def _leader_get(self, subject: str) -> dict[str, Any]:
        """Read from the leader: each acknowledged write is visible."""
        stored = self._world.stream.last(subject)
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

    def _direct_get(self, query: dict[str, Any], reply: str) -> None:
        """Read from any replica, which may be behind."""
        match query:
            case {"last_by_subj": subject}:
                self._deliver_stored(reply, self._last_known(subject))
            case {"seq": seq, "next_by_subj": subject}:
                known = self._known(subject, seq - 1)
                if "batch" in query:
                    self._deliver_batch(reply, known, query["batch"])
                else:
                    self._deliver_stored(reply, known[0] if known else None)
            case {"seq": seq}:
                self._deliver_stored(reply, self._world.stream.get(seq))
            case _:
                self._world.problem(f"the simulated broker does not know this read: {query}")

    def _last_known(self, subject: str) -> Stored | None:
        behind_s = self._staleness_s(subject)
        if not behind_s:
            return self._world.stream.last(subject)
        known = self._world.stream.history(subject, MAX_RECORDS, 0)
        return next((each for each in reversed(known) if each.at <= self._world.now - behind_s), None)

    def _known(self, subject: str, after: int) -> list[Stored]:
        known_at = self._world.now - self._staleness_s(subject)
        return [each for each in self._world.stream.history(subject, None, after) if each.at <= known_at]

    def _deliver_stored(self, reply: str, stored: Stored | None) -> None:
        if stored is None:
            self._broker.deliver(reply, b"", NOT_FOUND)
        else:
            self._broker.deliver(reply, stored.data, _envelope(stored))

    def _deliver_batch(self, reply: str, known: list[Stored], batch: int) -> None:
        if not known:
            self._broker.deliver(reply, b"", NOT_FOUND)
            return
        for stored in known[:batch]:
            self._broker.deliver(reply, stored.data, _envelope(stored))
        left = len(known[batch:])
        end = {"Status": "204", "Description": "EOB", "Nats-Num-Pending": str(left)}
        self._broker.deliver(reply, b"", end)

    def _staleness_s(self, subject: str) -> float:
        """Return how stale a read of a log is. Any replica may serve the read."""
        newest = self._world.stream.last(subject) if subject.endswith(".log") else None
        fresh = newest is not None and self._world.now - newest.at < STALE_S[0]
        if not (fresh and self._world.stream.clustered):
            return 0.0
        stale = self._world.faults.strikes("read_stale", subject.split(".")[1])
        return self._world.faults.between(*STALE_S) if stale else 0.0


def _envelope(stored: Stored) -> Headers:
    return {
        **stored.headers,
        "Nats-Stream": STREAM,
        "Nats-Subject": stored.subject,
        "Nats-Sequence": str(stored.seq),
        "Nats-Time-Stamp": _iso(stored.at),
    }


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
