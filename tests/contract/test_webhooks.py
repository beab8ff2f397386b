"""The contract, section 7: webhooks are signed over the raw body, and a replay changes nothing."""

from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

from warmxfer.actors.gateway import call_marks
from warmxfer.actors.gateway.webhook_health import WebhookHealth
from warmxfer.actors.gateway.webhooks import Webhooks, path_of
from warmxfer.adapters.telephony import (
    CallEndedNotice,
    InvalidWebhookSignature,
    ParticipantJoinedNotice,
    ParticipantLeftNotice,
    Provider,
)
from warmxfer.bus import Bus, subjects
from warmxfer.schemas import CallCause, SupervisorCallEnded, decode_event

from .cloud import Cloud
from .phone import Phone
from .webhook_receiver import ReceivedWebhook, WebhookReceiver

SIGNATURE = "videosdk-signature"
MIN_KEY_BITS = 2_048


@pytest_asyncio.fixture
async def registered_provider(cloud: Cloud, webhook_receiver: WebhookReceiver) -> AsyncIterator[Provider]:
    """Our provider with its webhooks registered at the cloud; they are removed afterwards."""
    provider = cloud.open_provider(webhook_receiver.url)
    try:
        await provider.register_webhooks()
        yield provider
    finally:
        for hook in (await cloud.get("/v2/sip/webhooks"))["data"]:
            if hook["url"] == webhook_receiver.url:
                await cloud.http.delete(f"/v2/sip/webhooks/{hook['id']}")
        await provider.aclose()


async def hang_up_call(
    cloud: Cloud, phone: Phone, webhook_receiver: WebhookReceiver, key: str = ""
) -> tuple[str, ReceivedWebhook]:
    """Place a call, end it after the answer, and return its id with the webhook that reports the end."""
    call_id = await phone.dial(phone.request(await cloud.room(), key))
    await cloud.until(call_id, lambda call: call.status == "answered", "answered")
    await cloud.provider.end(call_id)
    return call_id, await webhook_receiver.until("call-hangup", callId=call_id)


async def test_the_signing_key_is_public(cloud: Cloud) -> None:
    """§7 Webhooks: GET /v2/public/rsa-public-key gives an RSA key in PEM."""
    pem = (await cloud.get("/v2/public/rsa-public-key"))["publicKey"]
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, rsa.RSAPublicKey)
    assert key.key_size >= MIN_KEY_BITS


async def test_an_address_is_registered_once(
    cloud: Cloud, registered_provider: Provider, webhook_receiver: WebhookReceiver
) -> None:
    """§7 Webhooks: POST, GET and DELETE /v2/sip/webhooks; a second registration by our provider adds none."""
    await registered_provider.register_webhooks()
    [hook] = [h for h in (await cloud.get("/v2/sip/webhooks"))["data"] if h["url"] == webhook_receiver.url]
    assert hook["events"] == ["call-started", "call-hangup", "call-missed", "call-update"]
    assert (await cloud.http.delete(f"/v2/sip/webhooks/{hook['id']}")).is_success
    left = (await cloud.get("/v2/sip/webhooks"))["data"]
    assert webhook_receiver.url not in {each["url"] for each in left}


async def test_a_hang_up_is_notified_with_a_signature(
    cloud: Cloud,
    phone: Phone,
    registered_provider: Provider,
    webhook_receiver: WebhookReceiver,
    transfer_id: str,
) -> None:
    """§7 Webhooks: call-hangup carries the call and our metadata; its signature verifies."""
    call_id, webhook = await hang_up_call(cloud, phone, webhook_receiver, transfer_id)
    notice = await registered_provider.parse_webhook(webhook.headers, webhook.body)
    assert isinstance(notice, CallEndedNotice)
    assert (notice.call_id, notice.cause, notice.direction) == (call_id, CallCause.HUNG_UP, "outbound")
    assert notice.metadata["warmxferId"] == transfer_id


async def test_another_body_or_signature_is_rejected(
    cloud: Cloud, phone: Phone, registered_provider: Provider, webhook_receiver: WebhookReceiver
) -> None:
    """§7 Webhooks: RSA-SHA256 over the raw body: one more blank, another signature or none is refused."""
    _, webhook = await hang_up_call(cloud, phone, webhook_receiver)
    _, other = await hang_up_call(cloud, phone, webhook_receiver)
    unsigned = {name: value for name, value in webhook.headers.items() if name != SIGNATURE}
    for headers, body in (
        (webhook.headers, webhook.body + b" "),
        ({**webhook.headers, SIGNATURE: other.headers[SIGNATURE]}, webhook.body),
        (unsigned, webhook.body),
    ):
        with pytest.raises(InvalidWebhookSignature):
            await registered_provider.parse_webhook(headers, body)


async def test_joining_and_leaving_are_notified(
    cloud: Cloud, phone: Phone, registered_provider: Provider, webhook_receiver: WebhookReceiver
) -> None:
    """§7 Webhooks: participant-joined and -left of a room with our address, by the id that we chose."""
    request = phone.request(await cloud.room(registered_provider))
    call_id = await phone.dial(request)
    joined = await webhook_receiver.until("participant-joined", participantId=request.participant_id)
    await cloud.provider.end(call_id)
    left = await webhook_receiver.until("participant-left", participantId=request.participant_id)
    arrived = await registered_provider.parse_webhook(joined.headers, joined.body)
    departed = await registered_provider.parse_webhook(left.headers, left.body)
    assert arrived == ParticipantJoinedNotice(request.room_id, request.participant_id)
    assert isinstance(departed, ParticipantLeftNotice)
    assert (departed.room_id, departed.participant_id) == (request.room_id, request.participant_id)


async def test_a_replayed_webhook_is_one_event(
    cloud: Cloud,
    phone: Phone,
    registered_provider: Provider,
    webhook_receiver: WebhookReceiver,
    bus: Bus,
    transfer_id: str,
) -> None:
    """§7 Webhooks: the signature covers no time, so a webhook that is sent again is no new event."""
    assert call_marks.call_metadata(transfer_id, 1).items() == phone.request("", transfer_id).metadata.items()
    call_id, webhook = await hang_up_call(cloud, phone, webhook_receiver, transfer_id)
    app = httpx.ASGITransport(Webhooks(bus, registered_provider, WebhookHealth()).app)
    path = path_of(registered_provider.name)
    async with httpx.AsyncClient(transport=app, base_url="http://gateway") as gateway:
        headers = {SIGNATURE: webhook.headers[SIGNATURE]}
        condition = [await gateway.post(path, content=webhook.body, headers=headers) for _ in range(3)]
        forged = await gateway.post(path, content=webhook.body + b" ", headers=headers)
    assert [answer.json()["status"] for answer in condition] == ["taken", "repeated", "repeated"]
    assert forged.status_code == 401
    [stored] = await bus.history(subjects.event(transfer_id, "gateway"), 10)
    fact = decode_event(stored.data)
    assert isinstance(fact, SupervisorCallEnded)
    assert (fact.call_id, fact.attempt, fact.cause) == (call_id, 1, CallCause.HUNG_UP)
