"""Speaking HTTP with VideoSDK: one total deadline, few repetitions, one translation of errors.

What may be repeated when
- turned away (429): anything, after the time asked for;
- never sent (no connection), or refused for the time in its token: anything;
- sent, and no usable answer (5xx, timeout, reset, not VideoSDK's JSON): only what is `repeatable`, that is
  questions, and orders that mean the same twice. A dial or a switch then raises `Doubtful` at once.

One log line a request: method, path template, status, milliseconds, request id. Never a body, a query, an
id in a path, or a header of ours.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeVar, cast
from urllib.parse import quote

import httpx
import msgspec
import structlog

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
from .responses import Unreadable
from .tokens import Tokens

MAX_RESPONSE_BYTES = 1024 * 1024
MAX_SENTENCE_BYTES = 1024
MARKUP = "<"
"""A page of somebody's between us and VideoSDK is no sentence of its."""
MAX_TRIES = 6
MAX_UNKNOWN_TRIES = 3
FIRST_PAUSE_S = 0.1
MAX_PAUSE_S = 2.0
AGAIN_AFTER_S = 1.0
MAX_CONNECTIONS = 64
KEEP_ALIVE_S = 4.0
"""Shorter than any usual server's: a connection the server is just closing would make a dial doubtful."""

REQUEST_IDS = ("x-request-id", "request-id", "x-amzn-requestid", "x-amz-request-id")

T = TypeVar("T")
Reader = Callable[[Mapping[str, Any]], T]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class ApiRequest:
    """One request: `path` is a template whose `{words}` are filled, percent-encoded, from `ids`."""

    method: str
    path: str
    ids: Mapping[str, str] | None = None
    query: Mapping[str, str | int] | None = None
    body: Mapping[str, Any] | None = None
    repeatable: bool = False

    @property
    def question(self) -> bool:
        """Asking changes nothing."""
        return self.method == "GET"

    @property
    def idempotent(self) -> bool:
        return self.question or self.repeatable

    @property
    def url(self) -> str:
        ids = {name: quote(value, safe="") for name, value in (self.ids or {}).items()}
        return self.path.format(**ids)


class HttpClient:
    """A pool of connections to one base URL."""

    def __init__(self, base_url: str, tokens: Tokens, timeout_s: float) -> None:
        self._tokens = tokens
        self._timeout_s = timeout_s
        self._client = httpx.AsyncClient(
            base_url=base_url,
            timeout=timeout_s,
            follow_redirects=False,
            limits=httpx.Limits(
                max_connections=MAX_CONNECTIONS,
                max_keepalive_connections=MAX_CONNECTIONS,
                keepalive_expiry=KEEP_ALIVE_S,
            ),
        )

    async def request(self, ask: ApiRequest, read: Reader[T], within_s: float | None = None) -> T:
        """Send `ask` and read its answer, all within one deadline; raises what `errors.py` lists."""
        budget_s = min(self._timeout_s, self._timeout_s if within_s is None else within_s)
        if budget_s <= 0:
            raise NotSent(f"No time was left to ask {ask.method} {ask.path}")
        loop = asyncio.get_running_loop()
        deadline = loop.time() + budget_s
        # One silence must not eat the time of a second try, where a second try is allowed.
        try_s = budget_s / 2 if ask.idempotent else budget_s
        tries, doubts = 0, list[OutcomeUnknown]()
        while True:
            tries += 1
            try:
                return await self._once(ask, read, min(deadline, loop.time() + try_s))
            except NotFound:
                raise
            except (RateLimited, NotSent, Rejected, OutcomeUnknown) as error:
                doubts += [error] if isinstance(error, OutcomeUnknown) else []
                pause_s = max(_backoff_s(tries), error.after_s if isinstance(error, RateLimited) else 0.0)
                spent = tries >= MAX_TRIES or loop.time() + pause_s >= deadline
                spent = spent or len(doubts) >= MAX_UNKNOWN_TRIES or isinstance(error, Rejected)
                # It speaks for its own try only: an earlier one may have been carried out.
                told = error if ask.question or not doubts else doubts[-1]
                if spent or (doubts and not ask.idempotent):
                    raise _final(ask, told) from error
            await asyncio.sleep(pause_s)
            if loop.time() >= deadline:
                # This process stood still meanwhile, and others may have taken it for dead.
                raise _final(ask, told)

    async def aclose(self) -> None:
        await self._client.aclose()

    async def _once(self, ask: ApiRequest, read: Reader[T], deadline: float) -> T:
        loop = asyncio.get_running_loop()
        began = loop.time()
        status: int | None = None
        request_id, ended = "", "answered"
        try:
            async with asyncio.timeout_at(deadline):
                response, content = await self._send(ask)
            status = response.status_code
            if self._tokens.observe(response.headers.get("date", "")) and status in (401, 403):
                raise NotSent("The clock of this machine is wrong, and the token was refused", after_s=0.0)
            request_id = next(
                (response.headers[name] for name in REQUEST_IDS if name in response.headers), ""
            )
            return _read(ask, response, content, read)
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
            ended = type(error).__name__
            raise NotSent(f"VideoSDK could not be reached ({ended})", after_s=0.0) from error
        except (httpx.HTTPError, TimeoutError) as error:
            ended = type(error).__name__
            raise OutcomeUnknown(f"{ask.method} {ask.path} was sent and got no answer ({ended})") from error
        except (RateLimited, Rejected, OutcomeUnknown) as error:
            ended = type(error).__name__
            raise
        finally:
            log.info(
                "provider_request",
                method=ask.method,
                path=ask.path,
                status=status,
                ended=ended,
                took_ms=round((loop.time() - began) * 1000, 1),
                request_id=request_id[:64],
            )

    async def _send(self, ask: ApiRequest) -> tuple[httpx.Response, bytes]:
        """The answer and its body, cut off where no honest answer goes on."""
        request = self._client.build_request(
            ask.method,
            ask.url,
            params=dict(ask.query) if ask.query else None,
            json=ask.body,
            headers={"authorization": self._tokens.for_rest()},
        )
        response = await self._client.send(request, stream=True)
        try:
            content = bytearray()
            async for chunk in response.aiter_bytes():
                content += chunk
                if len(content) > MAX_RESPONSE_BYTES:
                    raise OutcomeUnknown(
                        f"{ask.method} {ask.path} answered more than {MAX_RESPONSE_BYTES} bytes",
                        status=response.status_code,
                    )
            return response, bytes(content)
        finally:
            await response.aclose()


