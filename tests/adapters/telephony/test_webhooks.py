"""VideoSDK's webhooks: signatures, changing keys, and parsing."""

from __future__ import annotations

import asyncio
import base64
import json
from datetime import datetime
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from warmxfer.adapters.telephony import (
    CallEndedNotice,
    CallUpNotice,
    InvalidWebhookSignature,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
)
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.adapters.telephony.videosdk.webhooks import parse_webhook, reported_at
from warmxfer.schemas import CallCause, InvalidRequest, RetryableError

from .scripted_cloud import Response, ScriptedCloud, provider

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
OTHER = rsa.generate_private_key(public_exponent=65537, key_size=2048)
BODY = b'{"webhookType":"participant-joined","data":{"meetingId":"r1","participantId":"p1"}}'
JOINED = ParticipantJoinedNotice("r1", "p1")


def pem(key: Any) -> str:
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


def signed(key: rsa.RSAPrivateKey, body: bytes) -> dict[str, str]:
    raw = key.sign(body, padding.PKCS1v15(), hashes.SHA256())
    return {"videosdk-signature": base64.b64encode(raw).decode()}


async def test_only_the_right_key_verifies() -> None:
    videosdk = provider("http://127.0.0.1:1", webhook_key=pem(KEY).replace("\n", "\\n"))
    assert await videosdk.parse_webhook(signed(KEY, BODY), BODY) == JOINED
    for headers, body in ((signed(OTHER, BODY), BODY), (signed(KEY, BODY), BODY + b" "), ({}, BODY)):
        with pytest.raises(InvalidWebhookSignature):
            await videosdk.parse_webhook(headers, body)
    await videosdk.aclose()


