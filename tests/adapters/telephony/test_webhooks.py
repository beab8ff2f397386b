"""VideoSDK's webhooks: signatures, keys that change, and what the letters say."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from warmxfer.adapters.telephony import (
    CallEndedNotice,
    InvalidWebhookSignature,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
)
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.adapters.telephony.videosdk.webhooks import parse_webhook, read_public_key
from warmxfer.schemas import CallCause, InvalidRequest, RetryableError

from .scripted_cloud import Answer, Script, provider

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BODY = b'{"webhookType":"participant-joined","data":{"meetingId":"r1","participantId":"p1"}}'
JOINED = ParticipantJoinedNotice("r1", "p1")


def pem(key: Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signed(key: rsa.RSAPrivateKey, body: bytes) -> dict[str, str]:
    raw = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    return {"videosdk-signature": base64.b64encode(raw).decode()}


async def test_the_right_key_admits_and_any_other_does_not() -> None:
    videosdk = provider("http://127.0.0.1:1", webhook_key=pem(KEY).replace("\n", "\\n"))
    assert await videosdk.parse_webhook(signed(KEY, BODY), BODY) == JOINED
    for headers, body in ((signed(OTHER, BODY), BODY), (signed(KEY, BODY), BODY + b" "), ({}, BODY)):
        with pytest.raises(InvalidWebhookSignature):
            await videosdk.parse_webhook(headers, body)
    await videosdk.aclose()


async def test_a_fetched_key_is_renewed_when_the_cloud_changes_it(
    videosdk: VideoSDKProvider, script: Script, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching = provider(videosdk.signaling_url, webhook_key="fetch")
    script.answers = [Answer(200, {"publicKey": pem(KEY)})]
    assert await fetching.parse_webhook(signed(KEY, BODY), BODY) == JOINED
    script.answers = [Answer(200, {"publicKey": pem(OTHER)})]
    with pytest.raises(InvalidWebhookSignature):
        await fetching.parse_webhook(signed(OTHER, BODY), BODY)
    assert len(script.asked) == 1, "a forger cannot make us ask all the time"
    monkeypatch.setattr("warmxfer.adapters.telephony.videosdk.provider.REFETCH_S", 0.0)
    assert await fetching.parse_webhook(signed(OTHER, BODY), BODY) == JOINED
    await fetching.aclose()


async def test_without_the_key_a_letter_is_put_off(videosdk: VideoSDKProvider, script: Script) -> None:
    fetching = provider(videosdk.signaling_url, webhook_key="fetch")
    script.answers = [Answer(200, {"publicKey": "none"})]
    for _ in range(2):
        with pytest.raises(RetryableError):
            await fetching.parse_webhook(signed(KEY, BODY), BODY)
    await fetching.aclose()


@pytest.mark.parametrize("text", ["", "none", pem(ec.generate_private_key(ec.SECP256R1()))])
def test_what_is_no_rsa_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest):
        read_public_key(text)


def letter(kind: str, **data: Any) -> bytes:
    return json.dumps({"webhookType": kind, "data": data}).encode()


HUNG_UP = CallEndedNotice("c1", None, "", {}, CallCause.HUNG_UP, None)


@pytest.mark.parametrize(
    ("body", "notice"),
    [
        (letter("call-hangup", callId="c1", status="ended"), HUNG_UP),
        (letter("call-hangup", callId="c1"), HUNG_UP),
        (b'{"webhookType":"call-hangup","callId":"c1"}', HUNG_UP),
        (b'{"type":"call-hangup","data":{"callId":"c1"}}', HUNG_UP),
        (letter("call-missed", callId="c1"), CallEndedNotice("c1", None, "", {}, CallCause.NO_ANSWER, None)),
        (
            letter("call-hangup", callId="c1", type="outbound", status="FAILED", timelog=[{"sipCode": 486}]),
            CallEndedNotice("c1", None, "outbound", {}, CallCause.BUSY, 486),
        ),
        (letter("call-update", callId="c1", status="ended"), HUNG_UP),
        (letter("call-update", callId="c1", status="switch-room-completed"), None),
        (letter("call-answered", callId="c1", status="answered"), None),
        (letter("call-ringing", callId="c1"), None),
        (letter("participant-joined", meetingId="r1", participantId="p1"), JOINED),
        (letter("participant-joined", roomId="r1", participantId="p1"), JOINED),
        (
            letter("participant-left", meetingId="r1", participantId="p1", reason="x" * 500),
            ParticipantLeftNotice("r1", "p1", "x" * 100),
        ),
        (letter("recording-started", meetingId="r1"), None),
        (b"{}", None),
    ],
)
def test_what_a_letter_says(body: bytes, notice: object) -> None:
    assert parse_webhook(body) == notice


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"\xff", b"[" * 50_000, letter("call-hangup"), letter("participant-left", roomId=1)],
)
def test_what_cannot_be_read_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_webhook(body)


HOOK = "https://hooks.example.com/webhooks/videosdk"


@pytest.mark.parametrize(
    ("told", "requests"), [([], 2), ([{"url": "https://other"}], 2), ([{"url": HOOK}], 1)]
)
async def test_an_address_is_registered_once(
    videosdk: VideoSDKProvider, script: Script, told: list[dict[str, str]], requests: int
) -> None:
    registering = provider(videosdk.signaling_url, webhook_url=HOOK)
    script.answers = [Answer(200, {"data": told}), Answer(200, {"id": "w1"})]
    await registering.register_webhooks()
    assert len(script.asked) == requests
    if requests == 2:
        events = ["call-hangup", "call-missed", "call-update"]
        assert script.asked[1].body == {"url": HOOK, "events": events}
    await registering.aclose()


async def test_without_an_address_nothing_is_registered(videosdk: VideoSDKProvider, script: Script) -> None:
    await videosdk.register_webhooks()
    assert script.asked == []
