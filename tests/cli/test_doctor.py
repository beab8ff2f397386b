"""The findings of `warmxfer doctor`."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from tests.testkit.model_server import Answer, model_server
from warmxfer.adapters.llm import ModelSettings
from warmxfer.bus import BrokerReport, ConsumerBacklog
from warmxfer.cli.doctor import ask_model, clock_findings, dial_findings, examine, stream_findings

IDLE, BUSY, UNSERVED = ConsumerBacklog(2, 0, 0), ConsumerBacklog(0, 3, 2), ConsumerBacklog(0, 4, 0)
NONE_RUNNING, ONE_RUNNING = Counter[str](), Counter({"warmxfer-gateway": 1})
TWO_RUNNING = Counter({"warmxfer-gateway": 2})
REMEDY = "start one with `warmxfer run gateway`."


def broker_report(
    messages: int | None = 7,
    server_time: float | None = 100.0,
    running: Counter[str] = NONE_RUNNING,
    missing_streams: tuple[str, ...] = (),
    **queues: ConsumerBacklog | None,
) -> BrokerReport:
    return BrokerReport("2.15.1", server_time, messages, 1, queues, missing_streams, running)


@pytest.mark.parametrize(
    ("queue", "running", "state", "sentence"),
    [
        (IDLE, NONE_RUNNING, "ok", "At least 1 process running, 0 active, 0 queued."),
        (BUSY, ONE_RUNNING, "ok", "1 process running, 2 active, 3 queued."),
        (BUSY, TWO_RUNNING, "ok", "2 processes running, 2 active, 3 queued."),
        (BUSY, NONE_RUNNING, "wrong", f"No gateway is running (2 active, 3 queued); {REMEDY}"),
        (UNSERVED, NONE_RUNNING, "wrong", f"No gateway is running (0 active, 4 queued); {REMEDY}"),
        (
            None,
            NONE_RUNNING,
            "wrong",
            "The queue of the gateway does not exist; restart any actor, which creates it.",
        ),
    ],
)
def test_a_role_is_running_if_a_process_answers_or_pulls(
    queue: ConsumerBacklog | None, running: Counter[str], state: str, sentence: str
) -> None:
    """A process that crashed with an active task does not count as running."""
    stream, found = stream_findings(broker_report(gateway=queue, running=running))
    assert (stream.state, stream.sentence) == ("ok", "The streams hold 7 messages on 1 replica.")
    assert (found.about, found.state, found.sentence) == ("gateway", state, sentence)


def test_a_broker_without_a_stream_is_a_fault() -> None:
    (found,) = stream_findings(broker_report(messages=None, missing_streams=("WARMXFER_IN", "WARMXFER_CORE")))
    assert found.state == "wrong"
    assert found.sentence == (
        "These streams do not exist yet: WARMXFER_IN, WARMXFER_CORE; "
        "start a coordinator with `warmxfer run coordinator`."
    )


@pytest.mark.parametrize(
    ("policies", "state", "excerpt"),
    [
        ([("1", "US"), ("1", "US")], "ok", "Numbers of US may be dialled."),
        ([("1", ""), ("1", "")], "note", "WARMXFER_DIAL_REGIONS is not set"),
        ([("1", "US"), ("2", "CA"), ("2", "CA")], "wrong", "have 2 dial policies"),
    ],
)
def test_processes_with_different_dial_policies_are_a_fault(
    policies: list[tuple[str, str]], state: str, excerpt: str
) -> None:
    facts = [("warmxfer-x", {"dial_policy": digest, "dial_regions": where}) for digest, where in policies]
    older = ("warmxfer-gateway", dict[str, str]())
    (found,) = dial_findings(dataclasses.replace(broker_report(), facts=(*facts, older)))
    assert (found.about, found.state) == ("dial policy", state)
    assert excerpt in found.sentence


def test_without_a_process_that_dials_there_is_no_finding() -> None:
    assert dial_findings(broker_report()) == []


@pytest.mark.parametrize(
    ("now", "state", "excerpt"),
    [
        (101.0, "ok", "within 2 s"),
        (105.0, "wrong", "5.0 s ahead of the broker's"),
        (90.0, "wrong", "10.0 s behind the broker's"),
    ],
)
def test_the_clock_is_compared_with_the_brokers(now: float, state: str, excerpt: str) -> None:
    (found,) = clock_findings(broker_report(), now)
    assert found.state == state
    assert excerpt in found.sentence


async def test_without_a_broker_the_other_checks_still_run() -> None:
    findings = await examine({"NATS_URL": "nats://127.0.0.1:1"})
    about = {found.about: found for found in findings}
    assert about["nats"].state == "wrong"
    assert about["nats"].sentence.startswith("No NATS server answers at nats://127.0.0.1:1")
    assert about["provider"].state == "note"
    assert "VIDEOSDK_API_KEY" in about["provider"].sentence
    assert about["model"].sentence == (
        "WARMXFER_LLM_BASE_URL is not set: a summary quotes the call, written without a model."
    )


async def test_an_unreachable_provider_is_a_fault_with_its_address(nats_url: str) -> None:
    env = {
        "NATS_URL": nats_url,
        "VIDEOSDK_BASE_URL": "http://127.0.0.1:1",
        "VIDEOSDK_API_KEY": "k",
        "VIDEOSDK_SECRET": "a-secret-of-at-least-thirty-two-bytes",
    }
    about = {found.about: found for found in await examine(env)}
    assert about["nats"].state == "ok"
    assert about["provider"].state == "ok"
    assert (
        about["cloud"].sentence
        == "VIDEOSDK_BASE_URL is http://127.0.0.1:1, which does not answer (ConnectError)."
    )
    assert about["webhooks"].state == "note"


async def test_invalid_addresses_are_findings_and_the_other_checks_still_run() -> None:
    env = {
        "NATS_URL": "nats://127.0.0.1:99999",
        "VIDEOSDK_API_KEY": "k",
        "VIDEOSDK_SECRET": "a-secret-of-at-least-thirty-two-bytes",
        "VIDEOSDK_BASE_URL": "https://a.b[/a]",
        "WARMXFER_DIAL_REGIONS": "US",
        "WARMXFER_LLM_BASE_URL": "https://a.b[/a]",
    }
    about = {found.about: found.sentence for found in await examine(env)}
    assert about["nats"].startswith("NATS_URL has a port that is not 1 to 65535; ")
    assert about["provider"].startswith("VIDEOSDK_BASE_URL is 'https://a.b[/a]'; use https://host")
    assert about["model"].startswith("WARMXFER_LLM_BASE_URL is not a valid address; ")


@pytest.mark.parametrize(
    ("answer", "state", "sentence"),
    [
        (
            Answer.of('{"choices":[{"message":{"content":"OK"}}]}', "application/json"),
            "ok",
            "The model small answers.",
        ),
        (Answer.of("{}", "application/json", status=401), "wrong", "does not accept the key (401)"),
        (Answer.of('{"detail":"Not Found"}', status=404), "wrong", "which has no chat completions (404)"),
        (
            Answer.of('{"error":{"code":"model_not_found"}}', status=404),
            "wrong",
            "WARMXFER_LLM_MODEL is 'small', which the model server does not serve (404)",
        ),
    ],
)
async def test_the_model_is_asked(answer: Answer, state: str, sentence: str) -> None:
    """A wrong address, key or name is found before the first call."""
    async with model_server(answer) as server:
        found = await ask_model(ModelSettings(server.url, "small", "key"))
    assert (found.about, found.state) == ("model", state)
    assert sentence in found.sentence


async def test_a_model_that_does_not_listen_is_a_fault() -> None:
    found = await ask_model(ModelSettings("http://127.0.0.1:1/v1", "small"))
    assert found.state == "wrong"
    assert found.sentence.startswith(
        "WARMXFER_LLM_BASE_URL is http://127.0.0.1:1/v1, which cannot be reached"
    )
