"""Settings come from the environment. A bad value is one sentence; a secret is never shown."""

from __future__ import annotations

import pytest

from warmxfer.bus import BusSettings, InvalidRequest


def test_an_empty_environment_gives_the_defaults() -> None:
    settings = BusSettings.from_env({})
    assert settings.servers == ["nats://127.0.0.1:4222"]
    assert (settings.replicas, settings.ack_wait_s, settings.max_deliver) == (1, 5.0, 5)
    assert settings.max_age_s == 7 * 24 * 3600


def test_every_variable_is_read() -> None:
    settings = BusSettings.from_env(
        {
            "NATS_URL": "nats://a:1, tls://b:2",
            "NATS_USER": "coordinator",
            "NATS_PASSWORD": "pw",
            "NATS_TOKEN": "tk",
            "NATS_CREDS": "/c",
            "NATS_CA": "/ca",
            "NATS_CERT": "/cert",
            "NATS_KEY": "/key",
            "WARMXFER_REPLICAS": "3",
            "WARMXFER_ACK_WAIT_S": "2.5",
            "WARMXFER_MAX_AGE_S": "72000",
            "WARMXFER_MAX_DELIVER": "9",
        }
    )
    assert settings.servers == ["nats://a:1", "tls://b:2"]
    assert (settings.user, settings.password, settings.token) == ("coordinator", "pw", "tk")
    assert (settings.creds, settings.ca, settings.cert, settings.key) == ("/c", "/ca", "/cert", "/key")
    assert (settings.replicas, settings.ack_wait_s, settings.max_age_s) == (3, 2.5, 72_000.0)
    assert settings.max_deliver == 9


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("WARMXFER_REPLICAS", "0", "WARMXFER_REPLICAS is '0'; give a whole number from 1 to 5"),
        ("WARMXFER_REPLICAS", "two", "WARMXFER_REPLICAS is 'two'; give a whole number from 1 to 5"),
        ("WARMXFER_ACK_WAIT_S", "nan", "WARMXFER_ACK_WAIT_S is 'nan'; give a number from 1 to 300"),
        ("WARMXFER_MAX_AGE_S", "1", "WARMXFER_MAX_AGE_S is '1'; give a number from 18000 to 31536000"),
        ("WARMXFER_MAX_DELIVER", "1e3", "WARMXFER_MAX_DELIVER is '1e3'; give a whole number from 1 to 100"),
    ],
)
def test_a_bad_number_is_one_sentence(name: str, value: str, sentence: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        BusSettings.from_env({name: value})
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    "url",
    [
        "http://x",
        "nats://",
        "nats://a b:1",
        "nats://a:1,,nats://b:2",
        "nats://[::1",
        "nats://a[b]:1",
        "nats://none",
    ],
)
def test_a_bad_address_is_one_sentence_that_does_not_repeat_it(url: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^NATS_URL is not an address; write nats://host:4222"):
        BusSettings.from_env({"NATS_URL": url})


@pytest.mark.parametrize(
    "url", ["nats://127.0.0.1:99999", "127.0.0.1:99999", "nats://a:1,nats://b:0", "nats://me:hunter2"]
)
def test_a_bad_port_is_one_sentence(url: str) -> None:
    with pytest.raises(
        InvalidRequest, match=r"^NATS_URL has a port that is not 1 to 65535; write nats://host:4222"
    ):
        BusSettings(url=url)


def test_secrets_are_never_shown() -> None:
    settings = BusSettings(url="nats://me:hunter2@h:4222,nats://tok3n@i", password="hunter3", token="hunter4")
    assert settings.shown_url == "nats://h:4222,nats://i"
    for secret in ("hunter", "tok3n"):
        assert secret not in repr(settings)
        assert secret not in settings.shown_url


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("me:hunter2@h:4222", "h:4222"),
        ("me:hunter2@h,tls://me:hunter2@i:4222", "h,tls://i:4222"),
        ("nats://me:hunt@hunter2@h:4222", "nats://h:4222"),
        ("hunter2@h", "h"),
        ("h:4222,nats://i", "h:4222,nats://i"),
    ],
)
def test_no_login_is_shown_whatever_its_spelling(url: str, shown: str) -> None:
    """Before, a login without a scheme was shown, and so was what follows an @ of a password."""
    assert BusSettings(url=url).shown_url == shown