async def test_a_fetched_key_is_replaced_when_the_cloud_changes_it(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    fetching = provider(videosdk.signaling_url, webhook_key="fetch")
    scripted_cloud.responses = [Response(200, {"publicKey": pem(KEY)})]
    assert await fetching.parse_webhook(signed(KEY, BODY), BODY) == JOINED
    scripted_cloud.responses = [Response(200, {"publicKey": pem(OTHER)})]
    with pytest.raises(InvalidWebhookSignature):
        await fetching.parse_webhook(signed(OTHER, BODY), BODY)
    assert len(scripted_cloud.requests) == 1, "forged webhooks do not cause a fetch each"
    monkeypatch.setattr("warmxfer.adapters.telephony.videosdk.webhook_key.REFETCH_S", 0.0)
    assert await fetching.parse_webhook(signed(OTHER, BODY), BODY) == JOINED
    await fetching.aclose()


async def test_without_the_key_a_webhook_can_be_retried(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud
) -> None:
    fetching = provider(videosdk.signaling_url, webhook_key="fetch")
    scripted_cloud.responses = [Response(200, {"publicKey": "none"})]
    for _ in range(2):
        with pytest.raises(RetryableError):
            await fetching.parse_webhook(signed(KEY, BODY), BODY)
    await fetching.aclose()


async def test_webhooks_that_come_during_a_fetch_wait_for_it(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without it all but the first were refused, and after a change of the key refused as forged."""
    monkeypatch.setattr("warmxfer.adapters.telephony.videosdk.webhook_key.REFETCH_S", 0.0)
    fetching = provider(videosdk.signaling_url, webhook_key="fetch")
    for key in (KEY, OTHER):
        scripted_cloud.responses = [Response(200, {"publicKey": pem(key)})]
        before = len(scripted_cloud.requests)
        burst = [fetching.parse_webhook(signed(key, BODY), BODY) for _ in range(8)]
        assert await asyncio.gather(*burst) == [JOINED] * 8
        assert len(scripted_cloud.requests) == before + 1
    await fetching.aclose()


async def test_a_fetch_that_failed_is_repeated_soon_and_refuses_nothing_as_forged(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("warmxfer.adapters.telephony.videosdk.webhook_key.REFETCH_S", 0.0)
    monkeypatch.setattr("warmxfer.adapters.telephony.videosdk.webhook_key.FAILED_FETCH_PAUSE_S", 60.0)
    fetching = provider(videosdk.signaling_url, webhook_key="fetch")
    scripted_cloud.responses = [Response(200, {"publicKey": pem(KEY)})]
    assert await fetching.parse_webhook(signed(KEY, BODY), BODY) == JOINED
    scripted_cloud.responses = [Response(200, {"publicKey": "none"})]
    with pytest.raises(RetryableError):
        await fetching.parse_webhook(signed(OTHER, BODY), BODY)
    before = len(scripted_cloud.requests)
    with pytest.raises(RetryableError):
        await fetching.parse_webhook(signed(OTHER, BODY), BODY)
    assert len(scripted_cloud.requests) == before, "one fetch for each pause"
    scripted_cloud.responses = [Response(200, {"publicKey": pem(OTHER)})]
    monkeypatch.setattr("warmxfer.adapters.telephony.videosdk.webhook_key.FAILED_FETCH_PAUSE_S", 0.0)
    assert await fetching.parse_webhook(signed(OTHER, BODY), BODY) == JOINED
    await fetching.aclose()


@pytest.mark.parametrize("text", ["", "none", pem(ec.generate_private_key(ec.SECP256R1()))])
def test_a_value_that_is_not_an_rsa_key_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequest, match=r"^WARMXFER_WEBHOOK_PUBLIC_KEY is not a"):
        provider("http://127.0.0.1:1", webhook_key=text)


def webhook(kind: str, **data: Any) -> bytes:
    return json.dumps({"webhookType": kind, "data": data}).encode()


LONG_AGO, LATELY = "2026-11-30T10:00:00.000Z", "2026-11-30T10:20:00.000Z"


@pytest.mark.parametrize(
    ("body", "at"),
    [
        (webhook("call-hangup", callId="c1", start=LONG_AGO), None),
        (webhook("call-hangup", callId="c1", start=LONG_AGO, end=LATELY), LATELY),
        (webhook("call-hangup", callId="c1", start=LONG_AGO, timelog=[{"timestamp": LATELY}]), LATELY),
        (
            webhook("call-hangup", callId="c1", start=LONG_AGO, timelog=json.dumps([{"timestamp": LATELY}])),
            LATELY,
        ),
        (json.dumps({"type": "call-hangup", "data": json.dumps({"end": LATELY})}).encode(), LATELY),
        (webhook("call-update", callId="c1", status="ended", start=LONG_AGO), None),
        (webhook("call-started", callId="c1", start=LONG_AGO), LONG_AGO),
        (b"[]", None),
        (b"\xff", None),
    ],
)
def test_the_time_of_an_event_is_not_the_start_of_the_call_that_ends(body: bytes, at: str | None) -> None:
    """Without the mend a hang-up was taken for a replay once the call was older than 15 minutes."""
    assert reported_at(body) == (None if at is None else datetime.fromisoformat(at).timestamp())


HUNG_UP = CallEndedNotice("c1", None, "", {}, CallCause.HUNG_UP, None)


@pytest.mark.parametrize(
    ("body", "notice"),
    [
        (webhook("call-hangup", callId="c1", status="ended"), HUNG_UP),
        (webhook("call-hangup", callId="c1"), HUNG_UP),
        (b'{"webhookType":"call-hangup","callId":"c1"}', HUNG_UP),
        (b'{"type":"call-hangup","data":{"callId":"c1"}}', HUNG_UP),
        (webhook("call-missed", callId="c1"), CallEndedNotice("c1", None, "", {}, CallCause.NO_ANSWER, None)),
        (
            webhook("call-hangup", callId="c1", type="outbound", status="FAILED", timelog=[{"sipCode": 486}]),
            CallEndedNotice("c1", None, "outbound", {}, CallCause.BUSY, 486),
        ),
        (webhook("call-update", callId="c1", status="ended"), HUNG_UP),
        (webhook("call-update", callId="c1", status="switch-room-completed"), CallUpNotice("c1")),
        (webhook("call-answered", callId="c1", status="answered"), CallUpNotice("c1")),
        (webhook("call-ringing", callId="c1"), CallUpNotice("c1")),
        (webhook("call-started", callId="c1", status="initiated"), CallUpNotice("c1")),
        (webhook("participant-joined", meetingId="r1", participantId="p1"), JOINED),
        (webhook("participant-joined", roomId="r1", participantId="p1"), JOINED),
        (
            webhook("participant-left", meetingId="r1", participantId="p1", reason="x" * 500),
            ParticipantLeftNotice("r1", "p1", "x" * 100),
        ),
        (webhook("recording-started", meetingId="r1"), None),
        (b"{}", None),
        (b'{"webhookType": ["call-hangup"], "data": {"callId": "c1"}}', None),
        (b'{"webhookType": {"call-hangup": 1}, "data": {"callId": "c1"}}', None),
    ],
)
def test_a_webhook_gives_this_notice(body: bytes, notice: object) -> None:
    assert parse_webhook(body) == notice


@pytest.mark.parametrize(
    "body",
    [b"", b"null", b"\xff", b"[" * 50_000, webhook("call-hangup"), webhook("participant-left", roomId=1)],
)
def test_an_unreadable_webhook_is_refused(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse_webhook(body)


HOOK = "https://hooks.example.com/webhooks/videosdk"


@pytest.mark.parametrize(
    ("registered", "count"), [([], 2), ([{"url": "https://other"}], 2), ([{"url": HOOK}], 1)]
)
async def test_an_address_is_registered_once(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, registered: list[dict[str, str]], count: int
) -> None:
    registering = provider(videosdk.signaling_url, webhook_url=HOOK)
    scripted_cloud.responses = [Response(200, {"data": registered}), Response(200, {"id": "w1"})]
    await registering.register_webhooks()
    assert len(scripted_cloud.requests) == count
    if count == 2:
        events = ["call-started", "call-hangup", "call-missed", "call-update"]
        assert scripted_cloud.requests[1].body == {"url": HOOK, "events": events}
    await registering.aclose()


async def test_without_an_address_nothing_is_registered(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud
) -> None:
    await videosdk.register_webhooks()
    assert scripted_cloud.requests == []


MARKS = {"warmxferId": "t-1", "warmxferAttempt": "1"}
ENDED: dict[str, Any] = {"callId": "c1", "type": "outbound", "status": "ended", "metadata": MARKS}
TIMELOG = [{"status": "initiated"}, {"status": "failed", "sipCode": "486"}]


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("name", ["metadata", "participant", "timelog", "data", "additionalDetails"])
def test_a_field_may_hold_its_object_as_a_string_of_json(name: str, indent: int | None) -> None:
    call = ENDED | {
        "participant": {"id": "wxs-t-1"},
        "timelog": TIMELOG,
        "additionalDetails": {"sipCode": 486},
    }
    webhook = {"webhookType": "call-hangup", "data": call}
    plain = parse_webhook(json.dumps(webhook).encode())
    assert isinstance(plain, CallEndedNotice)
    assert (plain.metadata, plain.participant_id, plain.sip_code) == (MARKS, "wxs-t-1", 486)
    holder = webhook if name == "data" else call
    as_text = json.dumps(holder[name], indent=indent)
    changed = webhook | ({"data": as_text} if name == "data" else {"data": call | {name: as_text}})
    assert parse_webhook(json.dumps(changed).encode()) == plain


@pytest.mark.parametrize("text", ["", "t-1", "{", "[1]", "null", "[" * 50_000, '{"a": "\\ud800"}'])
def test_metadata_that_is_no_object_is_left_out(text: str) -> None:
    found = parse_webhook(json.dumps({"webhookType": "call-hangup", **ENDED, "metadata": text}).encode())
    assert isinstance(found, CallEndedNotice)
    assert found.metadata in ({}, {"a": "\ud800"})


@pytest.mark.parametrize("name", ["meetingId", "participantId"])
def test_a_participant_or_room_with_a_long_id_is_of_no_interest(name: str) -> None:
    """Any participant of the account may choose such an id: after an error the provider would repeat it."""
    ids = {"meetingId": "r1", "participantId": "p1"}
    assert parse_webhook(webhook("participant-left", **ids)) == ParticipantLeftNotice("r1", "p1", "")
    assert parse_webhook(webhook("participant-left", **{**ids, name: "i" * 129})) is None
