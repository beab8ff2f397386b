"""What doctor finds, as sentences."""

from __future__ import annotations

from collections import Counter

import pytest

from warmxfer.bus import BrokerReport, ConsumerBacklog
from warmxfer.cli.doctor import clock_findings, examine, stream_findings

IDLE, BUSY, NOBODY = ConsumerBacklog(2, 0, 0), ConsumerBacklog(0, 3, 2), ConsumerBacklog(0, 4, 0)
NO_ONE, SOMEBODY = Counter[str](), Counter({"warmxfer-gateway": 1})
REMEDY = "start one with `warmxfer run gateway`."


def inspection(
    messages: int | None = 7,
    server_time: float | None = 100.0,
    present: Counter[str] = NO_ONE,
    **queues: ConsumerBacklog | None,
) -> BrokerReport:
    return BrokerReport("2.15.1", server_time, messages, 1, queues, present)


@pytest.mark.parametrize(
    ("queue", "present", "state", "sentence"),
    [
        (IDLE, NO_ONE, "ok", "At work: 0 in hand, 0 waiting."),
        (BUSY, SOMEBODY, "ok", "At work: 2 in hand, 3 waiting."),
        (BUSY, NO_ONE, "wrong", f"Nobody is at work, 2 in hand, 3 waiting; {REMEDY}"),
        (NOBODY, NO_ONE, "wrong", f"Nobody is at work, 0 in hand, 4 waiting; {REMEDY}"),
        (None, NO_ONE, "wrong", "The queue of the gateway is missing; restart any actor, which makes it."),
    ],
)
def test_who_is_at_work(
    queue: ConsumerBacklog | None, present: Counter[str], state: str, sentence: str
) -> None:
    """One who died with work in hand is not at work: a supervisor was being briefed by nobody."""
    stream, found = stream_findings(inspection(gateway=queue, present=present))
    assert (stream.state, stream.sentence) == ("ok", "The stream holds 7 messages, 1 replica.")
    assert (found.about, found.state, found.sentence) == ("gateway", state, sentence)


def test_a_house_nobody_has_lived_in() -> None:
    (found,) = stream_findings(inspection(messages=None))
    assert found.state == "wrong"
    assert "no actor has ever run here" in found.sentence


@pytest.mark.parametrize(
    ("now", "state", "words"),
    [
        (101.0, "ok", "within 2 s"),
        (105.0, "wrong", "5.0 s ahead of the broker's"),
        (90.0, "wrong", "10.0 s behind the broker's"),
    ],
)
def test_the_clock(now: float, state: str, words: str) -> None:
    (found,) = clock_findings(inspection(), now)
    assert found.state == state
    assert words in found.sentence


async def test_without_a_broker_it_goes_on_to_the_rest() -> None:
    findings = await examine({"NATS_URL": "nats://127.0.0.1:1"})
    about = {found.about: found for found in findings}
    assert about["nats"].state == "wrong"
    assert about["nats"].sentence.startswith("No NATS server answers at nats://127.0.0.1:1")
    assert about["provider"].state == "note"
    assert "VIDEOSDK_API_KEY" in about["provider"].sentence
    assert about["model"].sentence == "WARMXFER_LLM_BASE_URL is not set: summaries are extracts of the call."


async def test_a_dead_cloud_is_named(nats_url: str) -> None:
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


async def test_addresses_that_are_none_are_findings_and_the_rest_is_still_looked_at() -> None:
    env = {
        "NATS_URL": "nats://127.0.0.1:99999",
        "VIDEOSDK_API_KEY": "k",
        "VIDEOSDK_SECRET": "a-secret-of-at-least-thirty-two-bytes",
        "VIDEOSDK_BASE_URL": "https://a.b[/a]",
        "WARMXFER_LLM_BASE_URL": "https://a.b[/a]",
    }
    about = {found.about: found.sentence for found in await examine(env)}
    assert about["nats"].startswith("NATS_URL has a port that is not 1 to 65535; ")
    assert about["provider"].startswith("VIDEOSDK_BASE_URL is 'https://a.b[/a]'; use https://host")
    assert about["model"].startswith("WARMXFER_LLM_BASE_URL is not a valid address; ")
