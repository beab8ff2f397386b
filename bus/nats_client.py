"""The nats-py client, hardened against subjects that are not UTF-8, with typed wrappers."""

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
    """A nats client that survives a subject that is not UTF-8.

    The server stores such a subject. Decoding it strictly ends the read loop of every reader, so one hostile
    message would stop all workers. Decoded leniently, it is rejected like any unknown subject.
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

    async def subscribe_callback(
        self, subject: str, callback: MessageCallback, queue: str = ""
    ) -> Subscription:
        """Call `callback` for each message on `subject`. The subscription survives reconnects."""
        return await self.subscribe(subject, queue=queue, cb=callback)  # pyright: ignore[reportUnknownMemberType]


async def unsubscribe(subscription: Subscription) -> None:
    """End a subscription. Does nothing if the connection is closed or closing."""
    try:
        await subscription.unsubscribe()
    except (ConnectionClosedError, ConnectionDrainingError, BadSubscriptionError):
        return


def connect_options(settings: BusSettings, name: str) -> dict[str, Any]:
    """Return the options for `Client.connect`.

    Raises InvalidRequest if a file in the settings is unusable.
    """
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
