"""A misspelt variable is named with the nearest known one; variables of others are left alone."""

from __future__ import annotations

import pytest

from warmxfer.actors.runtime.unknown_variables import MAX_NAMED, known_variables, unknown_variables


@pytest.mark.parametrize(
    ("name", "remedy"),
    [
        ("WARMXFER_REPLCAS", "did you mean WARMXFER_REPLICAS?"),
        ("WARMXFER_DIAL_REGION", "did you mean WARMXFER_DIAL_REGIONS?"),
        ("WARMXFER_MAX_AGE", "did you mean WARMXFER_MAX_AGE_S?"),
        ("WARMXFER_WEBHOOK_KEY", "did you mean WARMXFER_WEBHOOK_"),
        ("WARMXFER_LOGLEVEL", "did you mean WARMXFER_LOG_LEVEL?"),
        ("WARMXFER_replicas", "did you mean WARMXFER_REPLICAS?"),
        ("warmxfer_replicas", "did you mean WARMXFER_REPLICAS?"),
        ("WARM_XFER_REPLICAS", "did you mean WARMXFER_REPLICAS?"),
        ("WARMXFERREPLICAS", "did you mean WARMXFER_REPLICAS?"),
        ("WARMXFR_LOG_LEVEL", "did you mean WARMXFER_LOG_LEVEL?"),
        ("WARMFXER_LOG_LEVEL", "did you mean WARMXFER_LOG_LEVEL?"),
        ("WARMXFER_", "is set, but warmxfer reads no such variable; "),
        ("WARMXFER_XYZZY_PLUGH", "remove it, or see docs/configuration.md"),
        ("WARMXFER_GATEWAY_PORT", "is set, but"),
    ],
)
def test_a_misspelt_variable_is_named(name: str, remedy: str) -> None:
    (sentence,) = unknown_variables({name: "1", "PATH": "/bin", "NATS_URL": "x", "WARMXFER_REPLICAS": "1"})
    assert sentence.startswith(f"{name} is set, but warmxfer reads no such variable; ")
    assert remedy in sentence


@pytest.mark.parametrize("value", ["", "1"])
def test_known_variables_and_those_of_the_tests_are_not_named(value: str) -> None:
    env = dict.fromkeys([*known_variables(), "WARMXFER_TEST_NATS", "WARMXFER_CONTRACT_URL"], value)
    assert unknown_variables(env) == []


@pytest.mark.parametrize("name", ["WARMUP_LOG", "XFER_LOG", "WARM", "WARMER_LOG", "TRANSFER_LOG", "W", ""])
def test_variables_of_others_are_not_named(name: str) -> None:
    assert unknown_variables({name: "1"}) == []


def test_variables_that_kubernetes_adds_for_a_service_are_not_named() -> None:
    env = {
        "WARMXFER_GATEWAY_SERVICE_HOST": "10.0.0.1",
        "WARMXFER_GATEWAY_SERVICE_PORT": "8080",
        "WARMXFER_GATEWAY_SERVICE_PORT_HTTP": "8080",
        "WARMXFER_GATEWAY_PORT": "tcp://10.0.0.1:8080",
        "WARMXFER_GATEWAY_PORT_8080_TCP": "tcp://10.0.0.1:8080",
        "WARMXFER_GATEWAY_PORT_8080_TCP_ADDR": "10.0.0.1",
        "WARMXFER_GATEWAY_PORT_8080_TCP_PROTO": "tcp",
    }
    assert unknown_variables(env) == []


def test_no_value_is_shown_and_many_names_are_cut() -> None:
    sentences = unknown_variables({f"WARMXFER_X{n}\x1b": "secret" for n in range(50)})
    assert len(sentences) == MAX_NAMED
    assert "secret" not in " ".join(sentences)
    assert "\x1b" not in " ".join(sentences)
