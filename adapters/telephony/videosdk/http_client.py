"""HTTP client for VideoSDK: one total deadline, retries, and the translation of errors.

When a request is repeated:

- Rate-limited (429): always, after the time in `Retry-After`. With a rate limit of ours, all requests pause.
- Never sent (no connection), or refused for the time in its token: always.
- Sent without a usable response (5xx, timeout, reset, not VideoSDK's JSON): only if it is idempotent. A dial
  or a switch raises `OutcomeUnknown` at once.

Each request writes one log line: method, path template, status, milliseconds, request id. It never holds a
body, a query, an id of a path, or a header that we send.
"""

from __future__ import annotations

import asyncio
import logging
import random
import re
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar, cast
from urllib.parse import quote

import httpx
import msgspec
import structlog

from ...http_pool import NOT_SENT, HttpPool
from ...tls_faults import tls_fault
from ..errors import (
    MAX_AFTER_S,
    NotFound,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unanswered,
    masked,
)
from ..request_metrics import LATENCY, REQUESTS
from ..request_rate import next_turn, rate_refused
from ..request_spans import request_ended, request_span
from .responses import Unreadable, denies_success, sentence_of
from .tokens import Tokens

MAX_RESPONSE_BYTES = 1024 * 1024
MAX_SENTENCE_BYTES = 1024
HTML_START = "<"
"""A response that starts with it is an HTML page of a proxy, not a sentence of VideoSDK."""
UNAUTHORIZED = 401
MAX_TRIES = 6
MAX_UNKNOWN_TRIES = 3
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 2.0
AGAIN_AFTER_S = 1.0
MAX_CONNECTIONS = 64
KEEP_ALIVE_S = 4.0
"""Less than usual servers allow: a dial on a connection that the server closes has an unknown outcome."""

_NO_CREDIT = re.compile(r"balance|credit|payment|billing|funds|subscription|quota|top up", re.IGNORECASE)

REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "x-amz-request-id")

