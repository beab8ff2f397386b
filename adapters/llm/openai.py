"""Chat model over the OpenAI-compatible API: `POST {base_url}/chat/completions`, streamed.

Only this package knows that API: `response_body.py` reads the values of a body, `completion.py` the answer in
them, `server_errors.py` what a failure means.

Invariant: requests and answers are never logged, and no error quotes them. An answer may repeat the request,
and the request contains a transcript. Held by `test_an_error_is_classified_and_quotes_nothing`.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from typing import Any, Final

import httpx
import msgspec

from warmxfer.schemas import InvalidRequest, RetryableError

from ..http_pool import HttpPool
from .chat_model import Message, ModelSettings, Reply, Tool
from .completion import Completion
from .model_metrics import observed
from .response_body import InvalidBody, ResponseBody
from .server_errors import connection_error, page_error, sent_error, status_error

MAX_SILENCE_S: Final = 5.0
"""Maximum time without a byte of the answer. Reasoning is no silence."""
MIN_SILENCE_S: Final = 3.0
SILENCE_SHARE: Final = 0.6
"""Share of the deadline for silence, between the two limits above: the rest is for another request."""
END_GRACE_S: Final = 1.0
"""Time after a finish reason for what may follow it. Then the answer counts, even if the body goes on."""
CONNECT_TIMEOUT_S: Final = 3.0
MAX_ANSWER_BYTES: Final = 4 * 1024 * 1024
"""Maximum size of an answer with its reasoning, which takes up to 250 bytes for each token."""
MAX_ERROR_BYTES: Final = 16 * 1024
MAX_CONNECTIONS: Final = 100
MAX_RETRY_AFTER_S: Final = 30.0

_ENDPOINT: Final = "/chat/completions"


class OpenAIModel:
    """`ChatModel` with one pool of HTTP connections."""

    def __init__(self, settings: ModelSettings) -> None:
        self._settings = settings
        self._url = endpoint(settings.base_url)
        self._http = HttpPool(
            max_connections=MAX_CONNECTIONS,
            name="model",
            headers={"Authorization": f"Bearer {settings.api_key}"} if settings.api_key else None,
        )

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        with observed():
            return await self._reply(messages, tools, deadline_s, max_chars)

    async def _reply(
        self, messages: Sequence[Message], tools: Sequence[Tool], deadline_s: float, max_chars: int
    ) -> Reply:
        answer = _Answer(self._settings, max_chars, tools)
        silence_s = min(MAX_SILENCE_S, max(MIN_SILENCE_S, SILENCE_SHARE * deadline_s))
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(silence_s) as silence:

                def alive() -> None:
                    if not silence.expired():
                        left_s = END_GRACE_S if answer.completion.finished else silence_s
                        silence.reschedule(loop.time() + left_s)

                async def read(response: httpx.Response, pieces: AsyncIterator[bytes]) -> None:
                    await answer.check_status(response, pieces)
                    async for piece in pieces:
                        answer.feed(piece)
                        alive()
                        if answer.completion.done:
                            return
                    answer.end()

                await self._http.send(
                    "POST",
                    self._url,
                    read,
                    deadline_s=deadline_s,
                    connect_s=CONNECT_TIMEOUT_S,
                    json=self._body(messages, tools),
                )
        except (TimeoutError, httpx.ReadTimeout):
            if not answer.completion.finished:
                raise RetryableError(
                    f"The model did not answer within {min(silence_s, deadline_s):.3g} s"
                ) from None
        except httpx.HTTPError as error:
            if not answer.completion.finished:
                raise connection_error(error, self._settings) from None
        except InvalidBody:
            if not answer.completion.finished:
                raise RetryableError("The answer of the model server is not a chat completion") from None
        return answer.reply()

    async def aclose(self) -> None:
        await self._http.aclose()

    def _body(self, messages: Sequence[Message], tools: Sequence[Tool]) -> dict[str, Any]:
        body: dict[str, Any] = {
            "model": self._settings.model,
            "stream": True,
            "messages": [{"role": message.role, "content": message.content} for message in messages],
        }
        if tools:
            body["tools"] = [{"type": "function", "function": msgspec.to_builtins(tool)} for tool in tools]
        return body


class _Answer:
    """One response, read into a completion."""

    def __init__(self, settings: ModelSettings, max_chars: int, tools: Sequence[Tool]) -> None:
        self.completion = Completion(max_chars, [tool.name for tool in tools])
        self._body = ResponseBody()
        self._settings = settings
        self._received_bytes = 0

    async def check_status(self, response: httpx.Response, pieces: AsyncIterator[bytes]) -> None:
        """Raise the error of a response that is no success."""
        if response.is_success:
            return
        start = b""
        async for piece in pieces:
            start += piece[:MAX_ERROR_BYTES]
            if len(start) >= MAX_ERROR_BYTES:
                break
        text = start.decode("utf-8", "replace")
        raise status_error(response.status_code, text, self._settings, _after_s(response))

    def feed(self, piece: bytes) -> None:
        """Read a piece of the body. Raises the error in it, and InvalidRequest if the body is too long."""
        self._received_bytes += len(piece)
        if self._received_bytes > MAX_ANSWER_BYTES:
            raise InvalidRequest(f"The model server sent more than {MAX_ANSWER_BYTES} bytes")
        for payload in self._body.feed(piece):
            self.completion.add(payload)
            if self.completion.done:
                return
        self._check()

    def end(self) -> None:
        """Read what the end of the body completes."""
        for payload in self._body.end():
            self.completion.add(payload)

    def reply(self) -> Reply:
        """Return the answer. Raises what is wrong with it."""
        self._check()
        return self.completion.reply(self._body.format)

    def _check(self) -> None:
        if error := self.completion.error(self._body.format):
            raise sent_error(error, self._settings)
        if self._body.format == "page":
            raise page_error(self._settings)


def endpoint(base_url: str) -> str:
    """Return the address of the endpoint. The base may name the endpoint already, and have a query."""
    url = httpx.URL(base_url)
    path = url.path.rstrip("/").removesuffix(_ENDPOINT) + _ENDPOINT
    return str(url.copy_with(path=path))


def _after_s(response: httpx.Response) -> float:
    header = response.headers.get("retry-after", "")
    return min(float(header), MAX_RETRY_AFTER_S) if header.isdecimal() else 1.0
