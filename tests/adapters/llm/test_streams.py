"""Every stream of `streams/`, and of `tests/data/llm-streams.json`, however its bytes are cut into pieces."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.testkit.model_server import Answer, model_server
from warmxfer.adapters.llm import Message, ModelSettings, OpenAIModel, Reply, Tool
from warmxfer.adapters.llm.openai import _Answer
from warmxfer.schemas import WarmxferError

FOLDER = Path(__file__).parent / "streams"
RECORDED = Path(__file__).parents[2] / "data" / "llm-streams.json"
TEXT = "Ann was charged twice."
TOOLS = [Tool(name, "", {}) for name in ("done_briefing", "decline_transfer", "voicemail_detected")]
SETTINGS = ModelSettings("https://llm.example/v1", "small", "key")
MAX_CHARS = 4_000
LONG_REASONING = "She may be lying. " * 20_000
UNMARKED_REASONING = "She may be lying. " * 400


def corpus() -> list[dict[str, Any]]:
    """Return the streams of all files, each with its bytes, and with "kind" set to its file's name."""
    return [
        stream | {"kind": path.stem, "bytes": as_bytes(stream)}
        for path in sorted(FOLDER.glob("*.yaml"))
        for stream in yaml.safe_load(path.read_text())
    ]


def as_bytes(stream: dict[str, Any]) -> bytes:
    if "answer" in stream:
        chunks = re.findall(r"(?s).{1,3}", filled(stream["answer"])) or [""]
        if len(chunks) > 5_000:
            chunks = re.findall(r"(?s).{1,3000}", filled(stream["answer"]))
        events = [json.dumps({"choices": [{"delta": {"content": chunk}}]}) for chunk in chunks]
        events += ['{"choices":[{"delta":{},"finish_reason":"stop"}]}', "[DONE]"]
    else:
        events = stream.get("events", [])
    body = stream.get("body", "".join(f"data: {event}\n\n" for event in events))
    if body == "DEEP":
        body = "data: " + "[" * 100_000 + "\n\n"
    raw = body.encode()
    return re.sub(rb"BYTE-([0-9A-F]{2})", lambda found: bytes.fromhex(found[1].decode()), raw)


def filled(answer: str) -> str:
    return answer.replace("LONG", LONG_REASONING).replace("SHORTER", UNMARKED_REASONING)


def read(body: bytes, size: int) -> Reply:
    """Return the answer in `body`, read in pieces of `size` bytes, as from a socket."""
    answer = _Answer(SETTINGS, MAX_CHARS, TOOLS)
    for at in range(0, len(body), size):
        answer.feed(body[at : at + size])
        if answer.completion.done:
            break
    else:
        answer.end()
    return answer.reply()


def check(stream: dict[str, Any], body: bytes, size: int) -> None:
    if "error" in stream:
        with pytest.raises((WarmxferError, ValueError)) as error:
            read(body, size)
        sentence = str(error.value)
        if not isinstance(error.value, WarmxferError):
            sentence = "not a chat completion"
        assert stream["error"] in sentence
        assert "Ann" not in sentence
        return
    reply = read(body, size)
    if stream["kind"] == "tools":
        name = stream.get("tool", "done_briefing")
        assert (reply.call and reply.call.name) == name
        assert reply.call is None or reply.call.arguments == stream.get("arguments", {})
    else:
        assert reply.text == stream.get("text", TEXT)
        assert reply.call is None


CORPUS = corpus()
by_name = pytest.mark.parametrize("stream", CORPUS, ids=[f"{s['kind']}: {s['name']}" for s in CORPUS])


@by_name
@pytest.mark.parametrize("size", [1, 1 << 20])
def test_a_stream_is_read_in_pieces_of_any_size(stream: dict[str, Any], size: int) -> None:
    if size == 1 and len(stream["bytes"]) > 50_000:
        pytest.skip("slow, and the same code as in one piece")
    check(stream, stream["bytes"], size)


@by_name
@pytest.mark.parametrize(("end", "size"), [(b"\r\n", 1), (b"\r", 3)])
def test_a_stream_may_end_its_lines_otherwise(stream: dict[str, Any], end: bytes, size: int) -> None:
    if len(stream["bytes"]) > 50_000:
        size = 1_000
    check(stream, stream["bytes"].replace(b"\n", end), size)


@by_name
def test_a_stream_may_begin_with_a_byte_order_mark(stream: dict[str, Any]) -> None:
    check(stream, b"\xef\xbb\xbf" + stream["bytes"].removeprefix(b"\xef\xbb\xbf"), 1 << 16)


@by_name
def test_a_stream_has_pings_anywhere(stream: dict[str, Any]) -> None:
    if stream["bytes"][:4] != b"data" or b"\n\n" not in stream["bytes"]:
        pytest.skip("no event stream with blank lines")
    check(stream, stream["bytes"].replace(b"\n\n", b"\n\n: ping\n\nevent: ping\ndata: {}\n\n"), 1 << 16)


def test_the_corpus_is_large() -> None:
    assert len(CORPUS) >= 150
    assert len({stream["name"] for stream in CORPUS}) == len(CORPUS)


@pytest.mark.parametrize("stream", json.loads(RECORDED.read_text()), ids=lambda stream: stream["id"])
async def test_a_recorded_answer_of_a_server_has_its_value(stream: dict[str, Any]) -> None:
    """Over HTTP, with the delays of the recording."""
    answer = Answer([tuple(part) for part in stream["parts"]], stream["content_type"])
    tools = TOOLS if stream["id"].startswith("j-") else []
    async with model_server(answer) as server:
        model = OpenAIModel(ModelSettings(server.url, "small"))
        try:
            reply = await model.reply([Message("user", "?")], tools=tools, deadline_s=20, max_chars=MAX_CHARS)
        except WarmxferError:
            assert stream["expect_text"] is None
            assert stream["expect_tool"] is None
            return
        finally:
            await model.aclose()
    assert stream["expect_text"] in (None, reply.text)
    assert stream["expect_tool"] in (None, reply.call and reply.call.name)