T = TypeVar("T")
Reader = Callable[[Mapping[str, Any]], T]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request. `path` is a template; its `{names}` are filled, percent-encoded, from `ids`."""

    method: str
    path: str
    ids: Mapping[str, str] | None = None
    query: Mapping[str, str | int] | None = None
    body: Mapping[str, Any] | None = None
    repeatable: bool = False

    @property
    def label(self) -> str:
        """Method and path template, for errors."""
        return f"{self.method} {self.path}"

    @property
    def is_query(self) -> bool:
        """Whether the request changes nothing."""
        return self.method == "GET"

    @property
    def idempotent(self) -> bool:
        return self.is_query or self.repeatable

    @property
    def url(self) -> str:
        ids = {name: quote(value, safe="") for name, value in (self.ids or {}).items()}
        return self.path.format(**ids)


class HttpClient:
    """A pool of connections to one base URL."""

    def __init__(self, base_url: str, tokens: Tokens, timeout_s: float) -> None:
        self._base_url = base_url
        self._tokens = tokens
        self._timeout_s = timeout_s
        self.refused: str | None = None
        """The sentence of the last response if it refused our credentials, else None."""
        self._pool = HttpPool(
            base_url=base_url, max_connections=MAX_CONNECTIONS, keep_alive_s=KEEP_ALIVE_S, name="provider"
        )

    async def request(self, request: ApiRequest, read: Reader[T], within_s: float | None = None) -> T:
        """Send the request and read its response within one deadline. Raises what `errors.py` lists."""
        budget_s = min(self._timeout_s, self._timeout_s if within_s is None else within_s)
        if budget_s <= 0:
            raise NotSent(f"{request.label} was not sent: no time was left")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + budget_s
        # If a repeat is allowed, one try may use half of the time, so that a second one is possible.
        try_s = budget_s / 2 if request.idempotent else budget_s
        tries, unknown = 0, list[OutcomeUnknown]()
        while True:
            tries += 1
            try:
                await next_turn(deadline)
                return await self._try(request, read, min(deadline, loop.time() + try_s))
            except NotFound:
                raise
            except (RateLimited, NotSent, Rejected, OutcomeUnknown) as error:
                unknown += [error] if isinstance(error, OutcomeUnknown) else []
                pause_s = max(_backoff_s(tries), error.after_s if isinstance(error, RateLimited) else 0.0)
                if isinstance(error, RateLimited):
                    rate_refused(pause_s)
                is_last = tries >= MAX_TRIES or loop.time() + pause_s >= deadline
                is_last = is_last or len(unknown) >= MAX_UNKNOWN_TRIES or isinstance(error, Rejected)
                # The error is about the last try only: an earlier try may have been carried out.
                final = error if request.is_query or not unknown else unknown[-1]
                if is_last or (unknown and not request.idempotent):
                    raise _final(request, final) from error
            await asyncio.sleep(pause_s)
            if loop.time() >= deadline:
                # This process was stalled, and other processes may have treated it as dead.
                raise _final(request, final)

    def can_connect(self) -> bool:
        """Return whether the last request gained a connection. If not, try another one in the background."""
        return self._pool.gains_connections("/")

    async def aclose(self) -> None:
        await self._pool.aclose()

    async def _try(self, request: ApiRequest, read: Reader[T], deadline: float) -> T:
        with request_span(request.method, request.path):
            return await self._try_in_span(request, read, deadline)

    async def _try_in_span(self, request: ApiRequest, read: Reader[T], deadline: float) -> T:
        loop = asyncio.get_running_loop()
        began = loop.time()
        status: int | None = None
        request_id, outcome, level, ended = "", "answered", logging.INFO, "abandoned"
        try:
            response, content = await self._send(request, deadline - began)
            status = response.status_code
            if self._tokens.observe(response.headers.get("date", "")) and status in (401, 403):
                ended = "clock_wrong"
                raise NotSent("The clock of this machine is wrong, and the token was refused", after_s=0.0)
            request_id = next(
                (response.headers[name] for name in REQUEST_IDS if name in response.headers), ""
            )
            found = _read(request, response, content, read, self._tokens.variables)
            self.refused, ended = None, "answered"
            return found
        except NOT_SENT as error:
            outcome, ended = type(error).__name__, "not_sent"
            raise NotSent(self._not_reached(error), after_s=0.0) from error
        except httpx.HTTPError as error:
            outcome, ended = type(error).__name__, "outcome_unknown"
            raise OutcomeUnknown(f"{request.label} was sent and got no answer ({outcome})") from error
        except (RateLimited, Rejected, OutcomeUnknown) as error:
            outcome, ended = type(error).__name__, _ended(error)
            if status == UNAUTHORIZED:
                self.refused, level = str(error), logging.ERROR
            raise
        finally:
            took_s = loop.time() - began
            REQUESTS.count(request.label, ended)
            LATENCY.observe(took_s, request.label)
            request_ended(ended, status)
            log.log(
                level,
                "provider_request",
                method=request.method,
                path=request.path,
                status=status,
                ended=outcome,
                took_ms=round(took_s * 1000, 1),
                request_id=request_id[:64],
            )

    def _not_reached(self, error: httpx.HTTPError) -> str:
        """Return the sentence for a request that was not sent."""
        fault = tls_fault(error)
        if fault is None:
            what, remedy = type(error).__name__, "check the address and the network"
        else:
            what, remedy = fault.what, fault.remedy
        return f"VIDEOSDK_BASE_URL is {self._base_url}, which cannot be reached ({what}); {remedy}"

    async def _send(self, request: ApiRequest, left_s: float) -> tuple[httpx.Response, bytes]:
        """Return the response and its body. Raises `OutcomeUnknown` beyond `MAX_RESPONSE_BYTES`."""

        async def whole(response: httpx.Response, body: AsyncIterator[bytes]) -> tuple[httpx.Response, bytes]:
            content = bytearray()
            async for piece in body:
                content += piece
                if len(content) > MAX_RESPONSE_BYTES:
                    raise OutcomeUnknown(
                        f"{request.label} answered more than {MAX_RESPONSE_BYTES} bytes",
                        status=response.status_code,
                    )
            return response, bytes(content)

        return await self._pool.send(
            request.method,
            request.url,
            whole,
            deadline_s=left_s,
            params=dict(request.query) if request.query else None,
            json=request.body,
            headers={"authorization": self._tokens.for_rest()},
        )


def _read(
    request: ApiRequest, response: httpx.Response, content: bytes, read: Reader[T], credentials: str
) -> T:
    status = response.status_code
    if not response.is_success:
        _raise_for_status(request, status, response.headers.get("retry-after", ""), content, credentials)
    what = f"{request.label} answered {status}"
    try:
        return read(_object(content))
    except Unreadable as error:
        sentence, denied = _provider_sentence(content), _denies_success(content)
        whole = what if denied else f"{what} with a response that is not VideoSDK's"
        whole += f": {sentence}" if sentence else ""
        # A dial or a switch that the response denies may have been carried out all the same.
        kind = Rejected if denied and request.repeatable else OutcomeUnknown
        raise kind(whole, status=status) from error


def _raise_for_status(
    request: ApiRequest, status: int, retry_after: str, content: bytes, credentials: str
) -> NoReturn:
    """Raise the error for a status that is not a success."""
    what = f"{request.label} answered {status}"
    sentence = _provider_sentence(content)
    whole = f"{what}: {sentence}" if sentence else what
    if status == 429:
        raise RateLimited(f"VideoSDK accepts no more requests for now; {what}", after_s=_after_s(retry_after))
    if status == 402 and _NO_CREDIT.search(sentence):
        # The same status as for an absent call. A caller must not count as gone when only credit is missing.
        raise Rejected(f"{whole}; check the credit of the VideoSDK account", status=status)
    if status in (402, 404):
        if _is_json(content):
            raise NotFound(whole, status=status)
        # A proxy on the way does not know which calls and rooms exist. A page of it ends no call.
        if request.idempotent:
            whole += ", which is not VideoSDK's JSON; check VIDEOSDK_BASE_URL"
            raise OutcomeUnknown(whole, status=status)
    if status in (401, 403):
        raise Rejected(f"{whole}; check {credentials}", status=status)
    if status < 400:
        raise Rejected(f"{what}, a redirect, which is not followed; check VIDEOSDK_BASE_URL", status=status)
    if status >= 500 or status == 408:
        raise OutcomeUnknown(whole, status=status)
    raise Rejected(whole, status=status)


def _ended(error: RateLimited | Rejected | OutcomeUnknown) -> str:
    """Return the word of the metrics for `error`."""
    words = {
        RateLimited: "rate_limited",
        NotFound: "not_found",
        Rejected: "rejected",
        OutcomeUnknown: "outcome_unknown",
    }
    return next(word for kind, word in words.items() if isinstance(error, kind))


def _final(request: ApiRequest, error: RateLimited | NotSent | Rejected | OutcomeUnknown) -> Exception:
    """Return the error to raise after the last try."""
    if isinstance(error, OutcomeUnknown):
        return Unanswered(str(error), status=error.status) if request.is_query else error
    if isinstance(error, Rejected):
        return error
    # The caller must not start again at once.
    error.after_s = max(error.after_s, AGAIN_AFTER_S)
    return error


def _provider_sentence(content: bytes) -> str:
    """Return the provider's own sentence about a failure, masked; empty if there is none."""
    try:
        response = _object(content)
    except Unreadable:
        return ""
    return masked(sentence_of(response))


def _denies_success(content: bytes) -> bool:
    try:
        return denies_success(_object(content))
    except Unreadable:
        return False


def _is_json(content: bytes) -> bool:
    try:
        return isinstance(msgspec.json.decode(content), dict | str)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False


def _object(content: bytes) -> Mapping[str, Any]:
    """Return the response as an object. A bare sentence, as for recordings, becomes its `message`."""
    try:
        response: object = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        response = content[:MAX_SENTENCE_BYTES].decode(errors="replace").strip()
    if isinstance(response, dict):
        return cast("dict[str, Any]", response)
    if not isinstance(response, str) or response.startswith(HTML_START):
        raise Unreadable("a response that is neither an object nor a sentence")
    return {"message": response}


def _after_s(retry_after: str) -> float:
    """Return `Retry-After` in seconds; 0 for a date or an invalid value."""
    try:
        seconds = float(retry_after)
    except ValueError:
        return 0.0
    return min(seconds, MAX_AFTER_S) if seconds > 0 else 0.0


def _backoff_s(tries: int) -> float:
    """Return an exponential backoff. The jitter keeps many gateways from retrying together."""
    return min(FIRST_PAUSE_S * 2 ** (tries - 1), MAX_PAUSE_S) * random.uniform(0.75, 1.25)
