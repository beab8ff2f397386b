"""The order to record somebody: which answers mean done, not yet, never, and not told."""

from __future__ import annotations

import pytest

from warmxfer.adapters.telephony import NotFound, NotReady, OutcomeUnknown, RateLimited, Rejected
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider

from .scripted_cloud import Answer, Script


async def record(videosdk: VideoSDKProvider) -> None:
    await videosdk.record_participant("r1", "wxc-t")


async def test_it_is_asked_by_room_and_participant(videosdk: VideoSDKProvider, script: Script) -> None:
    script.answers = [Answer(200, "participant recording started successfully.")]
    await record(videosdk)
    (asked,) = script.asked
    assert (asked.method, asked.target) == ("POST", "/v2/recordings/participant/start")
    assert asked.body == {"roomId": "r1", "participantId": "wxc-t"}


@pytest.mark.parametrize(
    "answer",
    [
        Answer(200, {"message": "recording started"}),
        Answer(200, b"participant recording started successfully."),
        Answer(400, {"message": "participant recording is already started"}),
        Answer(409, "Recording already in progress"),
    ],
    ids=["object", "text", "already", "conflict"],
)
async def test_in_whatever_words_started_is_started(
    videosdk: VideoSDKProvider, script: Script, answer: Answer
) -> None:
    script.answers = [answer]
    await record(videosdk)
    assert len(script.asked) == 1


NOT_YET = "participant is not yet joined the meeting"


@pytest.mark.parametrize(
    "body", [NOT_YET, NOT_YET.encode(), {"message": NOT_YET}], ids=["JSON", "text", "object"]
)
async def test_somebody_who_is_not_there_yet_can_be_asked_for_again(
    videosdk: VideoSDKProvider, script: Script, body: object
) -> None:
    script.answers = [Answer(400, body)]
    with pytest.raises(NotReady) as error:
        await record(videosdk)
    assert (error.value.status, len(script.asked)) == (400, 1)
    assert str(error.value).endswith(NOT_YET)


async def test_a_room_without_a_session_has_nobody_to_record(
    videosdk: VideoSDKProvider, script: Script
) -> None:
    """403 is else the word for a wrong key: the sentence must not send anybody looking for one."""
    script.answers = [Answer(403, {"message": "No active session found"})]
    with pytest.raises(NotFound) as error:
        await record(videosdk)
    assert "VIDEOSDK_SECRET" not in str(error.value)


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (Answer(400, {"message": "roomId is required."}), Rejected),
        (Answer(403, {"message": "Token has no permission."}), Rejected),
        (Answer(404, {"message": "Room not found."}), NotFound),
        (Answer(400, {"message": "Room is already closed."}), Rejected),
        (Answer(429, headers={"Retry-After": "30"}), RateLimited),
    ],
)
async def test_any_other_refusal_is_what_it_is_elsewhere(
    videosdk: VideoSDKProvider, script: Script, answer: Answer, kind: type[Exception]
) -> None:
    script.answers = [answer]
    with pytest.raises(kind) as error:
        await record(videosdk)
    assert type(error.value) is kind


@pytest.mark.parametrize(
    "answer", [Answer(500), Answer(0), Answer(200, b"<html>")], ids=["500", "reset", "html"]
)
async def test_a_doubt_is_asked_again(videosdk: VideoSDKProvider, script: Script, answer: Answer) -> None:
    script.answers = [answer, Answer(200, "participant recording started successfully.")]
    await record(videosdk)
    assert len(script.asked) == 2


async def test_a_refusal_after_a_doubt_leaves_the_doubt(videosdk: VideoSDKProvider, script: Script) -> None:
    """The first try may have started it: whoever asks afresh is told so."""
    script.answers = [Answer(500), Answer(400, {"message": "participant recording is already started"})]
    with pytest.raises(OutcomeUnknown):
        await record(videosdk)
    await record(videosdk)
