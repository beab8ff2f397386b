"""The nats client as this room uses it: no hostile subject kills it, and every call of ours is typed."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.aio.subscription import Subscription
from nats.errors import BadSubscriptionError, ConnectionClosedError, ConnectionDrainingError

from .credentials import check_files, tls
from .settings import BusSettings

PING_INTERVAL_S = 5
RECONNECT_WAIT_S = 0.25
CONNECT_TIMEOUT_S = 2
DRAIN_TIMEOUT_S = 10

MessageCallback = Callable[[Msg], Awaitable[None]]


class NatsClient(Client):
    """A nats client that a subject which is not UTF-8 cannot kill.

    The server stores such a subject. Decoding it strictly would end the read loop of every reader, so that
    one hostile message stops all workers; decoded leniently it is refused like any unknown subject.
    """

    def _build_message(
        self, sid: int, subject: bytes, reply: bytes, data: bytes, headers: dict[str, str] | None
    ) -> Msg:
        return Msg(
            _client=self,
            subject=bytes(subject).decode("utf-8", "replace"),
            reply=bytes(reply).decode("utf-8", "replace"),
            data=data,
            headers=headers,
            _sid=sid,
        )

    async def subscribe_callback(self, subject: str, hear: MessageCallback, queue: str = "") -> Subscription:
        """Subscribe `hear` to `subject`; the subscription survives reconnects."""
        return await self.subscribe(subject, queue=queue, cb=hear)  # pyright: ignore[reportUnknownMemberType]


async def unsubscribe(subscription: Subscription) -> None:
    """Take back interest; a connection that is closed or closing has done so already."""
    try:
        await subscription.unsubscribe()
    except (ConnectionClosedError, ConnectionDrainingError, BadSubscriptionError):
        return


def connect_options(settings: BusSettings, name: str) -> dict[str, Any]:
    """What to connect with; raises `Refused` when the settings name files that do not serve."""
    check_files(settings)
    found: dict[str, Any] = {
        "servers": settings.servers,
        "name": name,
        "user": settings.user,
        "password": settings.password,
        "token": settings.token,
        "user_credentials": settings.creds,
        "max_reconnect_attempts": -1,
        "reconnect_time_wait": RECONNECT_WAIT_S,
        "connect_timeout": CONNECT_TIMEOUT_S,
        "ping_interval": PING_INTERVAL_S,
        "drain_timeout": DRAIN_TIMEOUT_S,
    }
    if context := tls(settings):
        found["tls"] = context
    return found
