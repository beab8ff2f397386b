"""The broker between the clients: subscriptions, requests, and the messages that its stream stores.

Subscribers receive a message whether or not it is stored, as measured. The management requests are in
`jetstream_api.py`, the streams and their consumers in `streams.py`, `stream.py` and `consumer.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from warmxfer.bus import InvalidRequest, StaleWrite
from warmxfer.bus.messages import MSG_ID

from .jetstream_api import NO_RESPONDERS, JetStreamApi
from .sim_client import Headers, SimClient, SimMsg, SimSubscription
from .stream import matches
from .streams import about, is_stored

if TYPE_CHECKING:
    from .world import World

RECEIVED_AGAIN_S = 20.0
"""A coordinator that is not sure that an outbox was sent sends it again; subscribers receive it again."""
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
_SETTLE = {b"+ACK": "ack", b"-NAK": "nak", b"+TERM": "term", b"+WPI": "progress"}
_NS = 1_000_000_000


class SimBroker:
    """Routes what clients send."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._exact: dict[str, list[SimSubscription]] = {}
        """Subscriptions without a wildcard, and those of reply inboxes by the subject before their `*`."""
        self._wide: list[SimSubscription] = []
        self._api = JetStreamApi(world, self)

    # ── subscriptions ────────────────────────────────────────────────────────────────────────────

    def subscribe(self, subscription: SimSubscription) -> None:
        known = self._listed(subscription)
        if subscription not in known:
            known.append(subscription)

    def unsubscribe(self, subscription: SimSubscription) -> None:
        known = self._listed(subscription)
        if subscription in known:
            known.remove(subscription)
        if not known:
            self._exact.pop(_key(subscription.subject), None)

    def forget(self, client: SimClient) -> None:
        """Drop the subscriptions of a client whose connection is broken."""
        self._wide = [each for each in self._wide if each.client is not client]
        kept = {
            key: [each for each in known if each.client is not client] for key, known in self._exact.items()
        }
        self._exact = {key: known for key, known in kept.items() if known}

    def listens(self, inbox: str) -> bool:
        """Return whether a client is subscribed to `inbox`."""
        return inbox in self._exact

    def _listed(self, subscription: SimSubscription) -> list[SimSubscription]:
        subject = subscription.subject
        is_wide = "*" in subject and not subscription.is_inbox
        return self._wide if is_wide else self._exact.setdefault(_key(subject), [])

    # ── messages ─────────────────────────────────────────────────────────────────────────────────

    def receive(
        self,
        client: SimClient,
        sent_at: float,
        subject: str,
        data: bytes,
        reply: str,
        headers: Headers | None,
    ) -> None:
        """Handle one message of a client."""
        if subject.startswith("$JS.ACK."):
            self._settle(subject, data)
        elif subject.startswith("$JS.API."):
            self._api.handle(subject.removeprefix("$JS.API."), data, reply)
        elif subject.startswith("_INBOX."):
            self.deliver(subject, data, headers)
        elif is_stored(subject):
            self._store(client, sent_at, subject, data, reply, headers or {})
        else:
            self._request(subject, data, reply, headers)

    def deliver(self, inbox: str, data: bytes, headers: Headers | None = None) -> None:
        """Send a reply to the inbox that waits for it."""
        self.deliver_to(inbox, SimMsg(inbox, "", data, headers))

    def deliver_to(self, inbox: str, msg: SimMsg) -> None:
        """Send a message with a subject of its own to `inbox`."""
        for subscription in self._exact.get(inbox) or self._exact.get(inbox.rpartition(".")[0], ()):
            subscription.offer(msg)

    def publish_live(self, subject: str, data: bytes) -> None:
        """Send a message to its live subscribers, now and perhaps once more."""
        for subscription in self._subscribers(subject):
            subscription.offer(SimMsg(subject, "", data, None))
            if self._world.faults.strikes("received_twice", about(subject)):
                late_s = self._world.faults.between(0.0, RECEIVED_AGAIN_S)
                self._world.later(late_s, subscription.offer, SimMsg(subject, "", data, None))

    def _subscribers(self, subject: str) -> list[SimSubscription]:
        wide = [each for each in self._wide if matches(each.subject, subject)]
        return [*self._exact.get(subject, ()), *wide]

    def _store(
        self, client: SimClient, sent_at: float, subject: str, data: bytes, reply: str, headers: Headers
    ) -> None:
        if client.lost_at == sent_at:
            return
        if self._world.faults.strikes("publish_lost", about(subject)):
            # What was sent together is one write to the socket: with a message, all behind it is lost.
            client.lost_at = sent_at
            return
        self.publish_live(subject, data)
        expected = headers.get(EXPECTED)
        kept = {name: value for name, value in headers.items() if name != EXPECTED}
        try:
            stream, seq, duplicate = self._world.streams.store(
                subject, data, headers[MSG_ID], None if expected is None else int(expected), kept
            )
        except StaleWrite:
            answer = _failure(10071, f"wrong last sequence: {expected} was expected")
        except InvalidRequest:
            answer = _failure(10054, "message size exceeds maximum allowed")
        else:
            answer = {"stream": stream, "seq": seq, **({"duplicate": True} if duplicate else {})}
        if reply and not self._world.faults.strikes("ack_lost", about(subject)):
            self.deliver(reply, msgspec.json.encode(answer))

    def _request(self, subject: str, data: bytes, reply: str, headers: Headers | None) -> None:
        """Send a request to one member of each queue that listens."""
        if self._world.faults.strikes("request_lost"):
            return
        queues: dict[object, list[SimSubscription]] = {}
        for each in self._subscribers(subject):
            queues.setdefault(each.queue or each, []).append(each)
        for members in queues.values():
            self._world.chance.choice(members).offer(SimMsg(subject, reply, data, headers))
        if reply and not queues:
            self.deliver(reply, b"", NO_RESPONDERS)

    def _settle(self, subject: str, data: bytes) -> None:
        """Apply an acknowledgement: $JS.ACK.<stream>.<consumer>.<tries>.<seq>.…"""
        _, _, stream, name, _, seq, *_ = subject.split(".")
        verb, _, options = data.partition(b" ")
        word = _SETTLE[verb]
        consumer = self._world.streams.by_name[stream].consumers.get(name)
        stored = self._world.streams.by_name[stream].get(int(seq))
        if stored is None:
            return  # It was removed meanwhile.
        lost = word != "progress" and self._world.faults.strikes("settle_lost", about(stored.subject))
        if consumer is not None and not lost:
            consumer.settle(int(seq), word, msgspec.json.decode(options)["delay"] / _NS if options else 0.0)


def _key(subject: str) -> str:
    return subject.removesuffix(".*")


def _failure(code: int, description: str) -> dict[str, object]:
    return {"error": {"code": 400, "err_code": code, "description": description}}
