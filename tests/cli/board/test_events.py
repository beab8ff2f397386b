"""The live content: what a browser gets of transfers, actors and dead letters."""

from __future__ import annotations

import asyncio

import pytest

from tests.actors.coordinator.coordinator_fixture import running_coordinators
from tests.actors.coordinator.test_archive import ID, run_transfer
from tests.client.test_archived import archive
from warmxfer.bus import Bus, subjects
from warmxfer.cli.board import content as content_module
from warmxfer.cli.board import feed as feed_module
from warmxfer.schemas import NoticeKind, TransferNotice, encode
from warmxfer.schemas.timeline import DeadLetter

from .board_fixture import PATIENCE_S, RINGING, FakeCoordinator, board_on, client_of, publish, watching


async def test_a_transfer_appears_advances_and_ends(fresh_bus: Bus) -> None:
    async with (
        FakeCoordinator(fresh_bus).serving(),
        board_on(fresh_bus) as board,
        client_of(board) as http,
        watching(http) as events,
    ):
        first = await events.next()
        assert (first["whole"], first.get("rows"), first["connected"]) == (True, None, True)
        assert first["settings"] == {"actions": True, "wait_target_s": 60.0, "version": "0.1.0"}
        await publish(fresh_bus, "t-1", "started")
        await events.until(lambda it: "t-1" in it.rows)
        await publish(fresh_bus, "t-1", *RINGING[1:], first=2)
        await events.until(lambda it: it.rows["t-1"]["on"] == "Dana (billing) to answer")
        row = events.rows["t-1"]
        assert (row["step"], row["limit_s"], row["destination"]) == ("ringing", 30.0, "+•••••••••01")
        assert row["on_hold"]
        await publish(fresh_bus, "t-1", "transfer_cancelled", first=7, reason="supervisor_busy")
        await events.until(lambda it: it.rows["t-1"]["step"] == "ended")
        assert events.rows["t-1"]["outcome"] == "supervisor_busy"
        await events.until(lambda it: it.last["last_hour"]["outcomes"] == {"supervisor_busy": 1})


async def test_who_comes_late_gets_everything_at_once(fresh_bus: Bus) -> None:
    for number in range(30):
        await publish(fresh_bus, f"t-{number}", "started")
    async with FakeCoordinator(fresh_bus).serving(), board_on(fresh_bus) as board, client_of(board) as http:
        async with watching(http) as events:
            await events.until(lambda it: len(it.rows) == 30 and it.last.get("read"))
        async with watching(http) as events:
            assert len((await events.next())["rows"]) == 30


async def test_archived_transfers_of_the_last_hour_are_there(fresh_bus: Bus) -> None:
    await run_transfer(fresh_bus)
    await archive(fresh_bus)
    async with board_on(fresh_bus) as board, client_of(board) as http, watching(http) as events:
        await events.until(lambda it: ID in it.rows)
        assert events.rows[ID]["step"] == "ended"
        await events.until(lambda it: it.last["last_hour"]["ended"] == 1)
        answer = await http.get(f"/api/transfers/{ID}")
        assert answer.json()["phases"][0]["phase"] == "started"
        async with running_coordinators(fresh_bus):
            page = (await http.get(f"/api/transfers/{ID}")).json()
        assert page["problems"] == []
        assert (page["report"]["transfer_id"], page["report"]["outcome"]) == (ID, "complete")
        assert len(page["timeline"]["entries"]) == page["report"]["records"] > 1


