"""Pressed keys in a VideoSDK room: the pubsub topic `DTMF_EVENT` of the real framework."""

from __future__ import annotations

import json
from typing import Any

import pytest

from warmxfer.adapters.rooms import KeyPressed, UtteranceHeard

from .room_fixture import SUPERVISOR, Consultation, joined, offline, until


@pytest.fixture
def consultation(monkeypatch: pytest.MonkeyPatch) -> Consultation:
    return offline(monkeypatch, Consultation())


async def test_each_key_is_reported_with_its_participant_in_order_with_speech(
    consultation: Consultation,
) -> None:
    """The framework's own handler drops the sender and the digit 0."""
    async with joined(consultation) as (client, _, recorder):
        assert client.reports_keys
        meeting = consultation.meeting
        meeting.joins(SUPERVISOR)
        await consultation.stt.transcribe("Hello?")
        await recorder.wait_for(UtteranceHeard(SUPERVISOR, "Hello?"))
        for digit in (1, "0", "#"):
            meeting.press(SUPERVISOR, digit)
        meeting.press("stranger", "2")
        meeting.press(SUPERVISOR, None, json.dumps({"number": "3"}))
        await recorder.wait_for(KeyPressed(SUPERVISOR, "3"))
        pressed = [each for each in recorder.seen if isinstance(each, KeyPressed | UtteranceHeard)]
    assert pressed == [
        UtteranceHeard(SUPERVISOR, "Hello?"),
        KeyPressed(SUPERVISOR, "1"),
        KeyPressed(SUPERVISOR, "0"),
        KeyPressed(SUPERVISOR, "#"),
        KeyPressed("stranger", "2"),
        KeyPressed(SUPERVISOR, "3"),
    ]


@pytest.mark.parametrize(
    "payload", ["no JSON", json.dumps([1]), {"digit": "1"}, {"number": "12"}, {"number": "x"}]
)
async def test_an_unreadable_key_is_no_key(consultation: Consultation, payload: Any) -> None:
    async with joined(consultation) as (_, _, recorder):
        consultation.meeting.joins(SUPERVISOR)
        consultation.meeting.press(SUPERVISOR, None, payload)
        consultation.meeting.press(SUPERVISOR, "1")
        await recorder.wait_for(KeyPressed(SUPERVISOR, "1"))
        assert [each for each in recorder.seen if isinstance(each, KeyPressed)] == [
            KeyPressed(SUPERVISOR, "1")
        ]


async def test_a_users_own_subscriber_of_the_topic_is_called_after_ours(consultation: Consultation) -> None:
    """A topic has one subscriber in the library: the second one would replace ours."""
    received: list[Any] = []
    async with joined(consultation) as (client, _, recorder):
        room = client._session.room  # type: ignore[attr-defined]  # the room that a user's pipeline sees
        assert await room.subscribe_to_pubsub({"topic": "DTMF_EVENT", "cb": received.append}) == []
        consultation.meeting.joins(SUPERVISOR)
        consultation.meeting.press(SUPERVISOR, "1")
        await recorder.wait_for(KeyPressed(SUPERVISOR, "1"))
        await until(lambda: len(received) == 1)
    assert received[0]["senderId"] == SUPERVISOR


async def test_a_cloud_that_refuses_the_topic_reports_no_keys(
    consultation: Consultation, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuses(_: Any, config: Any) -> Any:
        raise ConnectionError(config["topic"])

    monkeypatch.setattr("tests.videosdk.offline.PubSub.subscribe", refuses)
    async with joined(consultation) as (client, _, _):
        assert not client.reports_keys
