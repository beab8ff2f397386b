"""Endpoint of an OpenAI-compatible chat model with scripted replies: real HTTP, no language model.

The summary repeats the caller's own lines. A yes or a no becomes a call of the matching tool, in English and
in Spanish.
"""

import asyncio
import itertools
import json
import re
import time
import uuid
from collections.abc import AsyncIterator, Iterator
from typing import Any, Final

import msgspec
from aiohttp import web

from ..cloud import Cloud
from ..errors import HttpError
from ..faults import Fault
from ..limits import MAX_LLM_BODY_BYTES, MAX_TEXT_CHARS
from . import request_fields
from .responses import json_response

LLM_FAULT: Final = "llm_fault"
"""Key of a request for the fault of the model that applies to it."""
EVENT_STREAM = "text/event-stream"
REFUSAL = "I'm sorry, but I can't help with that."
NO_CALLER_LINES = "The caller has not said what it is about."
HANG_LIMIT_S = 600.0
"""Maximum duration of the fault `hang`, in real seconds."""
HANG_CHECK_S = 0.05
"""Pause between two checks whether the client has disconnected."""
ENDLESS_LIMIT_CHUNKS = 1_000_000
MAX_STARTS = 200
"""Brackets of a message at which its JSON is looked for. Each try may read the rest of the message."""

_CALLER = frozenset({"user", "caller", "customer"})
_YES = re.compile(r"\b(yes|yeah|sure|ready|put (them|him|her) through|go ahead|okay|ok|sí|páselo)\b", re.I)
_NO = re.compile(r"\b(no(?! (hay )?problema?)|not|can't|cannot|won't|busy|decline|sorry)\b", re.I)
_ACCEPTING = ("done", "ready", "accept", "connect", "complete", "yes")
_DECLINING = ("declin", "reject", "cancel", "refuse", "no")
_MACHINE = ("voicemail", "machine")


async def complete(cloud: Cloud, request: web.Request) -> web.Response:
    """Handle POST /v1/chat/completions, streamed or not. Any Bearer key is accepted."""
    body, messages = await _read_request(request)
    fault: Fault | None = request.get(LLM_FAULT)
    match fault.kind if fault else None:
        case None:
            return _respond(body, _reply(_last_user_text(messages), body.get("tools") or []))
        case "hang":
            await _hang(request)
            return web.Response(status=504)
        case "endless":
            return web.Response(body=_endless(body), content_type=EVENT_STREAM, charset="utf-8")
        case "refuse":
            return _respond(body, {"role": "assistant", "content": REFUSAL})
        case _:
            return _respond(body, {"role": "assistant", "content": ""})


async def _read_request(request: web.Request) -> tuple[request_fields.Body, list[dict[str, Any]]]:
    """Return the body and its messages. Raises HttpError 400, 401 or 413."""
    if not request.headers.get("authorization", "").startswith("Bearer "):
        raise HttpError(401, "Authorization must be: Bearer <any key>.")
    body = await request_fields.read_json(request, MAX_LLM_BODY_BYTES)
    messages = body.get("messages")
    if not isinstance(messages, list) or not messages or not all(isinstance(m, dict) for m in messages):
        raise HttpError(400, "messages must be a list of at least one message.")
    return body, messages


def _respond(body: request_fields.Body, message: dict[str, Any]) -> web.Response:
    if body.get("stream") is True:
        chunks = b"".join(_stream(body, message))
        return web.Response(body=chunks, content_type=EVENT_STREAM, charset="utf-8")
    return json_response(_completion(body, message))


def _reply(prompt: str, tools: list[Any]) -> dict[str, Any]:
    """Return the reply: a tool call if one matches, a summary otherwise."""
    tool = _matching_tool(prompt, tools)
    if tool is None:
        return {"role": "assistant", "content": _summary(prompt)}
    arguments = json.dumps({"reason": prompt} if "reason" in _parameters(tool) else {})
    call = {
        "id": f"call_{uuid.uuid4().hex[:12]}",
        "type": "function",
        "function": {"name": tool["name"], "arguments": arguments},
    }
    return {"role": "assistant", "content": None, "tool_calls": [call]}