async def test_a_missed_phase_is_read_from_the_stream(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing comes by subscription here: only the repeated reads find the transfer and its end."""
    monkeypatch.setattr(feed_module, "REREAD_S", 0.1)

    async def nothing(self: feed_module.Feed) -> None:
        await asyncio.Event().wait()

    monkeypatch.setattr(feed_module.Feed, "_follow_phases", nothing)
    async with board_on(fresh_bus) as board, client_of(board) as http, watching(http) as events:
        await events.until(lambda it: it.last.get("read"))
        await publish(fresh_bus, "t-1", "started")
        await events.until(lambda it: "t-1" in it.rows)
        await publish(fresh_bus, "t-1", "transfer_failed", first=2, reason="broken")
        await events.until(lambda it: it.rows["t-1"]["outcome"] == "broken")


async def test_a_notice_is_shown(fresh_bus: Bus) -> None:
    async with board_on(fresh_bus) as board, client_of(board) as http, watching(http) as events:
        await publish(fresh_bus, "t-1", "transfer_complete")
        await events.until(lambda it: "t-1" in it.rows)
        notice = TransferNotice(NoticeKind.CALLER_ALONE, "The caller is alone.", {}, 1.0)
        await fresh_bus.publish(subjects.notice("t-1"), encode(notice))
        await events.until(lambda it: it.rows["t-1"].get("notice") == "caller_alone")


async def test_actors_and_dead_letters_come_while_a_browser_watches(
    fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(feed_module, "PROCESSES_S", 0.1)
    monkeypatch.setattr(feed_module, "DEAD_LETTERS_S", 0.1)
    coordinator = FakeCoordinator(fresh_bus)
    letter = DeadLetter(
        number=7,
        at=1.0,
        id="t-1",
        subject="wx.1.t-1.do.gateway",
        consumer="gateway",
        cause="broken",
        tries=20,
    )
    coordinator.dead_letters = [letter]
    async with (
        coordinator.serving(),
        board_on(fresh_bus) as board,
        client_of(board) as http,
        watching(http) as events,
    ):
        gateway = await Bus.connect(fresh_bus.settings, name="gateway")
        await gateway.register_service("warmxfer-gateway", "1.2.3", "a gateway")
        await events.until(lambda it: [each["role"] for each in it.last.get("processes", [])] == ["gateway"])
        assert events.last["missing_roles"] == ["coordinator", "summarizer", "briefing"]
        await events.until(lambda it: it.last.get("dead_letters"))
        assert events.last["dead_letters"][0]["cause"] == "broken"
        await gateway.close()
        await events.until(lambda it: not it.last["processes"][0]["alive"])
        assert "gateway" in events.last["missing_roles"]


async def test_without_a_coordinator_the_page_says_so_and_goes_on(fresh_bus: Bus) -> None:
    async with board_on(fresh_bus) as board, client_of(board) as http, watching(http) as events:
        await events.until(lambda it: it.last.get("problems"))
        assert events.last["problems"] == [
            "The dead letters cannot be read: No coordinator replied; "
            "start one with `warmxfer run coordinator`"
        ]
        await publish(fresh_bus, "t-1", "started")
        await events.until(lambda it: "t-1" in it.rows)
        async with FakeCoordinator(fresh_bus).serving():
            await events.until(lambda it: it.last["problems"] == [])


async def test_a_burst_is_few_messages(fresh_bus: Bus) -> None:
    async with board_on(fresh_bus) as board, client_of(board) as http, watching(http) as events:
        await events.next()
        await asyncio.gather(*(publish(fresh_bus, f"t-{number}", *RINGING) for number in range(100)))
        await events.until(lambda it: len(it.rows) == 100)
        await events.until(lambda it: all(row["step"] == "ringing" for row in it.rows.values()))
        assert events.messages < 100


async def test_the_number_of_watchers_has_a_limit(fresh_bus: Bus, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(content_module, "MAX_WATCHERS", 1)
    async with board_on(fresh_bus) as board, client_of(board) as http:
        async with watching(http) as events:
            await events.next()
            refused = await http.get("/api/events")
            assert (refused.status_code, refused.json()["error"]) == (
                503,
                "1 browsers watch this board already; close one of them",
            )
        async with asyncio.timeout(PATIENCE_S):
            while True:  # the server notices a moment later that the first one left
                async with http.stream("GET", "/api/events") as response:
                    if response.status_code == 200:
                        break
                await asyncio.sleep(0.05)


async def test_open_streams_end_with_the_board(fresh_bus: Bus) -> None:
    async with board_on(fresh_bus) as board, client_of(board) as http:
        response = await http.send(http.build_request("GET", "/api/events"), stream=True)
        lines = response.aiter_lines()
        await anext(lines)
    async with asyncio.timeout(PATIENCE_S):
        await response.aclose()
