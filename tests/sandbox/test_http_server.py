"""The sandbox as an HTTP server: refusals in the cloud's format, errors of its own, and stopping."""

import asyncio
import gzip
import json

import pytest

from warmxfer.sandbox.limits import MAX_LLM_BODY_BYTES

from .client import API_KEY, DEADLINE_S, SECRET, Sandbox, Settings, running


async def test_an_unknown_path_or_method_is_refused_in_the_format_of_the_cloud(sandbox: Sandbox) -> None:
    unknown = await sandbox.http.get("/v2/nothing")
    assert (unknown.status_code, unknown.json()) == (404, {"statusCode": 404, "message": "Not Found"})
    method = await sandbox.http.put("/v2/sip/call")
    assert (method.status_code, method.json()["statusCode"]) == (405, 405)
    assert set(method.headers["allow"].split(",")) == {"GET", "POST"}


@pytest.mark.parametrize("with_fault", [False, True])
async def test_a_body_over_every_limit_is_refused(sandbox: Sandbox, with_fault: bool) -> None:
    if with_fault:
        await sandbox.fault({"path": "/v2/sip/call"}, "status", status=500)
    refused = await sandbox.http.post("/v2/rooms", content=b" " * (MAX_LLM_BODY_BYTES + 1))
    assert (refused.status_code, refused.json()["statusCode"]) == (413, 413)


async def test_a_compressed_body_is_not_decompressed(sandbox: Sandbox) -> None:
    """The server of aiohttp decompresses a piece of 64 KB to 64 MB before it checks the limit."""
    headers = {"content-encoding": "gzip"}
    refused = await sandbox.http.post("/v2/rooms", content=gzip.compress(b"{}"), headers=headers)
    assert (refused.status_code, refused.json()["message"]) == (400, "Body is not JSON.")


async def test_a_percent_encoded_path_and_query_are_decoded(sandbox: Sandbox) -> None:
    caller = await sandbox.caller(participantId="a:b+c", roomId="r:1+2")
    said = await sandbox.ok("POST", "/sandbox/people/a%3Ab%2Bc/say", json={"text": "hello"})
    assert said == {"saying": [caller["callId"]]}
    assert await sandbox.kinds(room="r:1+2", kind="joined") == ["joined"]


async def test_an_error_of_the_sandbox_itself_is_500_and_the_server_goes_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with running(Settings(API_KEY, SECRET)) as sandbox:
        monkeypatch.setattr("warmxfer.sandbox.rooms.rooms.Rooms.create", lambda *_: 1 / 0)
        failed = await sandbox.http.post("/v2/rooms")
        assert (failed.status_code, failed.json()["statusCode"]) == (500, 500)
        monkeypatch.undo()
        assert await sandbox.room()


async def test_the_server_stops_within_its_time_while_connections_are_open() -> None:
    loop = asyncio.get_running_loop()
    async with running(Settings(API_KEY, SECRET)) as sandbox:
        port = int(sandbox.base_url.rsplit(":", 1)[1])
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /sandbox/faults HTTP/1.1\r\nhost: sandbox\r\n\r\n")
        async with asyncio.timeout(DEADLINE_S):
            await reader.readuntil(json.dumps({"faults": []}, separators=(",", ":")).encode())
        agent = await sandbox.agent(await sandbox.room()).__aenter__()
        began = loop.time()
    assert loop.time() - began < DEADLINE_S
    assert agent.socket.close_code == 1012
    assert await reader.read() == b""
    writer.close()
