"""Hundreds of answers that come later than their deadline cost no connection.

Before, each such request was cancelled inside httpcore's pool. After two rounds with 64 requests at a time no
connection was left: every later request failed, although the server was idle and fast.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import pytest
import uvloop

from tests.testkit.slow_server import HEAD, SlowServer, open_descriptors, slow_server
from tests.testkit.waiting import until
from warmxfer.adapters.llm import Message, ModelSettings, openai
from warmxfer.adapters.telephony.videosdk import http_client
from warmxfer.adapters.telephony.videosdk.http_client import ApiRequest, HttpClient
from warmxfer.adapters.telephony.videosdk.tokens import Tokens
from warmxfer.schemas import RetryableError

ROUNDS, REQUESTS = 2, 500
DEADLINE_S = 0.25
PATIENT_S = 10.0
SPARE_DESCRIPTORS = 2
"""How many the loop may have opened for itself meanwhile."""

EVENT = b'data: {"choices": [{"delta": {"content": "Yes."}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
STREAM = HEAD + b"%x\r\n%b\r\n0\r\n\r\n" % (len(EVENT), EVENT)

GATEWAY_AT_A_TIME, MODEL_AT_A_TIME = http_client.MAX_CONNECTIONS, 160
"""As many as the pool has connections; more than it has."""

SendRequest = Callable[[float], Awaitable[object]]
"""Sends one request with this deadline in seconds."""


@asynccontextmanager
async def gateway_client(server: SlowServer) -> AsyncIterator[SendRequest]:
    client = HttpClient(server.url, Tokens("key", "s" * 32, ""), timeout_s=PATIENT_S)
    yield lambda deadline_s: client.request(ApiRequest("GET", "/"), lambda answer: answer, deadline_s)
    await client.aclose()


@asynccontextmanager
async def model_client(server: SlowServer) -> AsyncIterator[SendRequest]:
    server.answer = STREAM
    model = openai.OpenAIModel(ModelSettings(server.url, "small"))
    messages = [Message("user", "Shall I?")]
    yield lambda deadline_s: model.reply(messages, deadline_s=deadline_s, max_chars=100)
    await model.aclose()


async def late(send: SendRequest) -> None:
    """Let the request end by its own deadline."""
    await send(DEADLINE_S)


async def cancelled(send: SendRequest) -> None:
    """Cancel the caller at any moment, as the stop of a worker does."""
    async with asyncio.timeout(DEADLINE_S * random.random()):
        await send(PATIENT_S)


@pytest.mark.parametrize(
    "new_loop", [asyncio.new_event_loop, uvloop.new_event_loop], ids=["asyncio", "uvloop"]
)
@pytest.mark.parametrize("end", [late, cancelled], ids=lambda end: end.__name__)
@pytest.mark.parametrize(
    ("client", "at_a_time", "connections"),
    [
        (gateway_client, GATEWAY_AT_A_TIME, http_client.MAX_CONNECTIONS),
        (model_client, MODEL_AT_A_TIME, openai.MAX_CONNECTIONS),
    ],
    ids=["gateway", "model"],
)
def test_late_answers_cost_no_connection(
    client: Callable[[SlowServer], AbstractAsyncContextManager[SendRequest]],
    at_a_time: int,
    connections: int,
    end: Callable[[SendRequest], Awaitable[None]],
    new_loop: Callable[[], asyncio.AbstractEventLoop],
) -> None:
    """Fails in each variant if a caller's deadline or cancellation reaches httpx."""

    async def send_all(send: SendRequest) -> Counter[str]:
        free = asyncio.Semaphore(at_a_time)

        async def one() -> str:
            async with free:
                try:
                    await end(send)
                except (RetryableError, TimeoutError):
                    return "no answer"
                return "answered"

        return Counter(await asyncio.gather(*(one() for _ in range(REQUESTS))))

    async def main() -> None:
        async with slow_server() as server:
            before = open_descriptors()
            async with client(server) as send:
                server.delay_s = lambda: DEADLINE_S * random.uniform(1.0, 1.6)
                for _ in range(ROUNDS):
                    assert await send_all(send) == {"no answer": REQUESTS}
                server.delay_s = lambda: 0.0
                server.hold()
                sent = [asyncio.create_task(send(PATIENT_S)) for _ in range(connections)]
                await until(lambda: server.unanswered == connections)
                server.release()
                await asyncio.gather(*sent)
                await until(lambda: server.open <= at_a_time)
                await until(lambda: open_descriptors() <= before + 2 * at_a_time + SPARE_DESCRIPTORS)
            await until(lambda: open_descriptors() <= before + SPARE_DESCRIPTORS)

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())
