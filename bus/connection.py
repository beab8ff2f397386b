"""One reconnecting connection to the broker. nats errors become warmxfer errors here.

- Every change of the connection is logged. No log line shows an address with credentials.
- Each fault is an error of one sentence: no server, credentials refused, server too old, JetStream off.
- Requests and acknowledgements share one inbox (`reply_inbox.py`).
"""

from __future__ import annotations

import asyncio
import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec
import structlog
from nats.errors import Error

from .broker_clock import BrokerClock
from .dead_letters import describe_error
from .errors import AccessDenied, InvalidRequest, StreamMissing, Unavailable, UnsupportedServer
from .nats_client import ArrivedMessage, NatsClient, connect_options
from .readiness import Readiness
from .reply_inbox import ConnectionLost, ReplyInbox
from .retry import RetryLoop
from .settings import BusSettings
from .tls_errors import tells_something, tls_error

MIN_SERVER_VERSION = (2, 14, 3)
"""First nats-server with two things: message schedules that a header of another message can cancel (2.14.0),
and compressed streams that survive in a cluster. Before 2.14.3 a server that caught up with the others could
write a block of the archive that no server can read (https://github.com/nats-io/nats-server/pull/8312).
"""

HOOK_DEADLINE_S = 15.0
"""Maximum time of one reconnect hook."""

_JETSTREAM_OFF = (10039, 10076)
_NOT_READY = (10005, 10008, 10009, 10023)
"""Error codes of a cluster that is starting: too few brokers have joined to hold the stream."""
_DENIED = re.compile(r'permissions violation for (publish|subscription) to "([^"]*)"', re.IGNORECASE)

Hook = Callable[[], Awaitable[None]]
log = structlog.get_logger(__name__)


class JetStreamApiError(Exception):
    """Rejection of a management request by the broker. Handled inside this package."""

    def __init__(self, err_code: int, description: str) -> None:
        super().__init__(description)
        self.err_code = err_code
        self.description = description