def _matching_tool(prompt: str, tools: list[Any]) -> dict[str, Any] | None:
    functions = [
        tool["function"]
        for tool in tools
        if isinstance(tool, dict) and isinstance(tool.get("function"), dict)
    ]
    if re.search("voicemail|after the (beep|tone)", prompt, re.I):
        name_parts = _MACHINE
    elif _NO.search(prompt):
        name_parts = _DECLINING
    elif _YES.search(prompt):
        name_parts = _ACCEPTING
    else:
        return None
    named = [(str(function.get("name", "")).lower(), function) for function in functions]
    return next((function for word in name_parts for name, function in named if word in name), None)


def _parameters(function: dict[str, Any]) -> dict[str, Any]:
    parameters = function.get("parameters")
    return parameters.get("properties", {}) if isinstance(parameters, dict) else {}


def _summary(prompt: str) -> str:
    lines = _caller_lines(prompt)
    if not lines:
        return NO_CALLER_LINES
    return ("The caller says: " + " ".join(lines))[:MAX_TEXT_CHARS]


def _caller_lines(prompt: str) -> list[str]:
    """Return the caller's lines from the first JSON in the message. Text around the JSON is ignored."""
    for match in itertools.islice(re.finditer(r"[\[{]", prompt), MAX_STARTS):
        try:
            value, _ = json.JSONDecoder().raw_decode(prompt, match.start())
            return _spoken_by_caller(value)
        except (ValueError, RecursionError):
            continue
    return []


def _spoken_by_caller(value: Any) -> list[str]:
    if isinstance(value, list):
        return [line for item in value for line in _spoken_by_caller(item)]
    if not isinstance(value, dict):
        return []
    if (value.get("role") or value.get("speaker")) in _CALLER:
        text = value.get("text") or value.get("content")
        return [text] if isinstance(text, str) else []
    return [
        line for item in value.values() if isinstance(item, list | dict) for line in _spoken_by_caller(item)
    ]


def _last_user_text(messages: list[dict[str, Any]]) -> str:
    for message in reversed(messages):
        content = message.get("content")
        if message.get("role") != "user":
            continue
        if isinstance(content, str):
            return content
        if isinstance(content, list):
            return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return ""


def _completion(body: request_fields.Body, message: dict[str, Any]) -> dict[str, Any]:
    finish_reason = "tool_calls" if message.get("tool_calls") else "stop"
    word_count = len(str(message["content"] or "").split())
    return {
        "id": f"chatcmpl-{uuid.uuid4().hex}",
        "object": "chat.completion",
        "created": int(time.time()),
        "model": str(body.get("model", "sandbox")),
        "choices": [{"index": 0, "message": message, "finish_reason": finish_reason}],
        "usage": {"prompt_tokens": 0, "completion_tokens": word_count, "total_tokens": word_count},
    }


def _stream(body: request_fields.Body, message: dict[str, Any]) -> Iterator[bytes]:
    """Yield server-sent events: the role, then each word or the tool calls, then the end."""
    yield _chunk(body, {"role": "assistant", "content": ""})
    if message.get("tool_calls"):
        tool_calls = [{"index": index, **call} for index, call in enumerate(message["tool_calls"])]
        yield _chunk(body, {"tool_calls": tool_calls})
        yield _chunk(body, {}, "tool_calls")
    else:
        for word in re.findall(r"\S+\s*", message["content"]):
            yield _chunk(body, {"content": word})
        yield _chunk(body, {}, "stop")
    yield b"data: [DONE]\n\n"


async def _endless(body: request_fields.Body) -> AsyncIterator[bytes]:
    """Yield chunks until the client disconnects or ENDLESS_LIMIT_CHUNKS is reached."""
    for _ in range(ENDLESS_LIMIT_CHUNKS):
        yield _chunk(body, {"content": "and then the caller said something else, "})
        await asyncio.sleep(0.001)


def _chunk(body: request_fields.Body, delta: dict[str, Any], finish: str | None = None) -> bytes:
    chunk = {
        "id": "chatcmpl-sandbox",
        "object": "chat.completion.chunk",
        "created": int(time.time()),
        "model": str(body.get("model", "sandbox")),
        "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
    }
    return b"data: %b\n\n" % msgspec.json.encode(chunk)


async def _hang(request: web.Request) -> None:
    """Wait until the client disconnects, at most HANG_LIMIT_S. Only the transport shows a disconnect."""
    loop = asyncio.get_running_loop()
    ends_at = loop.time() + HANG_LIMIT_S
    while request.transport is not None and loop.time() < ends_at:  # noqa: ASYNC110
        await asyncio.sleep(HANG_CHECK_S)
