"""Gateway settings: valid values are read; a wrong value gives one sentence."""

from __future__ import annotations

import pytest

from warmxfer.actors.gateway import GatewaySettings
from warmxfer.adapters.telephony.videosdk.settings import VideoSDKSettings
from warmxfer.schemas import InvalidRequest

GOOD = {
    "VIDEOSDK_API_KEY": "k",
    "VIDEOSDK_SECRET": "the-planted-secret",
    "WARMXFER_DIAL_REGIONS": "US",
}
FRAMEWORK_NAME = {"VIDEOSDK_API_KEY": "k", "VIDEOSDK_SECRET_KEY": "the-planted-secret"}
WEBHOOK_URL_HINT = "give the https:// address at which the provider reaches the gateway"


@pytest.mark.parametrize("env", [GOOD, FRAMEWORK_NAME, {**GOOD, **FRAMEWORK_NAME}])
def test_the_secret_has_two_names(env: dict[str, str]) -> None:
    settings = VideoSDKSettings.from_env(env)
    assert settings.secret == "the-planted-secret"
    assert "the-planted-secret" not in repr(settings)


def test_a_missing_variable_has_a_default() -> None:
    settings = GatewaySettings.from_env(GOOD)
    assert (settings.jobs, settings.settle_s, settings.webhook_port) == (32, 4.0, None)
    assert (settings.provider.name, settings.provider.timeout_s, settings.provider.local) == (
        "videosdk",
        8.0,
        False,
    )
    assert "the-planted-secret" not in repr(settings)


@pytest.mark.parametrize(
    ("env", "sentence"),
    [
        (
            {"VIDEOSDK_SECRET": ""},
            "VIDEOSDK_SECRET is empty; VIDEOSDK_API_KEY and VIDEOSDK_SECRET must both be set",
        ),
        (
            {"VIDEOSDK_SECRET_KEY": "another"},
            "VIDEOSDK_SECRET and VIDEOSDK_SECRET_KEY are different secrets; set one of them",
        ),
        (
            {"VIDEOSDK_SECRET": "", "VIDEOSDK_API_KEY": ""},
            "VIDEOSDK_API_KEY is empty; set it and VIDEOSDK_SECRET, or VIDEOSDK_AUTH_TOKEN alone",
        ),
        (
            {"VIDEOSDK_BASE_URL": "http://api.example.com"},
            "VIDEOSDK_BASE_URL is 'http://api.example.com'; use https://host, or http:// on this machine",
        ),
        (
            {"VIDEOSDK_BASE_URL": "https://a.b[/a]"},
            "VIDEOSDK_BASE_URL is 'https://a.b[/a]'; use https://host, or http:// on this machine",
        ),
        (
            {"VIDEOSDK_BASE_URL": "https://a.b:99999"},
            "VIDEOSDK_BASE_URL is 'https://a.b:99999'; use https://host, or http:// on this machine",
        ),
        ({"WARMXFER_PROVIDER": "acme"}, "WARMXFER_PROVIDER is 'acme'; use one of videosdk"),
        (
            {"WARMXFER_PROVIDER_TIMEOUT_S": "0"},
            "WARMXFER_PROVIDER_TIMEOUT_S is '0'; give a number from 0.1 to 30",
        ),
        (
            {"WARMXFER_GATEWAY_JOBS": "many"},
            "WARMXFER_GATEWAY_JOBS is 'many'; give a whole number from 1 to 512",
        ),
        ({"WARMXFER_SETTLE_S": "nan"}, "WARMXFER_SETTLE_S is 'nan'; give a number from 0.1 to 60"),
        (
            {"WARMXFER_DEPLOYMENT": "two words"},
            "WARMXFER_DEPLOYMENT is 'two words'; use 1 to 64 of A-Z a-z 0-9 _ -",
        ),
        (
            {"WARMXFER_WEBHOOK_PORT": "70000"},
            "WARMXFER_WEBHOOK_PORT is '70000'; give a whole number from 0 to 65535",
        ),
        (
            {"WARMXFER_WEBHOOK_URL": "hooks"},
            f"WARMXFER_WEBHOOK_URL is 'hooks'; {WEBHOOK_URL_HINT}",
        ),
        (
            {"WARMXFER_WEBHOOK_URL": "https://a.b[/a]"},
            f"WARMXFER_WEBHOOK_URL is 'https://a.b[/a]'; {WEBHOOK_URL_HINT}",
        ),
    ],
)
def test_a_wrong_value_is_refused_in_one_sentence(env: dict[str, str], sentence: str) -> None:
    with pytest.raises(InvalidRequest) as refused:
        GatewaySettings.from_env({**GOOD, **env})
    assert str(refused.value) == sentence


