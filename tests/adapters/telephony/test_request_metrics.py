"""Each request to the provider is counted once, by its path template and by how it ended."""

from __future__ import annotations

import pytest

from warmxfer.adapters.http_pool import BUSY, LIMIT
from warmxfer.adapters.telephony.errors import WarmxferError
from warmxfer.adapters.telephony.request_metrics import ENDINGS, LATENCY, REQUESTS
from warmxfer.adapters.telephony.videosdk.http_client import MAX_CONNECTIONS
from warmxfer.adapters.telephony.videosdk.provider import VideoSDKProvider

from .scripted_cloud import Response, ScriptedCloud

USABLE = Response(200, {"roomId": "r1"})
SECRET_ID = "call-of-ann"


@pytest.mark.parametrize(
    ("responses", "expected"),
    [
        ([USABLE], {"answered": 1}),
        ([Response(500), USABLE], {"outcome_unknown": 1, "answered": 1}),
        ([Response(0), USABLE], {"outcome_unknown": 1, "answered": 1}),
        ([Response(429), USABLE], {"rate_limited": 1, "answered": 1}),
        ([Response(400)], {"rejected": 1}),
        ([Response(404)], {"not_found": 1}),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
async def test_a_request_is_counted_by_how_it_ended(
    videosdk: VideoSDKProvider,
    scripted_cloud: ScriptedCloud,
    responses: list[Response],
    expected: dict[str, int],
) -> None:
    before, times = (
        REQUESTS.series(),
        sum(count for counts, _ in LATENCY.series().values() for count in counts),
    )
    scripted_cloud.responses = responses
    try:
        await videosdk.create_room("key")
    except WarmxferError:
        assert "answered" not in expected
    grown = {
        key[1]: value - before.get(key, 0)
        for key, value in REQUESTS.series().items()
        if value != before.get(key)
    }
    assert grown == expected
    assert set(grown) <= set(ENDINGS)
    after = sum(count for counts, _ in LATENCY.series().values() for count in counts)
    assert after - times == sum(expected.values())


async def test_no_id_of_a_path_becomes_a_label(
    videosdk: VideoSDKProvider, scripted_cloud: ScriptedCloud
) -> None:
    scripted_cloud.responses = [
        Response(200, {"data": {"id": SECRET_ID, "status": "answered", "roomId": "r1"}})
    ]
    await videosdk.look_up_call(SECRET_ID)
    values = {value for key in (*REQUESTS.series(), *LATENCY.series()) for value in key}
    assert not any(SECRET_ID in value for value in values)
    assert any("{" in value for value in values)


async def test_the_use_of_the_pool_is_shown(videosdk: VideoSDKProvider) -> None:
    assert BUSY.series()["provider",] == 0
    assert LIMIT.series()["provider",] == MAX_CONNECTIONS
    await videosdk.aclose()
    assert ("provider",) not in BUSY.series()
