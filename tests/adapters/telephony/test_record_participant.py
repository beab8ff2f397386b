"""Recording a participant: which responses mean recorded, not ready, refused and unknown."""

from __future__ import annotations

import pytest

from warmxfer.adapters.telephony import NotFound, NotReady, OutcomeUnknown, RateLimited, Rejected
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider

from .scripted_cloud import Response, ScriptedCloud


async def record(videosdk: VideoSDKProvider) -> None:
    await videosdk.record_participant("r1", "wxc-t")


async def test_the_request_names_room_and_participant(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.responses = [Response(200, "participant recording started successfully.")]
    await record(videosdk)
    (requests,) = scripted_cloud.requests
    assert (requests.method, requests.target) == ("POST", "/v2/recordings/participant/start")
    assert requests.body == {"roomId": "r1", "participantId": "wxc-t"}


@pytest.mark.parametrize(
    "response",
    [
        Response(200, {"message": "recording started"}),
        Response(200, b"participant recording started successfully."),
        Response(400, {"message": "participant recording is already started"}),
        Response(409, "Recording already in progress"),
    ],
    ids=["object", "text", "already", "conflict"],
)
async def test_each_wording_of_started_means_recorded(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, response: Response
) -> None:
    scripted_cloud.responses = [response]
    await record(videosdk)
    assert len(scripted_cloud.requests) == 1


NOT_YET = "participant is not yet joined the meeting"


@pytest.mark.parametrize(
    "body", [NOT_YET, NOT_YET.encode(), {"message": NOT_YET}], ids=["JSON", "text", "object"]
)
async def test_a_participant_who_has_not_joined_is_not_ready(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, body: object
) -> None:
    scripted_cloud.responses = [Response(400, body)]
    with pytest.raises(NotReady) as error:
        await record(videosdk)
    assert (error.value.status, len(scripted_cloud.requests)) == (400, 1)
    assert str(error.value).endswith(NOT_YET)


async def test_a_room_without_a_session_is_not_found(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud
) -> None:
    """403 usually means a wrong key. This sentence must not name the key."""
    scripted_cloud.responses = [Response(403, {"message": "No active session found"})]
    with pytest.raises(NotFound) as error:
        await record(videosdk)
    assert "VIDEOSDK_SECRET" not in str(error.value)


@pytest.mark.parametrize(
    ("response", "kind"),
    [
        (Response(400, {"message": "roomId is required."}), Rejected),
        (Response(403, {"message": "Token has no permission."}), Rejected),
        (Response(404, {"message": "Room not found."}), NotFound),
        (Response(400, {"message": "Room is already closed."}), Rejected),
        (Response(429, headers={"Retry-After": "30"}), RateLimited),
    ],
)
async def test_other_refusals_are_translated_as_elsewhere(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, response: Response, kind: type[Exception]
) -> None:
    scripted_cloud.responses = [response]
    with pytest.raises(kind) as error:
        await record(videosdk)
    assert type(error.value) is kind


@pytest.mark.parametrize(
    "response", [Response(500), Response(0), Response(200, b"<html>")], ids=["500", "reset", "html"]
)
async def test_an_unknown_outcome_is_retried(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, response: Response
) -> None:
    scripted_cloud.responses = [response, Response(200, "participant recording started successfully.")]
    await record(videosdk)
    assert len(scripted_cloud.requests) == 2


async def test_a_refusal_after_an_unknown_outcome_stays_unknown(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud
) -> None:
    """The first try may have started the recording. A new request finds it started."""
    scripted_cloud.responses = [
        Response(500),
        Response(400, {"message": "participant recording is already started"}),
    ]
    with pytest.raises(OutcomeUnknown):
        await record(videosdk)
    await record(videosdk)