def test_a_token_alone_is_enough() -> None:
    GatewaySettings.from_env({"VIDEOSDK_AUTH_TOKEN": "a.b.c", "WARMXFER_DIAL_REGIONS": "US"})


@pytest.mark.parametrize("base_url", ["", "https://videosdk.example.com", "http://sandbox:8090"])
def test_regions_are_required_beyond_a_sandbox_on_this_machine(base_url: str) -> None:
    env = {**GOOD, "WARMXFER_DIAL_REGIONS": " ", "VIDEOSDK_BASE_URL": base_url}
    with pytest.raises(InvalidRequest, match=r"^WARMXFER_DIAL_REGIONS is empty; give the regions"):
        GatewaySettings.from_env(env)
    sandbox = GatewaySettings.from_env({**env, "VIDEOSDK_BASE_URL": "http://127.0.0.1:8090"})
    assert sandbox.policy.regions == frozenset()


def test_a_gateway_announces_its_policy_and_no_secret() -> None:
    facts = GatewaySettings.from_env({**GOOD, "WARMXFER_DIAL_CALLER_IDS": "+14155550199"}).facts
    assert facts["dial_regions"] == "US"
    assert set(facts) == {"dial_policy", "dial_regions", "deployment", "provider_rate", "webhooks"}
    assert "4155550199" not in str(facts)


@pytest.mark.parametrize(
    ("given", "webhooks"),
    [
        ({}, "off"),
        ({"WARMXFER_WEBHOOK_PORT": "0"}, "unsigned"),
        ({"WARMXFER_WEBHOOK_PORT": "0", "WARMXFER_WEBHOOK_PUBLIC_KEY": "fetch"}, "signed"),
    ],
)
def test_a_gateway_announces_how_it_takes_webhooks(given: dict[str, str], webhooks: str) -> None:
    assert GatewaySettings.from_env({**GOOD, **given}).facts["webhooks"] == webhooks


@pytest.mark.parametrize(
    "beyond",
    [
        {"WARMXFER_WEBHOOK_HOST": "0.0.0.0"},
        {"WARMXFER_WEBHOOK_HOST": "::"},
        {"WARMXFER_WEBHOOK_URL": "https://hooks.example/webhooks/videosdk"},
    ],
)
def test_webhooks_from_beyond_this_machine_must_be_signed(beyond: dict[str, str]) -> None:
    """Before, a forged `call-hangup` ended a live transfer by default."""
    env = {"VIDEOSDK_AUTH_TOKEN": "t", "WARMXFER_DIAL_REGIONS": "US", "WARMXFER_WEBHOOK_PORT": "0", **beyond}
    with pytest.raises(
        InvalidRequest, match=r"WARMXFER_WEBHOOK_PUBLIC_KEY is not set, but .* set it to fetch"
    ):
        GatewaySettings.from_env(env)
    assert GatewaySettings.from_env({**env, "WARMXFER_WEBHOOK_PUBLIC_KEY": "fetch"}).webhook_key == "fetch"


def test_webhooks_of_this_machine_may_be_unsigned() -> None:
    local = {"WARMXFER_WEBHOOK_PORT": "0", "WARMXFER_WEBHOOK_URL": "http://127.0.0.1:8091/webhooks/videosdk"}
    assert (
        GatewaySettings.from_env(
            {"VIDEOSDK_AUTH_TOKEN": "t", "WARMXFER_DIAL_REGIONS": "US", **local}
        ).webhook_key
        is None
    )
