"""`warmxfer try summary` as a process, against model servers of every kind."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.testkit.model_server import Answer, model_server

from .conftest import Warmxfer

RECORDED: list[dict[str, Any]] = json.loads(
    (Path(__file__).parents[1] / "data" / "llm-streams.json").read_text()
)
TRANSCRIPT = [
    {"role": "agent", "text": "Hello, how can I help?"},
    {"role": "caller", "text": "Hi, this is Ann Example. I was charged twice for order 4417."},
    {"role": "agent", "text": "I checked the order."},
    {"role": "caller", "text": "Can I have one refund?"},
]
EXTRACT = "Taken from the call, word for word. The caller gave the name Ann Example."
RIGHT = ("s-plain", "s-parts", "s-json", "s-reasoning-slow")
"""Processes are slow: tests/actors/summarizer/test_recorded.py has all."""
WRONG = ("s-preamble", "s-length")


@pytest.fixture
def transcript(tmp_path: Path) -> str:
    path = tmp_path / "transcript.json"
    path.write_text(json.dumps(TRANSCRIPT))
    return str(path)


def answers_of(stream: dict[str, Any]) -> Answer:
    return Answer([tuple(part) for part in stream["parts"]], stream["content_type"])


@pytest.mark.parametrize(
    "stream", [each for each in RECORDED if each["id"] in RIGHT], ids=lambda stream: stream["id"]
)
async def test_a_recorded_answer_is_spoken(
    warmxfer: Warmxfer, transcript: str, stream: dict[str, Any]
) -> None:
    async with model_server(answers_of(stream)) as server:
        output = await warmxfer(
            "try", "summary", transcript, "--json", WARMXFER_LLM_BASE_URL=server.url, WARMXFER_LLM_MODEL="m"
        )
    (value,) = output.values
    assert (output.code, value["source"], len(server.requests)) == (0, "model", 1)
    assert value["summary"] == value["spoken"] == stream["expect_text"]
    assert value["attempts"][0]["reading"]["ended_by"] in ("stop", "[DONE]")


@pytest.mark.parametrize("id", WRONG)
async def test_what_is_no_summary_is_asked_again_and_then_quoted(
    warmxfer: Warmxfer, transcript: str, id: str
) -> None:
    stream = next(each for each in RECORDED if each["id"] == id)
    async with model_server(answers_of(stream)) as server:
        output = await warmxfer(
            "try", "summary", transcript, "--json", WARMXFER_LLM_BASE_URL=server.url, WARMXFER_LLM_MODEL="m"
        )
    (value,) = output.values
    assert (output.code, value["source"]) == (0, "extract")
    assert value["spoken"].startswith(EXTRACT)
    assert len(server.requests) == len(value["attempts"]) == 2
    assert all(attempt["why"] for attempt in value["attempts"])


async def test_the_text_output_shows_how_the_answer_was_read(warmxfer: Warmxfer, transcript: str) -> None:
    stream = next(each for each in RECORDED if each["id"] == "s-think")
    async with model_server(answers_of(stream)) as server:
        output = await warmxfer(
            "try", "summary", transcript, WARMXFER_LLM_BASE_URL=server.url, WARMXFER_LLM_MODEL="small"
        )
    lines = output.out.splitlines()
    assert lines[0] == "model    small"
    assert "event stream of " in lines[1]
    assert "characters of reasoning left out: used" in lines[1]
    assert "source   model" in lines
    assert lines[-1] == "spoken   Please decide about the refund."
    assert "lying" not in output.out


@pytest.mark.parametrize(
    "text",
    [
        json.dumps({"turns": TRANSCRIPT}),
        json.dumps({"messages": [{"role": "system", "content": "Be kind."}, *TRANSCRIPT]}),
        json.dumps(
            [
                {"role": "user" if turn["role"] == "caller" else "assistant", "content": turn["text"]}
                for turn in TRANSCRIPT
            ]
        ),
    ],
)
async def test_a_transcript_has_the_usual_shapes(warmxfer: Warmxfer, text: str) -> None:
    output = await warmxfer("try", "summary", "-", "--json", stdin=text, WARMXFER_LLM_BASE_URL="")
    (value,) = output.values
    assert (value["source"], value["model"], value["attempts"]) == ("extract", None, [])
    assert value["spoken"].startswith(EXTRACT)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("not json", "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("5", "holds no list of turns"),
        ('{"role": "caller"}', "holds no list of turns"),
        ('[{"role": "nurse", "text": "x"}]', "TRANSCRIPT[0] is no turn"),
        ('[{"role": "caller"}]', "TRANSCRIPT[0] is no turn"),
        ("[1]", "TRANSCRIPT[0] is no turn"),
    ],
)
async def test_a_wrong_transcript_is_one_sentence(warmxfer: Warmxfer, text: str, why: str) -> None:
    output = await warmxfer("try", "summary", "-", stdin=text)
    assert output.code == 2
    assert why in output.err
    assert "Traceback" not in output.err


async def test_a_file_that_is_missing_is_one_sentence(warmxfer: Warmxfer) -> None:
    output = await warmxfer("try", "summary", "/nowhere/transcript.json")
    assert output.code == 2
    assert "/nowhere/transcript.json" in output.err


async def test_a_model_that_cannot_be_reached_is_named_and_the_call_is_quoted(
    warmxfer: Warmxfer, transcript: str
) -> None:
    output = await warmxfer(
        "try",
        "summary",
        transcript,
        "--json",
        WARMXFER_LLM_BASE_URL="http://127.0.0.1:1/v1",
        WARMXFER_LLM_MODEL="m",
    )
    (value,) = output.values
    assert value["source"] == "extract"
    assert value["attempts"][0]["why"].startswith(
        "WARMXFER_LLM_BASE_URL is http://127.0.0.1:1/v1, which cannot be reached"
    )


async def test_a_wrong_setting_is_one_sentence(warmxfer: Warmxfer, transcript: str) -> None:
    output = await warmxfer("try", "summary", transcript, WARMXFER_LLM_BASE_URL="llm.example")
    assert output.code == 2
    assert "WARMXFER_LLM_BASE_URL is not a valid address" in output.err
