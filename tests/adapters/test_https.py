"""HTTPS of the provider and the model: each refusal is one sentence, and no byte of a secret is sent."""

from __future__ import annotations

import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from pathlib import Path

import pytest
from aiohttp import web

from tests.testkit.certificates import HOST, Authority, Files
from tests.testkit.recorder import Recorder, recording_proxy, recording_server
from warmxfer.adapters.llm import Message, ModelSettings, OpenAIModel
from warmxfer.adapters.telephony import Rejected
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.adapters.telephony.videosdk.settings import VideoSDKSettings
from warmxfer.schemas import InvalidRequest, RetryableError

KEY, SECRET = "the-key-of-the-model", "a-secret-of-at-least-thirty-two-bytes"
API_KEY, TEXT = "the-api-key", "the words of a caller"
TOKEN = "eyJ"
"""How each token begins."""
SECRETS = (KEY, SECRET, API_KEY, TEXT, TOKEN, "uthorization")


async def ask_model(base_url: str) -> None:
    model = OpenAIModel(ModelSettings(f"{base_url}/v1", "small", KEY))
    try:
        await model.reply([Message("user", TEXT)], deadline_s=10, max_chars=300)
    finally:
        await model.aclose()


async def ask_provider(base_url: str) -> None:
    provider = VideoSDKProvider(VideoSDKSettings(API_KEY, SECRET, base_url=base_url, timeout_s=5.0))
    try:
        await provider.check_credentials()
    finally:
        await provider.aclose()


ASK: dict[str, Callable[[str], Awaitable[None]]] = {
    "WARMXFER_LLM_BASE_URL": ask_model,
    "VIDEOSDK_BASE_URL": ask_provider,
}
both = pytest.mark.parametrize("variable", ASK)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path)


@asynccontextmanager
async def https(
    files: Files, answer: web.Response | None = None
) -> AsyncIterator[tuple[Recorder, list[str]]]:
    """Run an HTTPS server behind a recorder. Yields the recorder and the paths of the requests."""
    paths = list[str]()

    async def handle(request: web.Request) -> web.StreamResponse:
        paths.append(request.path)
        return answer or web.json_response({"data": []})

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(files.cert, files.key)
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        site = web.TCPSite(runner, HOST, 0, ssl_context=context)
        await site.start()
        async with recording_proxy(runner.addresses[0][1]) as wire:
            yield wire, paths
    finally:
        await runner.cleanup()


REFUSED: dict[str, tuple[Callable[[Authority, Authority], Files], str]] = {
    "an unknown authority": (
        lambda ours, other: other.certificate(),
        r"\(its certificate is of an unknown authority\); give the file .* in SSL_CERT_FILE",
    ),
    "another name": (
        lambda ours, other: ours.certificate("127.0.0.9"),
        r"\(its certificate is for another name\); write the address with the name in the certificate",
    ),
    "an expired certificate": (
        lambda ours, other: ours.certificate(expired=True),
        r"\(its certificate is not valid now\); renew it",
    ),
}


@both
@pytest.mark.parametrize("case", REFUSED)
async def test_a_wrong_certificate_gets_no_secret(
    variable: str, case: str, authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    files_of, sentence = REFUSED[case]
    async with https(files_of(authority, Authority(tmp_path / "other", "other"))) as (wire, paths):
        with pytest.raises(RetryableError) as caught:
            await ASK[variable](f"https://{HOST}:{wire.port}")
        assert caught.match(
            rf"^{variable} is https://{HOST}:{wire.port}\S*, which cannot be reached {sentence}"
        )
        assert paths == []
        assert wire.connections > 0
        assert not wire.holds(*SECRETS)


@both
async def test_an_authority_of_ones_own_is_named_by_a_file(
    variable: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    async with https(authority.certificate()) as (wire, paths):
        with suppress(RetryableError, InvalidRequest):  # it answers, but not as a cloud or a model
            await ASK[variable](f"https://{HOST}:{wire.port}")
        assert paths
        assert not wire.holds(*SECRETS)


@both
async def test_a_server_without_tls_gets_the_start_of_a_handshake_only(variable: str) -> None:
    async with recording_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as wire:
        with pytest.raises(
            RetryableError, match=r"\(it does not speak TLS as asked\); check the address"
        ) as caught:
            await ASK[variable](f"https://{HOST}:{wire.port}")
        assert str(caught.value).startswith(f"{variable} is https://{HOST}")
        assert wire.sent
        assert not wire.holds(*SECRETS)


@both
async def test_a_redirect_to_plain_http_is_not_followed(
    variable: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", authority.ca)
    async with AsyncExitStack() as stack:
        plain = await stack.enter_async_context(recording_server())
        answer = web.Response(status=307, headers={"location": f"http://{HOST}:{plain.port}/"})
        wire, _ = await stack.enter_async_context(https(authority.certificate(), answer))
        with pytest.raises((InvalidRequest, Rejected), match="redirect"):
            await ASK[variable](f"https://{HOST}:{wire.port}")
        assert plain.connections == 0


@both
async def test_plain_http_on_this_machine_uses_no_proxy(
    variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy of the environment would read the key and the conversation."""
    async with (
        recording_server() as proxy,
        recording_server(b"HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n") as wire,
    ):
        monkeypatch.setenv("HTTP_PROXY", f"http://{HOST}:{proxy.port}")
        monkeypatch.setenv("http_proxy", f"http://{HOST}:{proxy.port}")
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        with suppress(RetryableError, InvalidRequest):
            await ASK[variable](f"http://{HOST}:{wire.port}")
        assert wire.connections > 0
        assert proxy.connections == 0


@pytest.mark.parametrize("address", ["http://api.example.com", "http://10.1.2.3:8080", "http://2130706433"])
def test_plain_http_beyond_this_machine_is_refused_at_the_start(address: str) -> None:
    """The model's address follows the provider's rule."""
    credentials = {"VIDEOSDK_API_KEY": API_KEY, "VIDEOSDK_SECRET": SECRET}
    with pytest.raises(InvalidRequest, match=r"^VIDEOSDK_BASE_URL is .*; use https://host") as caught:
        VideoSDKSettings.from_env({"VIDEOSDK_BASE_URL": address, **credentials})
    assert caught.value.field == "VIDEOSDK_BASE_URL"
    model = {"WARMXFER_LLM_BASE_URL": address, "WARMXFER_LLM_MODEL": "small", "WARMXFER_LLM_API_KEY": KEY}
    with pytest.raises(InvalidRequest, match=r"in clear text; use https://host/v1") as caught:
        ModelSettings.from_env(model)
    assert caught.value.field == "WARMXFER_LLM_BASE_URL"