def _read(ask: ApiRequest, response: httpx.Response, content: bytes, read: Reader[T]) -> T:
    status = response.status_code
    if not response.is_success:
        _raise_for_status(ask, status, response.headers.get("retry-after", ""), content)
    try:
        return read(_object(content))
    except Unreadable as error:
        raise OutcomeUnknown(
            f"{ask.method} {ask.path} answered {status} with something that is not VideoSDK's", status=status
        ) from error


def _raise_for_status(ask: ApiRequest, status: int, retry_after: str, content: bytes) -> NoReturn:
    """Translate a status that is no success."""
    what = f"{ask.method} {ask.path} answered {status}"
    said = _provider_sentence(content)
    whole = f"{what}: {said}" if said else what
    if status == 429:
        raise RateLimited(
            f"VideoSDK has no room for more requests now; {what}", after_s=_after_s(retry_after)
        )
    if status in (402, 404):
        raise NotFound(whole, status=status)
    if status in (401, 403):
        raise Rejected(f"{whole}; check VIDEOSDK_API_KEY and VIDEOSDK_SECRET", status=status)
    if status < 400:
        raise Rejected(f"{what}, a redirect, which is not followed; check VIDEOSDK_BASE_URL", status=status)
    if status >= 500 or status == 408:
        raise OutcomeUnknown(whole, status=status)
    raise Rejected(whole, status=status)


def _final(ask: ApiRequest, error: RateLimited | NotSent | Rejected | OutcomeUnknown) -> Exception:
    """What the asker meets when we have stopped trying."""
    if isinstance(error, OutcomeUnknown):
        return Unanswered(str(error), status=error.status) if ask.question else error
    if isinstance(error, Rejected):
        return error
    # Whoever tries again from the start shall not do so at once.
    error.after_s = max(error.after_s, AGAIN_AFTER_S)
    return error


def _provider_sentence(content: bytes) -> str:
    """The provider's own words about a failure, made safe to repeat."""
    try:
        words = _object(content)
    except Unreadable:
        return ""
    for name in ("message", "error", "msg", "statusMessage"):
        if isinstance(said := words.get(name), str):
            return masked(said)
    return ""


def _object(content: bytes) -> Mapping[str, Any]:
    """An answer as an object; one that is a sentence and nothing else, as of recordings, is its `message`."""
    try:
        answer: object = msgspec.json.decode(content)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        answer = content[:MAX_SENTENCE_BYTES].decode(errors="replace").strip()
    if isinstance(answer, dict):
        return cast("dict[str, Any]", answer)
    if not isinstance(answer, str) or answer.startswith(MARKUP):
        raise Unreadable("an answer that is neither an object nor a sentence")
    return {"message": answer}


def _after_s(retry_after: str) -> float:
    """`Retry-After` in seconds; a date, or nonsense, is left to the usual backoff."""
    try:
        seconds = float(retry_after)
    except ValueError:
        return 0.0
    return min(seconds, MAX_AFTER_S) if seconds > 0 else 0.0


def _backoff_s(tries: int) -> float:
    """Twice as long each time, with a jitter that keeps many gateways apart."""
    return min(FIRST_PAUSE_S * 2 ** (tries - 1), MAX_PAUSE_S) * random.uniform(0.75, 1.25)
