"""The chat model over HTTP, against a server that answers, hangs, sends too much and fails."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.testkit.provider_sandbox import Cloud
from warmxfer.adapters.llm import ChatModel, Message, ModelSettings, Tool, ToolCall, open_model
from warmxfer.schemas import InvalidRequest, RetryableError

CHAT_COMPLETIONS = {"path": "/v1/chat/completions"}
MESSAGES = [
    Message("system", "Summarize."),
    Message("user", '[{"role":"caller","text":"I was charged twice."},{"role":"agent","text":"I see."}]'),
]
TOOLS = [
    Tool("done_briefing", "They said yes.", {"type": "object", "properties": {}}),
    Tool(
        "decline_transfer", "They said no.", {"type": "object", "properties": {"reason": {"type": "string"}}}
    ),
]
ENVIRONMENT = {"WARMXFER_LLM_BASE_URL": "https://llm.example/v1/", "WARMXFER_LLM_MODEL": "small"}


@pytest_asyncio.fixture
async def model(cloud: Cloud) -> AsyncIterator[ChatModel]:
    chat_model = open_model(ModelSettings(f"{cloud.url}/v1", "small", "k"))
    assert chat_model is not None
    yield chat_model
    await chat_model.aclose()


async def test_the_text_is_assembled_from_the_stream(model: ChatModel) -> None:
    reply = await model.reply(MESSAGES, deadline_s=2, max_chars=500)
    assert reply.text == "The caller says: I was charged twice."
    assert reply.call is None


async def test_a_tool_call_has_its_arguments(model: ChatModel) -> None:
    yes = await model.reply([Message("user", "Yes, go ahead.")], tools=TOOLS, deadline_s=2, max_chars=500)
    no = await model.reply([Message("user", "No, sorry.")], tools=TOOLS, deadline_s=2, max_chars=500)
    assert yes.call == ToolCall("done_briefing", {})
    assert no.call == ToolCall("decline_transfer", {"reason": "No, sorry."})


async def test_an_answer_that_is_too_long_fails_before_it_ends(model: ChatModel, cloud: Cloud) -> None:
    await cloud.break_once("endless", CHAT_COMPLETIONS)
    started_at = time.monotonic()
    with pytest.raises(InvalidRequest, match="more than 300 characters"):
        await model.reply(MESSAGES, deadline_s=60, max_chars=300)
    assert time.monotonic() - started_at < 15


async def test_a_silent_model_fails_at_the_deadline(
    model: ChatModel, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    for limit in ("MIN_SILENCE_S", "MAX_SILENCE_S"):
        monkeypatch.setattr(f"warmxfer.adapters.llm.openai.{limit}", 30.0)
    await cloud.break_once("hang", CHAT_COMPLETIONS)
    started_at = time.monotonic()
    with pytest.raises(RetryableError, match=r"did not answer within 0\.3 s"):
        await model.reply(MESSAGES, deadline_s=0.3, max_chars=300)
    assert 0.25 < time.monotonic() - started_at < 15


async def test_silence_has_its_own_deadline(
    model: ChatModel, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.llm.openai.MAX_SILENCE_S", 0.2)
    await cloud.break_once("hang", CHAT_COMPLETIONS)
    async with asyncio.timeout(15):
        with pytest.raises(RetryableError):
            await model.reply(MESSAGES, deadline_s=60, max_chars=300)


@pytest.mark.parametrize(
    ("kind", "fault", "error_type"),
    [
        ("status", {"status": 500}, RetryableError),
        ("status", {"status": 429, "retryAfterS": 7}, RetryableError),
        ("status", {"status": 401}, InvalidRequest),
        ("status", {"status": 302}, InvalidRequest),
        ("garbage", {}, RetryableError),
        ("reset", {}, RetryableError),
        ("execute_then_reset", {}, RetryableError),
        ("wrong_schema", {}, RetryableError),
    ],
)
async def test_an_error_is_classified_and_quotes_nothing(
    model: ChatModel, cloud: Cloud, kind: str, fault: dict[str, int], error_type: type[Exception]
) -> None:
    await cloud.break_once(kind, CHAT_COMPLETIONS, **fault)
    with pytest.raises(error_type) as error:
        await model.reply(MESSAGES, deadline_s=2, max_chars=300)
    assert "charged twice" not in str(error.value)
    if "retryAfterS" in fault:
        assert isinstance(error.value, RetryableError)
        assert error.value.after_s == 7


async def test_an_unreachable_server_is_retryable() -> None:
    model = open_model(ModelSettings("http://127.0.0.1:1/v1", "small"))
    assert model is not None
    with pytest.raises(RetryableError, match="ConnectError"):
        await model.reply(MESSAGES, deadline_s=2, max_chars=300)
    await model.aclose()


def test_settings_come_from_the_environment_and_hide_the_key() -> None:
    settings = ModelSettings.from_env({**ENVIRONMENT, "WARMXFER_LLM_API_KEY": "very-secret"})
    assert settings == ModelSettings("https://llm.example/v1", "small", "very-secret")
    assert "very-secret" not in repr(settings)
    assert ModelSettings.from_env({}) is None
    assert open_model(None) is None


@pytest.mark.parametrize(
    ("changes", "variable"),
    [
        ({"WARMXFER_LLM_BASE_URL": "llm.example/v1"}, "WARMXFER_LLM_BASE_URL"),
        ({"WARMXFER_LLM_BASE_URL": "https://user:pass@llm.example"}, "WARMXFER_LLM_BASE_URL"),
        ({"WARMXFER_LLM_MODEL": " "}, "WARMXFER_LLM_MODEL"),
        ({"WARMXFER_LLM_BASE_URL": "http://llm.example/v1"}, "would send WARMXFER_LLM_API_KEY and the conv"),
        ({"WARMXFER_LLM_BASE_URL": "http://203.0.113.7/v1"}, "in clear text"),
        ({"WARMXFER_LLM_BASE_URL": "http://[2001:db8::1]/v1"}, "in clear text"),
        ({"WARMXFER_LLM_BASE_URL": "http://2130706433/v1"}, "in clear text"),
        ({"WARMXFER_LLM_BASE_URL": "http://0x7f000001/v1"}, "in clear text"),
    ],
)
def test_an_invalid_setting_is_refused(changes: dict[str, str], variable: str) -> None:
    with pytest.raises(InvalidRequest, match=variable) as error:
        ModelSettings.from_env({**ENVIRONMENT, **changes})
    assert "pass" not in str(error.value)