class Connection:
    """Connection of one process. `open` it once; it reconnects by itself until `close`."""

    def __init__(self, settings: BusSettings, name: str) -> None:
        self.settings = settings
        self.client = NatsClient()
        self.client.needs_tls = settings.needs_tls
        if settings.needs_tls:
            logging.getLogger("asyncio").addFilter(tells_something)
        self.client.has_certificate = settings.cert is not None
        self.inbox = ReplyInbox(self.client)
        self.readiness = Readiness()
        self.clock = BrokerClock()
        """For metrics: how old a message is."""
        self.readiness.add("broker", self._why_not_connected)
        self.missing_reports = 0
        """How often the broker said that no stream serves a request. Each pull consumer watches it."""
        self._name = name
        self._connecting = True
        self._closing = False
        self._last_error = "no answer"
        self._lost_at = 0.0
        self._connected = asyncio.Event()
        self._closed = asyncio.Event()
        self._hooks: list[Hook] = []
        self._running_hooks: set[asyncio.Task[None]] = set()
        self._close_callbacks: list[Callable[[], None]] = []

    async def open(self, deadline_s: float) -> None:
        """Connect and check the broker. Retries for `deadline_s` while no server listens."""
        wanted = connect_options(self.settings, self._name) | self._callbacks()
        try:
            async with asyncio.timeout(deadline_s):
                await self.client.connect(**wanted)
                _raise_if_cancelled()
                await self.inbox.open()
            self._connecting = False
            self._connected.set()
            self._check_authentication()
            self._check_version()
            await self._check_jetstream(deadline_s)
        except TimeoutError as error:
            await self.close()
            raise Unavailable(
                f"No NATS server answers at {self.settings.shown_url} ({self._last_error}); "
                "start one, or set NATS_URL"
            ) from error
        except (OSError, Error, ValueError) as error:
            await self.close()
            raise InvalidRequest(f"Cannot connect to {self.settings.shown_url}: {error}") from error
        except (InvalidRequest, Unavailable):
            await self.close()
            raise

    async def close(self) -> None:
        """Close at once. Messages that were not sent yet are lost."""
        self._closing = True
        try:
            await self.client.close()
        except (OSError, Error) as error:
            # The connection failed while closing. It is closed either way.
            log.debug("bus_close_failed", error=str(error))
        await self._on_close()

    async def drain(self, deadline_s: float) -> None:
        """Finish subscriptions, send pending messages, then close."""
        self._closing = True
        try:
            async with asyncio.timeout(deadline_s):
                await self.client.drain()
        except (TimeoutError, OSError, Error) as error:
            log.warning("bus_drain_cancelled", error=str(error) or "timeout")
        finally:
            await self.close()

    async def wait_closed(self) -> None:
        """Block until the connection is closed for good, by this process or by the broker."""
        await self._closed.wait()

    async def wait_connected(self, deadline: float) -> None:
        """Block until connected. Raises `Unavailable` if the loop's clock reaches `deadline` first."""
        if self._connected.is_set():
            return
        if self._closed.is_set():
            raise self.unavailable("the connection is closed")
        try:
            async with asyncio.timeout_at(deadline):
                await self._connected.wait()
        except TimeoutError as error:
            raise self.unavailable(self._last_error) from error

    @property
    def connected(self) -> bool:
        """True if the connection is up, as far as this process knows."""
        return self._connected.is_set()

    def _why_not_connected(self) -> str | None:
        return None if self.connected else f"not connected to {self.settings.shown_url} ({self._last_error})"

    def unavailable(self, why: str) -> Unavailable:
        """Return the error for a broker that did not answer in time."""
        return Unavailable(f"The broker at {self.settings.shown_url} did not answer in time ({why})")

    def stream_missing(self, stream: str) -> StreamMissing:
        """Return the error for a stream that does not exist."""
        return StreamMissing(
            f"The broker at {self.settings.shown_url} has no stream {stream}; "
            "start a coordinator, which creates it"
        )

    def stream_silent(self, stream: str, use: str) -> Unavailable:
        """Count that `stream` served no request, and return the error. `use`: what the stream should do."""
        self.missing_reports += 1
        return Unavailable(
            f"The broker at {self.settings.shown_url} has no stream that {use}: {stream} does not exist, has "
            "other subjects, or has no leader yet; start a coordinator, which creates it"
        )

    def on_reconnect(self, hook: Hook) -> Callable[[], None]:
        """Call `hook` after each reconnect. Returns a function that unregisters it."""
        self._hooks.append(hook)
        return lambda: self._hooks.remove(hook)

    def on_close(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Call `callback` when the connection is closed for good. Returns a function that unregisters it."""
        self._close_callbacks.append(callback)
        return lambda: self._close_callbacks.remove(callback)

    async def api(self, verb: str, body: Mapping[str, Any] | None = None, deadline_s: float = 10.0) -> Any:
        """Send one management request (`$JS.API.<verb>`) and return the broker's answer.

        Raises `JetStreamApiError`, `Unavailable`, `AccessDenied`.
        """
        data = b"" if body is None else msgspec.json.encode(body)
        retry = RetryLoop(self, deadline_s)
        while True:
            timeout_s = await retry.next_attempt()
            try:
                reply = await self.inbox.call(f"$JS.API.{verb}", data, None, timeout_s)
            except (TimeoutError, ConnectionLost) as error:
                why = str(error) or "timeout"
            else:
                if has_no_responders(reply):
                    why = "JetStream is not ready"
                else:
                    answer = msgspec.json.decode(reply.data)
                    failure = answer.get("error")
                    if failure is None:
                        return answer
                    why = str(failure.get("description", ""))
                    if failure.get("err_code") not in _NOT_READY:
                        raise JetStreamApiError(int(failure.get("err_code", 0)), why)
            await retry.back_off(why)

    def _check_authentication(self) -> None:
        """Raise InvalidRequest if the broker is not on this machine and lets in any client."""
        settings = self.settings
        if settings.is_on_loopback or settings.allow_unauthenticated:
            return
        if not (self.client.asks_for_credentials and settings.has_credentials):
            fault = "lets this process in without credentials, and so every client"
            raise InvalidRequest(
                f"The NATS server at {settings.shown_url} {fault}; give it users (`warmxfer permissions` "
                "prints them) and set NATS_USER and NATS_PASSWORD, or set NATS_ALLOW_UNAUTHENTICATED=yes",
                field="NATS_URL",
            )

    def _check_version(self) -> None:
        version = self.client.connected_server_version
        found = (version.major, version.minor, version.patch)
        if found < MIN_SERVER_VERSION:
            shown, wanted = (".".join(map(str, each)) for each in (found, MIN_SERVER_VERSION))
            raise UnsupportedServer(
                f"The NATS server at {self.settings.shown_url} is version {shown}; "
                f"warmxfer needs {wanted} or newer (message schedules, and compressed streams in a cluster)"
            )

    async def _check_jetstream(self, deadline_s: float) -> None:
        no_jetstream = UnsupportedServer(
            f"The NATS server at {self.settings.shown_url} runs without JetStream; "
            "start it with -js, or enable JetStream for this account"
        )
        retry = RetryLoop(self, deadline_s)
        while True:
            timeout_s = await retry.next_attempt()
            try:
                reply = await self.inbox.call("$JS.API.INFO", b"", None, timeout_s)
            except (TimeoutError, ConnectionLost, AccessDenied):
                # This user may not query the account, but may have every permission that it needs.
                log.debug("jetstream_not_checked")
                return
            if has_no_responders(reply):
                raise no_jetstream
            code = msgspec.json.decode(reply.data).get("error", {}).get("err_code")
            if code in _JETSTREAM_OFF:
                raise no_jetstream
            if code is None:
                return
            await retry.back_off("JetStream is not ready")

    def _callbacks(self) -> dict[str, Any]:
        return {
            "error_cb": self._on_error,
            "disconnected_cb": self._on_disconnect,
            "reconnected_cb": self._on_reconnect,
            "closed_cb": self._on_close,
        }

    async def _on_error(self, error: Exception) -> None:
        refused = isinstance(error, ConnectionRefusedError)
        self._last_error = "connection refused" if refused else str(error) or type(error).__name__
        if (fault := tls_error(error, self.settings)) is not None:
            self._last_error = str(fault)
            if self._connecting:
                raise fault
        if self._connecting:
            if re.search("authori[sz]ation|authentication", self._last_error, re.IGNORECASE):
                raise AccessDenied(
                    f"The NATS server at {self.settings.shown_url} refused the credentials; "
                    "check NATS_CREDS, NATS_USER and NATS_PASSWORD, or NATS_TOKEN"
                )
            return
        denied = _DENIED.search(self._last_error)
        if denied is not None:
            verb, subject = denied.groups()
            log.error("bus_access_denied", verb=verb, subject=subject)
            self.inbox.deny(verb.lower(), subject)
        elif isinstance(error, OSError) or not self._connected.is_set():
            log.debug("bus_still_unreachable", error=self._last_error)
        else:
            log.warning("bus_error", error=self._last_error)

    async def _on_disconnect(self) -> None:
        if self._connecting or self._closing:
            return
        self._connected.clear()
        self._lost_at = time.monotonic()
        self.inbox.fail_all()
        log.warning("bus_disconnected", error=self._last_error)

    async def _on_reconnect(self) -> None:
        self._connected.set()
        log.info("bus_reconnected", outage_s=round(time.monotonic() - self._lost_at, 3))
        for hook in tuple(self._hooks):
            task = asyncio.create_task(self._run_hook(hook))
            self._running_hooks.add(task)
            task.add_done_callback(self._running_hooks.discard)

    async def _run_hook(self, hook: Hook) -> None:
        """Run one hook. A hook that fails or hangs delays neither the connection nor other hooks."""
        try:
            async with asyncio.timeout(HOOK_DEADLINE_S):
                await hook()
        except Exception as error:
            log.error("bus_reconnect_hook_failed", cause=describe_error(error))

    async def _on_close(self) -> None:
        if self._closed.is_set():
            return
        self._connected.clear()
        self.inbox.fail_all()
        self._closed.set()
        for callback in tuple(self._close_callbacks):
            callback()
        if not self._closing and not self._connecting:
            log.error("bus_closed_by_server", error=str(self.client.last_error))


def _raise_if_cancelled() -> None:
    """Raise `CancelledError` if this task was cancelled: wait_for of Python 3.11 can swallow it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError


def has_no_responders(reply: ArrivedMessage) -> bool:
    """Return True if the broker reports that no process listens on the subject of a request."""
    return reply.headers is not None and reply.headers.get("Status") == "503" and not reply.data
