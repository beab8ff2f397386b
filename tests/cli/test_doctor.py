"""The findings of `warmxfer doctor`."""

from __future__ import annotations

import dataclasses
from collections import Counter

import pytest

from tests.testkit.model_server import Answer, model_server
from tests.testkit.provider_sandbox import API_KEY, SECRET, Cloud
from warmxfer.adapters.llm import ModelSettings
from warmxfer.bus import BrokerReport, ConsumerBacklog, StorageUse, StreamHealth
from warmxfer.bus.stream_health import stream_health
from warmxfer.cli.doctor import examine
from warmxfer.cli.doctor.actors import (
    dial_findings,
    gateway_findings,
    partition_findings,
    probe_findings,
    role_findings,
    spare_findings,
    version_findings,
)
from warmxfer.cli.doctor.broker import (
    clock_findings,
    dead_letter_findings,
    storage_findings,
    stream_findings,
)
from warmxfer.cli.doctor.provider import ask_model

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
            "The queue of the gateway does not exist; run `warmxfer deploy`, or restart a gateway.",
        ),
    ],
)
def test_a_role_is_running_if_a_process_answers_or_pulls(
    queue: ConsumerBacklog | None, running: Counter[str], state: str, sentence: str
) -> None:
    """A process that crashed with an active task does not count as running."""
    report = broker_report(gateway=queue, running=running)
    (stream,), (found,) = stream_findings(report), role_findings(report)
    assert (stream.state, stream.sentence) == ("ok", "The streams hold 7 messages on 1 replica.")
    assert (found.about, found.state, found.sentence) == ("gateway", state, sentence)


def test_a_broker_without_a_stream_is_a_fault() -> None:
    (found,) = stream_findings(broker_report(messages=None, missing_streams=("WARMXFER_IN", "WARMXFER_CORE")))
    assert found.state == "wrong"
    assert found.sentence == (
        "These streams do not exist yet: WARMXFER_IN, WARMXFER_CORE; "
        "run `warmxfer deploy` as the user deploy, or start a coordinator with `warmxfer run coordinator`."
    )


HEALTHY = StreamHealth("WARMXFER_CORE", layout=3, replicas=3, clustered=True, wanted_layout=3)
MB = 1_000_000


@pytest.mark.parametrize(
    ("stream", "state", "excerpt"),
    [
        (
            dataclasses.replace(HEALTHY, layout=2),
            "wrong",
            "has layout 2, and this release has 3; run `warmxfer",
        ),
        (dataclasses.replace(HEALTHY, layout=4), "note", "a newer release owns the streams"),
        (dataclasses.replace(HEALTHY, fault="max_bytes is 1"), "wrong", "max_bytes is 1."),
        (dataclasses.replace(HEALTHY, behind=("n3 is offline",)), "wrong", "are incomplete: n3 is offline;"),
        (dataclasses.replace(HEALTHY, replicas=1), "note", "set WARMXFER_REPLICAS=3"),
    ],
)
def test_a_stream_that_is_not_in_order_is_named(stream: StreamHealth, state: str, excerpt: str) -> None:
    held, found = stream_findings(dataclasses.replace(broker_report(), streams=(stream,)))
    assert (held.state, found.state) == ("ok", state)
    assert excerpt in found.sentence


def test_a_stream_in_order_is_no_finding() -> None:
    alone = dataclasses.replace(HEALTHY, replicas=1, clustered=False)
    assert len(stream_findings(dataclasses.replace(broker_report(), streams=(HEALTHY, alone)))) == 1


def test_the_copies_that_are_offline_or_behind_are_named() -> None:
    config = {"num_replicas": 3, "max_msgs": 5, "metadata": {"warmxfer.layout": "3"}}
    copies = [
        {"name": "n2", "current": True, "lag": 9_000},
        {"name": "n3", "current": False, "offline": True},
        {"name": "n4", "current": False, "lag": 2_000, "active": 900_000_000},
        {"name": "n5", "current": False, "lag": 3, "active": 8_941_388_690},
        {"name": "n6", "current": False, "lag": 3, "active": 900_000_000},
        {"name": "n7", "current": False, "lag": 1_148},
        {"name": "n8", "current": False, "lag": 2, "active": 0},
        {"name": "n9", "current": True, "active": 6_100_000_000},
    ]
    info = {"config": config, "cluster": {"name": "c", "leader": "n1", "replicas": copies}}
    found = stream_health("WARMXFER_CORE", info)
    assert found.behind == (
        "n3 is offline",
        "n4 is 2,000 messages behind",
        "n5 has not answered for 9 s",
        "n7 is not connected",
        "n8 is not connected",
        "n9 has not answered for 6 s",
    )
    assert (found.layout, found.replicas, found.clustered) == (3, 3, True)
    assert found.fault.startswith("max_msgs of stream WARMXFER_CORE is 5")


@pytest.mark.parametrize(
    ("use", "store_mb", "state", "excerpt"),
    [
        (StorageUse(10 * MB, None, 10 * MB, 1), "", "note", "no coordinator has WARMXFER_MAX_STORE_MB"),
        (StorageUse(10 * MB, 100 * MB, 10 * MB, 1), "", "ok", "10 of 100 MB (the account's limit)"),
        (StorageUse(10 * MB, None, 10 * MB, 1), "12", "wrong", "10 of 12 MB (WARMXFER_MAX_STORE_MB), so new"),
        (StorageUse(85 * MB, 100 * MB, 10 * MB, 1), "90", "wrong", "85 of 100 MB (the account's limit), so"),
    ],
)
def test_what_is_stored_is_compared_with_the_limits(
    use: StorageUse, store_mb: str, state: str, excerpt: str
) -> None:
    facts = (("warmxfer-coordinator", {"max_store_mb": store_mb}),)
    report = dataclasses.replace(broker_report(), storage=use, facts=facts)
    (found,) = storage_findings(report)
    assert found.state == state
    assert excerpt in found.sentence


