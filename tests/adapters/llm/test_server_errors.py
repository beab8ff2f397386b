"""What a user reads if the address, the key or the model is wrong; and servers that are hostile or slow."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from tests.testkit.model_server import Answer, ModelServer, model_server
from warmxfer.adapters.llm import Message, ModelSettings, OpenAIModel, Reply
from warmxfer.adapters.llm import openai as openai_module
from warmxfer.adapters.llm.openai import endpoint
from warmxfer.schemas import InvalidRequest, RetryableError, WarmxferError

SECRET_WORDS = "charged twice"
MESSAGES = [Message("user", f"I was {SECRET_WORDS}.")]
STOP = 'data: {"choices":[{"delta":{},"finish_reason":"stop"}]}\n\n'
DONE = "data: [DONE]\n\n"


def chunk(text: str, name: str = "content") -> str:
    return f"data: {json.dumps({'choices': [{'delta': {name: text}}]})}\n\n"


@asynccontextmanager
async def asked(
    *answers: Answer, deadline_s: float = 5, max_chars: int = 4_000, path: str = ""
) -> AsyncIterator[tuple[ModelServer, Callable[[], asyncio.Task[Reply]]]]:
    async with model_server(*answers) as server:
        model = OpenAIModel(ModelSettings(server.url + path, "small", "very-secret"))
        try:
            yield (
                server,
                lambda: asyncio.ensure_future(
                    model.reply(MESSAGES, deadline_s=deadline_s, max_chars=max_chars)
                ),
            )
        finally:
            await model.aclose()


async def answer_of(*answers: Answer, deadline_s: float = 5, max_chars: int = 4_000) -> Reply:
    async with asked(*answers, deadline_s=deadline_s, max_chars=max_chars) as (_, ask):
        return await ask()


def failure(status: int, body: str) -> Answer:
    return Answer.of(body, "application/json", status=status)


@pytest.mark.parametrize(
    ("answer", "kind", "sentence"),
    [
        (
            failure(401, '{"error":{"message":"Incorrect API key"}}'),
            InvalidRequest,
            "does not accept the key (401); set WARMXFER_LLM_API_KEY",
        ),
        (
            failure(400, '{"error":{"message":"API key not valid."}}'),
            InvalidRequest,
            "does not accept the key (400)",
        ),
        (
            failure(403, '{"error":{"message":"Country not supported"}}'),
            InvalidRequest,
            "does not allow this request (403)",
        ),
        (failure(402, "{}"), InvalidRequest, "has no credit"),
        (
            failure(404, '{"error":{"message":"The model `small` does not exist","code":"model_not_found"}}'),
            InvalidRequest,
            "WARMXFER_LLM_MODEL is 'small', which the model server does not serve (404)",
        ),
        (
            failure(404, '{"error":"model \\"small\\" not found, try pulling it first"}'),
            InvalidRequest,
            "WARMXFER_LLM_MODEL is 'small'",
        ),
        (failure(400, '{"message":"Invalid model: small"}'), InvalidRequest, "WARMXFER_LLM_MODEL is 'small'"),
        (
            failure(404, '{"detail":"Not Found"}'),
            InvalidRequest,
            "which has no chat completions (404); give the address of the API, which often ends in /v1",
        ),
        (failure(404, "404 page not found"), InvalidRequest, "which has no chat completions (404)"),
        (
            failure(405, '{"detail":"Method Not Allowed"}'),
            InvalidRequest,
            "which has no chat completions (405)",
        ),
        (
            Answer.of("", status=307, headers={"location": "https://other.example/v1"}),
            InvalidRequest,
            "which redirects (307); set it to the address",
        ),
        (
            failure(400, '{"error":{"message":"maximum context length is 4096 tokens"}}'),
            InvalidRequest,
            "set it to a model with a longer context",
        ),
        (failure(422, '{"detail":[{"loc":["body"]}]}'), InvalidRequest, "refused the request (422); check"),
        (failure(500, "{}"), RetryableError, "The model server answered 500"),
        (failure(503, "loading"), RetryableError, "The model server answered 503"),
        (
            failure(429, '{"error":{"code":"insufficient_quota"}}'),
            RetryableError,
            "The model server answered 429",
        ),
        (
            Answer.of("<html>Welcome to nginx</html>", "text/html"),
            RetryableError,
            "answers with a web page and no chat completion",
        ),
    ],
)
async def test_a_wrong_setting_is_named_in_one_sentence(
    answer: Answer, kind: type[WarmxferError], sentence: str
) -> None:
    """The server's own words are not quoted: they may repeat the request."""
    answer.parts = [(delay_s, part + f" {SECRET_WORDS}") for delay_s, part in answer.parts]
    with pytest.raises(kind) as error:
        await answer_of(answer)
    assert sentence in str(error.value)
    assert not any(word in str(error.value) for word in (SECRET_WORDS, "very-secret", "nginx", "Incorrect"))


async def test_an_unreachable_server_is_named_with_its_address() -> None:
    model = OpenAIModel(ModelSettings("http://127.0.0.1:1/v1?key=very-secret", "small"))
    with pytest.raises(
        RetryableError, match=r"is http://127\.0\.0\.1:1/v1, which cannot be reached"
    ) as error:
        await model.reply(MESSAGES, deadline_s=2, max_chars=300)
    await model.aclose()
    assert "very-secret" not in str(error.value)


