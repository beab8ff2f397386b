"""Chat model over the OpenAI-compatible API: `POST {base_url}/chat/completions`, streamed.

Only this file knows that API.

Invariant: requests and answers are never logged, and no error quotes them. An answer may repeat the request,
and the request contains a transcript. Held by `test_an_error_is_classified_and_quotes_nothing`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from http import HTTPStatus
from typing import Any, Final

import httpx
import msgspec
from msgspec import Struct

from warmxfer.schemas import InvalidRequest, RetryableError

from ..http_pool import HttpPool
from .chat_model import API_KEY, BASE_URL, MODEL, Message, ModelSettings, Reply, Tool, ToolCall

FIRST_TOKEN_TIMEOUT_S: Final = 5.0
CONNECT_TIMEOUT_S: Final = 3.0
MAX_ANSWER_BYTES: Final = 1024 * 1024
MAX_CONNECTIONS: Final = 100
MAX_RETRY_AFTER_S: Final = 30.0

_DATA: Final = b"data:"
_DONE: Final = b"[DONE]"
_RETRYABLE: Final = frozenset({HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS})


class _Function(Struct):
    name: str | None = None
    arguments: str | None = None


class _Call(Struct):
    function: _Function
    index: int = 0


class _Delta(Struct):
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None


class _Choice(Struct):
    delta: _Delta
    finish_reason: str | None = None


class _Chunk(Struct):
    choices: list[_Choice]


_chunk_decoder = msgspec.json.Decoder(_Chunk)


class OpenAIModel:
    """`ChatModel` with one pool of HTTP connections."""

    def __init__(self, settings: ModelSettings) -> None:
        self._model = settings.model
        self._url = f"{settings.base_url}/chat/completions"
        self._http = HttpPool(
            max_connections=MAX_CONNECTIONS,
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else None,
        )

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        answer = _StreamedReply(max_chars)
        try:
            async with asyncio.timeout(FIRST_TOKEN_TIMEOUT_S) as first_token_timeout:

                async def read(response: httpx.Response, body: AsyncIterator[bytes]) -> None:
                    _check_response(response)
                    async for chunk in _chunks(body):
                        answer.add(chunk)
                        if answer.started and not first_token_timeout.expired():
                            first_token_timeout.reschedule(None)

                await self._http.send(
                    "POST",
                    self._url,
                    read,
                    deadline_s=deadline_s,
                    connect_s=CONNECT_TIMEOUT_S,
                    json=self._body(messages, tools),
                )
        except (TimeoutError, httpx.ReadTimeout):
            raise RetryableError(f"The model did not answer within {deadline_s:.3g} s") from None
        except httpx.HTTPError as error:
            raise RetryableError(f"The model could not be reached ({type(error).__name__})") from None
        except msgspec.DecodeError:
            raise RetryableError("The model's answer is not a chat completion") from None
        return answer.reply()

    async def aclose(self) -> None:
        await self._http.aclose()

    def _body(self, messages: Sequence[Message], tools: Sequence[Tool]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._model,
            "stream": True,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
        }
        if tools:
            body["tools"] = [{"type": "function", "function": msgspec.to_builtins(tool)} for tool in tools]
        return body


class _StreamedReply:
    """Answer assembled from chunks, up to `max_chars`."""

    def __init__(self, max_chars: int) -> None:
        self._max_chars = max_chars
        self._text = ""
        self._tool = ""
        self._arguments = ""
        self._refused = False
        self._ended = False

    @property
    def started(self) -> bool:
        return bool(self._text or self._tool)

    def add(self, chunk: _Chunk) -> None:
        for choice in chunk.choices[:1]:
            delta = choice.delta
            self._refused |= bool(delta.refusal) or choice.finish_reason == "content_filter"
            self._ended |= choice.finish_reason is not None
            self._text += delta.content or ""
            for call in delta.tool_calls or ():
                if call.index == 0:
                    self._tool += call.function.name or ""
                    self._arguments += call.function.arguments or ""
        if len(self._text) + len(self._tool) + len(self._arguments) > self._max_chars:
            raise InvalidRequest(f"The model answered with more than {self._max_chars} characters")

    def reply(self) -> Reply:
        if self._refused:
            raise InvalidRequest("The model refused to answer")
        if not self._ended:
            raise RetryableError("The model's answer ended before it was complete")
        if not self._tool:
            return Reply(self._text)
        try:
            arguments = msgspec.json.decode(self._arguments or "{}", type=dict[str, Any])
        except msgspec.DecodeError:
            arguments = {}
        return Reply(self._text, ToolCall(self._tool, arguments))


def _check_response(response: httpx.Response) -> None:
    status = response.status_code
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _RETRYABLE:
        raise RetryableError(f"The model answered {status}", after_s=_after_s(response))
    if status != HTTPStatus.OK:
        raise InvalidRequest(f"The model answered {status}; check {BASE_URL}, {API_KEY} and {MODEL}")
    if not response.headers.get("content-type", "").startswith("text/event-stream"):
        raise RetryableError("The model's answer is not an event stream")


def _after_s(response: httpx.Response) -> float:
    header = response.headers.get("retry-after", "")
    return min(float(header), MAX_RETRY_AFTER_S) if header.isdecimal() else 1.0


async def _chunks(body: AsyncIterator[bytes]) -> AsyncIterator[_Chunk]:
    """Yield the server-sent events in the body, up to the end event.

    Raises InvalidRequest if the answer is longer than `MAX_ANSWER_BYTES`.
    """
    received_bytes, remainder = 0, b""
    async for data in body:
        received_bytes += len(data)
        if received_bytes > MAX_ANSWER_BYTES:
            raise InvalidRequest(f"The model sent more than {MAX_ANSWER_BYTES} bytes")
        *lines, remainder = (remainder + data).split(b"\n")
        for line in lines:
            if not line.startswith(_DATA):
                continue
            data = line[len(_DATA) :].strip()
            if data == _DONE:
                return
            yield _chunk_decoder.decode(data)
