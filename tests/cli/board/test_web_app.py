"""The web side: who gets in, what an action needs, and the headers of every response."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio

from warmxfer.bus import Bus
from warmxfer.cli.board.access import TokenSettings, new_token
from warmxfer.cli.board.serve import RunningBoard
from warmxfer.cli.board.web_app import CSP, HEADERS, PAGE
from warmxfer.schemas import InvalidRequest

from .board_fixture import PREPARED, TOKEN, FakeCoordinator, board_on, client_of, publish

SAME_ORIGIN = {"sec-fetch-site": "same-origin"}


@pytest_asyncio.fixture
async def board(fresh_bus: Bus) -> AsyncIterator[RunningBoard]:
    async with board_on(fresh_bus) as running:
        yield running


@pytest_asyncio.fixture
async def stranger(board: RunningBoard) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=board.address) as http:
        yield http


async def test_the_link_is_exchanged_for_a_cookie(board: RunningBoard, stranger: httpx.AsyncClient) -> None:
    exchanged = await stranger.get(board.link)
    assert (exchanged.status_code, exchanged.headers["location"]) == (303, "/")
    cookie = exchanged.headers["set-cookie"]
    assert TOKEN not in cookie
    assert {"HttpOnly", "SameSite=strict", "Path=/"} <= set(cookie.split("; "))
    page = await stranger.get("/")
    assert (page.status_code, "/assets/app.js" in page.text) == (200, True)


async def test_without_the_token_there_is_only_the_form(stranger: httpx.AsyncClient) -> None:
    for path in ("/", "/?token=wrong", "/?token="):
        answer = await stranger.get(path)
        assert (answer.status_code, 'action="/login"' in answer.text) == (401, True)
        assert "set-cookie" not in answer.headers
    for path in ("/api/events", "/api/transfers", "/api/transfers/t-1"):
        assert (await stranger.get(path)).status_code == 401
    for path in ("/api/transfers/t-1/cancel", "/api/dead-letters/1/replay"):
        assert (await stranger.post(path, headers=SAME_ORIGIN)).status_code == 401
    wrong = {"authorization": "Bearer wrong"}
    assert (await stranger.get("/api/transfers", headers=wrong)).status_code == 401
    stranger.cookies.set(f"warmxfer_board_{stranger.base_url.port}", "0" * 64)
    assert (await stranger.get("/api/transfers")).status_code == 401


async def test_the_form_takes_the_token(stranger: httpx.AsyncClient) -> None:
    refused = await stranger.post("/login", data={"token": TOKEN})
    assert refused.status_code == 403, "a form of another page has no origin of ours"
    answer = await stranger.post("/login", data={"token": "no"}, headers=SAME_ORIGIN)
    assert answer.status_code == 401
    answer = await stranger.post("/login", content=b"x" * 5_000, headers=SAME_ORIGIN)
    assert answer.status_code == 413
    answer = await stranger.post("/login", data={"token": f" {TOKEN} "}, headers=SAME_ORIGIN)
    assert answer.status_code == 303
    assert (await stranger.get("/")).status_code == 200


async def test_every_response_has_the_headers(board: RunningBoard, stranger: httpx.AsyncClient) -> None:
    async with client_of(board) as http:
        for answer in (
            await stranger.get("/"),
            await stranger.get("/nothing"),
            await stranger.get("/assets/board.css"),
            await stranger.get(board.link),
            await http.get("/api/transfers"),
            await http.delete("/"),
            await http.get("/healthz"),
        ):
            assert {name: answer.headers.get(name) for name in HEADERS} == HEADERS
            assert "server" not in answer.headers
    assert "unsafe" not in CSP
    assert CSP.startswith("default-src 'none'; ")


@pytest.mark.parametrize(
    "path",
    [
        "/assets/../access.py",
        "/assets/%2e%2e/access.py",
        "/assets/..%2faccess.py",
        "/assets//etc/passwd",
        "/assets/index.html",
        "/assets/nothing.js",
    ],
)
async def test_only_the_files_of_the_page_are_served(stranger: httpx.AsyncClient, path: str) -> None:
    assert (await stranger.get(path)).status_code == 404


async def test_an_action_needs_a_page_of_this_board(fresh_bus: Bus, board: RunningBoard) -> None:
    async with FakeCoordinator(fresh_bus).serving() as coordinator, client_of(board) as http:
        for foreign in (
            {"sec-fetch-site": "cross-site"},
            {"sec-fetch-site": "same-site", "origin": board.address},
            {"sec-fetch-site": "none"},
            {"origin": "http://evil.example"},
            {"origin": "null"},
        ):
            refused = await http.post("/api/transfers/t-1/cancel", headers=foreign)
            assert (refused.status_code, coordinator.cancelled) == (403, [])
        for own in ({}, SAME_ORIGIN, {**SAME_ORIGIN, "origin": "null"}, {"origin": board.address}):
            assert (await http.post("/api/transfers/t-1/cancel", headers=own)).status_code == 200
        assert coordinator.cancelled == ["t-1"] * 4
    async with httpx.AsyncClient(base_url=board.address) as cookie_only:
        await cookie_only.get(board.link)
        refused = await cookie_only.post("/api/transfers/t-1/cancel")
        assert refused.status_code == 403, "a cookie alone does not say which page asks"


async def test_a_board_without_actions_changes_nothing(fresh_bus: Bus) -> None:
    async with (
        board_on(fresh_bus, actions=False) as board,
        FakeCoordinator(fresh_bus).serving() as coordinator,
        client_of(board) as http,
    ):
        for path in ("/api/transfers/t-1/cancel", "/api/dead-letters/7/replay"):
            refused = await http.post(path)
            assert (refused.status_code, refused.json()["error"]) == (
                403,
                "This board only shows; start it with --allow-actions",
            )
        assert (coordinator.cancelled, coordinator.replayed) == ([], [])


async def test_cancel_and_replay_ask_a_coordinator(fresh_bus: Bus, board: RunningBoard) -> None:
    async with client_of(board) as http:
        answer = await http.post("/api/transfers/t-1/cancel")
        assert (answer.status_code, "No coordinator replied" in answer.json()["error"]) == (503, True)
        async with FakeCoordinator(fresh_bus).serving() as coordinator:
            assert (await http.post("/api/transfers/t-1/cancel")).json() == {"cancelled": "t-1"}
            answer = await http.post("/api/transfers/ended/cancel")
            assert (answer.status_code, answer.json()["error"]) == (
                400,
                "Transfer 'ended' has already ended",
            )
            assert (await http.post("/api/dead-letters/7/replay")).json()["seq"] == 7
            assert coordinator.replayed == [7]
        for path in ("/api/dead-letters/x/replay", f"/api/dead-letters/{10**30}/replay"):
            assert (await http.post(path)).status_code == 400
        assert (await http.post("/api/transfers/a%20b/cancel")).status_code == 400


async def test_one_transfer_is_shown_with_what_can_be_read(fresh_bus: Bus, board: RunningBoard) -> None:
    await publish(fresh_bus, "t-1", *PREPARED, summary="the caller's secret +14155550101")
    async with client_of(board) as http:
        alone = (await http.get("/api/transfers/t-1")).json()
        assert (alone["row"]["step"], alone["outline"], alone["report"]) == ("preparing", None, None)
        assert len(alone["problems"]) == 1
        async with FakeCoordinator(fresh_bus).serving():
            answer = await http.get("/api/transfers/t-1")
        assert answer.json()["row"]["supervisor"] == "Dana (billing)"
        assert answer.json()["timeline"]["entries"][0]["event"] == "transfer_requested"
        assert answer.json()["problems"] == ["No record of it can be read"]
        assert answer.json()["actors"]["dial_supervisor"] == "gateway"
        assert "secret" not in answer.text
        assert "4155550101" not in answer.text
        missing = await http.get("/api/transfers/nothing")
        assert (missing.status_code, "no transfer has this id" in missing.json()["error"]) == (404, True)
        assert (await http.get("/api/transfers/a.b")).status_code == 400


async def test_the_list_has_a_limit(fresh_bus: Bus, board: RunningBoard) -> None:
    for number in range(3):
        await publish(fresh_bus, f"t-{number}", "transfer_failed")
    async with client_of(board) as http:
        listed = (await http.get("/api/transfers?limit=2")).json()["transfers"]
        assert [each["id"] for each in listed] == ["t-2", "t-1"]
        for limit in ("0", "1001", "x", "-1", ""):
            assert (await http.get(f"/api/transfers?limit={limit}")).status_code == 400


async def test_health_needs_no_token(stranger: httpx.AsyncClient) -> None:
    assert (await stranger.get("/healthz")).json() == {"ok": True}


def token_in(text: str) -> str:
    return TokenSettings.from_env({"WARMXFER_BOARD_TOKEN": text}).token


def test_a_token_of_the_user_is_long_enough_and_part_of_an_address() -> None:
    assert token_in(" 0123456789abcdef ") == "0123456789abcdef"
    assert token_in("") == ""
    assert len(new_token()) >= 40
    assert token_in(new_token()) != new_token()
    for bad in (
        "short",
        "with a space in it 123",
        "ümlaut-0123456789",
        "new\nline0123456789",
        "0123456789&a=bcdef",
    ):
        with pytest.raises(InvalidRequest, match=r"^WARMXFER_BOARD_TOKEN is not usable") as caught:
            token_in(bad)
        assert bad not in str(caught.value)


async def test_a_port_that_is_taken_is_named(fresh_bus: Bus, board: RunningBoard) -> None:
    port = int(board.address.rpartition(":")[2])
    with pytest.raises(InvalidRequest, match=f"^--port is {port}, which cannot be bound on 127.0.0.1"):
        async with board_on(fresh_bus, port=port):
            pass


def test_the_page_loads_nothing_from_elsewhere_and_has_no_inline_code() -> None:
    for path in PAGE.rglob("*"):
        if path.suffix not in (".html", ".css", ".js", ".mjs", ".svg") or path.parent.name == "vendor":
            continue
        text = path.read_text(encoding="utf-8").replace("http://www.w3.org/2000/svg", "")
        assert not re.search(r"(https?:)?//[a-z0-9]", text.replace("// ", "")), path
        assert not re.search(r"\b(eval|innerHTML|outerHTML|insertAdjacentHTML)\b|new Function", text), path
        if path.suffix == ".html":
            assert not re.search(r"<script>|<style|\sstyle=|\son[a-z]+=", text), path
