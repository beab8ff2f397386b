"""Chat completions endpoint with scripted replies."""

import asyncio
import json
from typing import Any

import httpx
import pytest

from .client import Sandbox

PATH = "/v1/chat/completions"
KEY = {"authorization": "Bearer any"}
TRANSCRIPT = [
    {"role": "assistant", "text": "How can I help?"},
    {"role": "user", "text": "I was charged twice."},
    {"role": "user", "text": "Please refund one."},
]
MESSAGES = [
    {"role": "system", "content": "Summarise."},
    {"role": "user", "content": "Transcript: " + json.dumps(TRANSCRIPT)},
]
SUMMARY = "The caller says: I was charged twice. Please refund one."
TOOLS = [
    {"type": "function", "function": {"name": "supervisor_ready", "parameters": {"type": "object"}}},
    {
        "type": "function",
        "function": {
            "name": "supervisor_declined",
            "parameters": {"properties": {"reason": {"type": "string"}}},
        },
    },
    {"type": "function", "function": {"name": "voicemail_detected"}},
]


async def complete(sandbox: Sandbox, messages: list[dict[str, Any]], **more: Any) -> dict[str, Any]:
    body = {"model": "m", "messages": messages, **more}
    return (await sandbox.ok("POST", PATH, json=body, headers=KEY))["choices"][0]


async def test_the_summary_repeats_the_callers_lines(sandbox: Sandbox) -> None:
    choice = await complete(sandbox, MESSAGES)
    assert choice == {
        "index": 0,
        "message": {"role": "assistant", "content": SUMMARY},
        "finish_reason": "stop",
    }


@pytest.mark.parametrize(
    ("content", "summary"),
    [
        ('{"transcript": [{"speaker": "caller", "content": "Hi."}]}', "The caller says: Hi."),
        ("no json at all", "The caller has not said what it is about."),
        ('[1, {"role": "user"}, "x"]', "The caller has not said what it is about."),
        ([{"type": "text", "text": '[{"role": "user", "text": "Hi."}]'}], "The caller says: Hi."),
    ],
)
async def test_the_summary_accepts_any_message_content(sandbox: Sandbox, content: Any, summary: str) -> None:
    choice = await complete(sandbox, [{"role": "user", "content": content}])
    assert choice["message"]["content"] == summary


async def test_a_streamed_summary_has_the_same_text(sandbox: Sandbox) -> None:
    body = {"messages": MESSAGES, "stream": True}
    async with sandbox.http.stream("POST", PATH, json=body, headers=KEY) as answer:
        lines = [line.removeprefix("data: ") async for line in answer.aiter_lines() if line]
    assert lines.pop() == "[DONE]"
    choices = [json.loads(line)["choices"][0] for line in lines]
    assert "".join(choice["delta"].get("content", "") for choice in choices) == SUMMARY
    assert choices[-1]["finish_reason"] == "stop"


@pytest.mark.parametrize(
    ("user_text", "tool", "arguments"),
    [
        ("Yes, I'm ready, put them through.", "supervisor_ready", {}),
        ("No, sorry, I can't.", "supervisor_declined", {"reason": "No, sorry, I can't."}),
        ("You have reached the voicemail of Dana.", "voicemail_detected", {}),
    ],
)
async def test_yes_no_and_voicemail_select_the_matching_tool(
    sandbox: Sandbox, user_text: str, tool: str, arguments: dict[str, str]
) -> None:
    choice = await complete(sandbox, [{"role": "user", "content": user_text}], tools=TOOLS)
    [call] = choice["message"]["tool_calls"]
    assert (call["function"]["name"], json.loads(call["function"]["arguments"])) == (tool, arguments)
    assert choice["finish_reason"] == "tool_calls"


async def test_a_request_without_key_or_messages_is_refused(sandbox: Sandbox) -> None:
    assert (await sandbox.http.post(PATH, json={"messages": MESSAGES})).status_code == 401
    assert (await sandbox.http.post(PATH, json={"messages": []}, headers=KEY)).status_code == 400


@pytest.mark.parametrize(
    ("kind", "content"),
    [("empty", ""), ("refuse", "I'm sorry, but I can't help with that."), ("delay", SUMMARY)],
)
async def test_one_request_gets_the_injected_reply(sandbox: Sandbox, kind: str, content: str) -> None:
    await sandbox.fault({"path": PATH}, kind, delayS=1.0)
    assert (await complete(sandbox, MESSAGES))["message"]["content"] == content
    assert (await complete(sandbox, MESSAGES))["message"]["content"] == SUMMARY


async def test_a_status_fault_applies_to_the_model(sandbox: Sandbox) -> None:
    await sandbox.fault({"path": PATH}, "status", status=500)
    assert (await sandbox.http.post(PATH, json={"messages": MESSAGES}, headers=KEY)).status_code == 500


async def test_a_hanging_model_sends_no_response(sandbox: Sandbox) -> None:
    await sandbox.fault({"path": PATH}, "hang")
    with pytest.raises(httpx.ReadTimeout):
        await sandbox.http.post(PATH, json={"messages": MESSAGES}, headers=KEY, timeout=0.5)
    assert (await complete(sandbox, MESSAGES))["message"]["content"] == SUMMARY


async def test_an_endless_model_streams_until_the_client_disconnects(sandbox: Sandbox) -> None:
    await sandbox.fault({"path": PATH}, "endless")
    body = {"messages": MESSAGES, "stream": True}
    lines_read = 0
    async with asyncio.timeout(3), sandbox.http.stream("POST", PATH, json=body, headers=KEY) as answer:
        async for line in answer.aiter_lines():
            lines_read += bool(line)
            if lines_read == 50:
                break
    assert lines_read == 50
    assert (await complete(sandbox, MESSAGES))["message"]["content"] == SUMMARY


async def test_a_fault_on_another_path_does_not_affect_streams(sandbox: Sandbox) -> None:
    await sandbox.fault({"path": "/v2/rooms"}, "status")
    body = {"messages": MESSAGES, "stream": True}
    answer = await sandbox.http.post(PATH, json=body, headers=KEY)
    assert answer.text.endswith("data: [DONE]\n\n")
