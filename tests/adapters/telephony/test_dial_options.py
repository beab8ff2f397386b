"""Options of a dial that the cloud may take from the routing rule instead are named in the log, once."""

from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from warmxfer.adapters.telephony import DialRequest
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider
from warmxfer.schemas import SIPDestination, SIPOptions

from .scripted_cloud import Response, ScriptedCloud

CALL = Response(200, {"data": {"callId": "c1", "status": "INITIATED", "roomId": "r1"}})


def request(options: SIPOptions) -> DialRequest:
    destination = SIPDestination("rr_1", "+14155550101", "+14155559876", extra_options=options)
    return DialRequest("r1", "wxs-t-1", 30, destination, {"warmxferId": "t"})


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (SIPOptions(dtmf="12w3", headers={"X-Case": "7"}), [["dtmf", "headers"]]),
        (SIPOptions(dtmf=True, headers={"X-Case": "7"}), [["headers"]]),
        (SIPOptions(dtmf=True), []),
        (
            SIPOptions(include_headers=["X-Case"], media_encryption="SRTP"),
            [["includeHeaders", "mediaEncryption"]],
        ),
        (SIPOptions(max_call_duration=600, ringing_timeout=20, metadata={"case": "7"}), []),
        (SIPOptions(), []),
    ],
)
async def test_they_are_logged_once(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud, options: SIPOptions, named: list[list[str]]
) -> None:
    scripted_cloud.responses = [CALL, CALL]
    with capture_logs() as logs:
        await videosdk.dial(request(options))
        await videosdk.dial(request(options))
    warnings = [each for each in logs if each["event"] == "call_options_may_be_ignored"]
    assert [each["options"] for each in warnings] == named


async def test_published_forms_reach_the_cloud_as_they_are(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.responses = [CALL]
    await videosdk.dial(request(SIPOptions(dtmf=True, include_headers=["X-Case"], media_encryption="SRTP")))
    (sent,) = scripted_cloud.requests
    assert (sent.body["dtmf"], sent.body["includeHeaders"], sent.body["mediaEncryption"]) == (
        True,
        ["X-Case"],
        "SRTP",
    )
