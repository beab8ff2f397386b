"""What the sandbox keeps of ended calls and empty rooms is limited; what lives is never dropped for it."""

import pytest

from warmxfer.sandbox.errors import HttpError
from warmxfer.sandbox.ledger import Ledger
from warmxfer.sandbox.rooms import rooms as rooms_module
from warmxfer.sandbox.rooms.rooms import Rooms
from warmxfer.sandbox.telephony import calls as calls_module
from warmxfer.sandbox.telephony.calls import Call, Calls


def new_call(n: int) -> Call:
    return Call("outbound", "+14155550100", "+14155550101", f"room-{n}", f"sup-{n}", "Dana")


def end(calls: Calls, call: Call) -> None:
    call.add_status("ended")
    calls.mark_ended(call)


def test_of_too_many_ended_calls_the_oldest_end_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "MAX_ENDED_CALLS", 2)
    calls, made = Calls(), [new_call(n) for n in range(5)]
    for call in made:
        calls.add(call)
    for n in (3, 1, 0):
        end(calls, made[n])
    assert [call for call in made if call in list(calls)] == [made[0], made[1], made[2], made[4]]
    assert (calls.of_room("room-3"), calls.of_room("room-1")) == ([], [made[1]])
    with pytest.raises(HttpError, match="Call not found"):
        calls.get(made[3].id)


def test_too_many_live_calls_are_refused_and_an_end_makes_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(calls_module, "MAX_LIVE_CALLS", 2)
    calls, made = Calls(), [new_call(n) for n in range(3)]
    calls.add(made[0])
    calls.add(made[1])
    with pytest.raises(HttpError, match="2 calls are live"):
        calls.add(made[2])
    end(calls, made[0])
    calls.add(made[2])
    assert calls.live_of("sup-2") == [made[2]]


def test_a_moved_call_is_found_by_its_new_room_and_participant() -> None:
    calls, call = Calls(), new_call(1)
    calls.add(call)
    calls.move(call, "room-2", "moved")
    assert (calls.of_room("room-1"), calls.of_room("room-2")) == ([], [call])
    assert (calls.live_of("sup-1"), calls.live_of("moved")) == ([], [call])
    end(calls, call)
    assert (calls.of_room("room-2"), calls.live_of("moved")) == ([call], [])


def test_of_too_many_empty_rooms_the_one_that_is_empty_for_longest_is_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rooms_module, "MAX_EMPTY_ROOMS", 2)
    rooms = Rooms(Ledger())
    used = rooms.create("api", "used")
    rooms.mark_used(used)
    first, second = rooms.create("api", "first"), rooms.create("api", "second")
    rooms.mark_empty(used)
    assert [room.custom_id for room in rooms] == ["used", "second"]
    assert (rooms.find(first.id), rooms.find_by_any_id("first")) == (None, None)
    assert (rooms.find(second.id), rooms.find(used.id)) == (second, used)


def test_too_many_used_rooms_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rooms_module, "MAX_ROOMS", 1)
    rooms = Rooms(Ledger())
    rooms.mark_used(rooms.create("api"))
    with pytest.raises(HttpError, match="1 rooms have an active session"):
        rooms.create("api")