def test_a_role_with_one_process_is_named() -> None:
    running = Counter({"warmxfer-gateway": 1, "warmxfer-coordinator": 2})
    (found,) = spare_findings(broker_report(gateway=IDLE, coordinator=IDLE, running=running))
    assert found.state == "note"
    assert found.sentence.startswith("Only one process runs of gateway;")


@pytest.mark.parametrize(
    ("versions", "state", "excerpt"),
    [
        (["1.0.0", "1.0.0"], "ok", "Every process runs version 1.0.0, as this command does."),
        (["2.0.0", "2.0.0"], "note", "run version 2.0.0, and this command is version 1.0.0"),
        (["1.0.0", "2.0.0"], "note", "2 versions run: 1.0.0 (1 gateway), 2.0.0 (1 gateway)"),
    ],
)
def test_the_versions_of_the_processes_are_compared(versions: list[str], state: str, excerpt: str) -> None:
    answers = (*(("warmxfer-gateway", each) for each in versions), ("another-service", "9.9.9"))
    (found,) = version_findings(dataclasses.replace(broker_report(), versions=answers), "1.0.0")
    assert found.state == state
    assert excerpt in found.sentence


def test_partitions_that_no_coordinator_takes_are_a_fault() -> None:
    report = dataclasses.replace(broker_report(), partitions_unheld=(3, 7))
    assert partition_findings(report) == []
    (found,) = partition_findings(dataclasses.replace(report, services=Counter({"warmxfer-coordinator": 1})))
    assert found.state == "wrong"
    assert "of the partitions 3, 7," in found.sentence


@pytest.mark.parametrize(
    ("ports", "state", "excerpt"),
    [
        (["8080", "9000"], "ok", "Every process serves /readyz and /metrics."),
        (["8080", ""], "note", "1 of 2 processes have no WARMXFER_HEALTH_PORT"),
    ],
)
def test_processes_without_a_probe_are_counted(ports: list[str], state: str, excerpt: str) -> None:
    facts = tuple(("warmxfer-gateway", {"health_port": each}) for each in ports)
    (found,) = probe_findings(dataclasses.replace(broker_report(), facts=facts))
    assert found.state == state
    assert excerpt in found.sentence


@pytest.mark.parametrize(
    ("gateways", "states"),
    [
        ([("off", "a", "")], {"webhooks": "note"}),
        ([("unsigned", "a", "")], {"webhooks": "note"}),
        ([("signed", "a", ""), ("signed", "a", "")], {"webhooks": "ok"}),
        ([("signed", "", "")], {"webhooks": "ok", "deployment": "note"}),
        ([("signed", "a", ""), ("signed", "b", "")], {"webhooks": "ok", "gateways": "wrong"}),
        ([("signed", "a", "5"), ("signed", "a", "")], {"webhooks": "ok", "gateways": "wrong"}),
    ],
)
def test_what_the_gateways_announce_is_compared(
    gateways: list[tuple[str, str, str]], states: dict[str, str]
) -> None:
    names = ("webhooks", "deployment", "provider_rate")
    facts = tuple(("warmxfer-gateway", dict(zip(names, each, strict=True))) for each in gateways)
    found = gateway_findings(dataclasses.replace(broker_report(), facts=facts))
    assert {each.about: each.state for each in found} == states


def test_without_a_gateway_there_is_nothing_to_compare() -> None:
    assert gateway_findings(broker_report()) == []


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


@pytest.mark.parametrize(
    ("count", "state", "sentence"),
    [
        (0, "ok", "There are no dead letters of transfers that are not archived."),
        (
            1,
            "note",
            "There is 1 dead letter of a transfer that is not archived; see `warmxfer dead-letters`.",
        ),
        (
            1200,
            "note",
            "There are 1,200 dead letters of transfers that are not archived; see `warmxfer dead-letters`.",
        ),
    ],
)
def test_dead_letters_are_counted(count: int, state: str, sentence: str) -> None:
    (found,) = dead_letter_findings(dataclasses.replace(broker_report(), dead_letters=count))
    assert (found.about, found.state, found.sentence) == ("dead letters", state, sentence)


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
    assert about["cloud"].sentence == (
        "VIDEOSDK_BASE_URL is http://127.0.0.1:1, which cannot be reached (ConnectError); "
        "check the address and the network."
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


@pytest.mark.parametrize("secret", [SECRET, "another-secret-of-at-least-thirty-two-bytes"])
async def test_wrong_credentials_of_the_provider_are_a_fault(
    nats_url: str, cloud: Cloud, secret: str
) -> None:
    env = {
        "NATS_URL": nats_url,
        "VIDEOSDK_BASE_URL": cloud.url,
        "VIDEOSDK_API_KEY": API_KEY,
        "VIDEOSDK_SECRET": secret,
    }
    (found,) = (each for each in await examine(env) if each.about == "cloud")
    if secret == SECRET:
        assert (found.state, found.sentence) == ("ok", f"{cloud.url} answers and accepts the credentials.")
        return
    assert (found.state, found.code) == ("wrong", 2)
    assert found.sentence.startswith("GET /v2/sip/call answered 401: ")
    assert found.sentence.endswith("; check VIDEOSDK_API_KEY and VIDEOSDK_SECRET.")
    assert secret not in found.sentence