async def test_tls_to_a_server_without_it_is_named() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        model = OpenAIModel(ModelSettings(f"https://127.0.0.1:{port}/v1", "small"))
        with pytest.raises(RetryableError, match="it does not speak TLS as asked"):
            await model.reply(MESSAGES, deadline_s=10, max_chars=300)
        await model.aclose()


@pytest.mark.parametrize(
    ("base_url", "expected"),
    [
        ("https://h/v1", "https://h/v1/chat/completions"),
        ("https://h/v1/", "https://h/v1/chat/completions"),
        ("https://h", "https://h/chat/completions"),
        ("https://h/v1/chat/completions", "https://h/v1/chat/completions"),
        ("https://h/v1?api-version=2", "https://h/v1/chat/completions?api-version=2"),
        (
            "https://h:8443/openai/deployments/x?a=b",
            "https://h:8443/openai/deployments/x/chat/completions?a=b",
        ),
    ],
)
def test_the_endpoint_is_made_from_what_users_paste(base_url: str, expected: str) -> None:
    assert endpoint(base_url) == expected


async def test_reasoning_keeps_a_request_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_module, "MAX_SILENCE_S", 1.5)
    thoughts = [(0.2, chunk("Hm.", "reasoning_content")) for _ in range(8)]
    reply = await answer_of(Answer([*thoughts, (0.2, chunk("Ann was charged.")), (0, STOP), (0, DONE)]))
    assert reply.text == "Ann was charged."
    assert reply.reading is not None
    assert reply.reading.reasoning_chars == 24


async def test_pings_keep_a_request_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_module, "MAX_SILENCE_S", 1.5)
    pings = [(0.2, ": ping\n\n") for _ in range(8)]
    assert (await answer_of(Answer([*pings, (0.2, chunk("Ann.")), (0, STOP)]))).text == "Ann."


async def test_silence_in_the_middle_ends_a_request(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openai_module, "MAX_SILENCE_S", 0.3)
    started_at = time.monotonic()
    with pytest.raises(RetryableError, match="did not answer within"):
        await answer_of(Answer([(0, chunk("Ann"))], hang=True), deadline_s=60)
    assert time.monotonic() - started_at < 15


async def test_endless_reasoning_ends_at_the_deadline() -> None:
    thoughts = [(0.05, chunk("Hm. ", "reasoning_content")) for _ in range(400)]
    started_at = time.monotonic()
    with pytest.raises(RetryableError, match="did not answer within"):
        await answer_of(Answer(thoughts), deadline_s=0.6)
    assert time.monotonic() - started_at < 15


async def test_endless_reasoning_between_tags_ends_at_the_size() -> None:
    text = "<think>" + "Hm. " * 2_000_000
    parts = [(0.0, chunk(text[at : at + 100_000])) for at in range(0, len(text), 100_000)]
    with pytest.raises(InvalidRequest, match="more than 4194304 bytes"):
        await answer_of(Answer(parts), deadline_s=20)


async def test_an_endless_line_ends_at_the_size() -> None:
    parts = [(0.0, "data: " + "x" * 100_000)] + [(0.0, "x" * 100_000) for _ in range(60)]
    with pytest.raises(InvalidRequest, match="more than 4194304 bytes"):
        await answer_of(Answer(parts), deadline_s=20)


async def test_lines_of_100_kilobytes_are_read_in_little_time() -> None:
    parts = [(0.0, chunk("y" * 100_000, "reasoning_content")) for _ in range(20)]
    started_at = time.process_time()
    reply = await answer_of(Answer([*parts, (0, chunk("Ann.")), (0, STOP)]), deadline_s=20)
    assert reply.text == "Ann."
    assert time.process_time() - started_at < 2


async def test_a_server_that_goes_on_after_the_finish_reason_is_not_waited_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(openai_module, "MAX_SILENCE_S", 30.0)
    started_at = time.monotonic()
    reply = await answer_of(Answer([(0, chunk("Ann.")), (0, STOP)], hang=True), deadline_s=60)
    assert reply.text == "Ann."
    assert time.monotonic() - started_at < 15


async def test_a_connection_that_breaks_after_the_finish_reason_does_no_harm() -> None:
    answer = Answer([(0, chunk("Ann.")), (0, STOP)], headers={"content-length": "100000"})
    assert (await answer_of(answer)).text == "Ann."


@pytest.mark.parametrize("rest", ['data: {"choices":[],"usage":{"tot\n\n', "data: {]}\n\n"])
async def test_what_cannot_be_read_after_the_finish_reason_does_no_harm(rest: str) -> None:
    """Servers send usage after it. Without the mend a server that sends it wrongly gave no answer at all."""
    assert (await answer_of(Answer.of(chunk("Ann.") + STOP + rest))).text == "Ann."
    with pytest.raises(RetryableError, match="is not a chat completion"):
        await answer_of(Answer.of(chunk("Ann.") + rest))


async def test_a_connection_that_breaks_before_the_finish_reason_is_a_failure() -> None:
    answer = Answer([(0, chunk("Ann."))], headers={"content-length": "100000"})
    with pytest.raises(RetryableError, match="connection to the model server broke"):
        await answer_of(answer)
