"""The lock of a caller: which transfer has the caller, and when another one may take the lock over."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from warmxfer.actors.coordinator import Coordinator
from warmxfer.actors.coordinator.caller_lock import MAX_RACES, UNSTARTED_LOCK_S, CallerLock, lock_caller
from warmxfer.bus import Bus, RetryableError, StaleWrite, Stored, subjects
from warmxfer.schemas import Outcome, decode_as, decode_result, encode

from .coordinator_fixture import deliver, records, request

SESSION = "room-a"
LOCKED_AT = 1_000.0


class LockSubject:
    """The one subject of a lock, as a bus: guarded writes, and writers that are first for a while."""

    def __init__(self, holder: str | None = None, rivals: tuple[str, ...] = ()) -> None:
        self.stored: list[Stored] = []
        self.reads = self.writes = 0
        self._rivals = list(rivals)
        if holder is not None:
            self._store(holder, LOCKED_AT)

    @property
    def holder(self) -> str:
        return decode_as(CallerLock, self.stored[-1].data).transfer_id

    def _store(self, id: str, at: float) -> None:
        # The numbers of a stream grow and leave gaps, because other subjects have messages too.
        seq = 10 * (len(self.stored) + 1)
        self.stored.append(Stored(subjects.caller_lock(SESSION), seq, at, encode(CallerLock(id))))

    async def get_last_from_leader(self, subject: str) -> Stored | None:
        assert subject == subjects.caller_lock(SESSION)
        self.reads += 1
        return self.stored[-1] if self.stored else None

    async def publish(self, subject: str, data: bytes, *, expect_last: int) -> int:
        assert subject == subjects.caller_lock(SESSION)
        self.writes += 1
        if self._rivals:
            self._store(self._rivals.pop(0), LOCKED_AT)
        if expect_last != (self.stored[-1].seq if self.stored else 0):
            raise StaleWrite("another writer was first")
        self._store(decode_as(CallerLock, data).transfer_id, LOCKED_AT)
        return self.stored[-1].seq


def liveness(**live: bool | None) -> Callable[[str], Awaitable[bool | None]]:
    """Return `is_live` of a log that holds exactly these transfers."""

    async def is_live(id: str) -> bool | None:
        return live[id]

    return is_live


async def lock(subject: LockSubject, id: str, at: float = LOCKED_AT, **live: bool | None) -> str | None:
    return await lock_caller(subject, SESSION, id, at, liveness(**live))  # type: ignore[arg-type]


async def test_a_free_caller_is_locked_without_a_read() -> None:
    subject = LockSubject()
    assert await lock(subject, "mine") is None
    assert (subject.holder, subject.writes, subject.reads) == ("mine", 1, 0)


async def test_a_transfer_keeps_its_own_lock() -> None:
    """The request was redelivered. Its own liveness is not asked: its record may not exist yet."""
    subject = LockSubject("mine")
    assert await lock(subject, "mine") is None
    assert len(subject.stored) == 1


@pytest.mark.parametrize("after_s", [0.0, 10 * UNSTARTED_LOCK_S])
async def test_a_live_transfer_keeps_the_caller_at_any_age_of_the_lock(after_s: float) -> None:
    subject = LockSubject("theirs")
    assert await lock(subject, "mine", LOCKED_AT + after_s, theirs=True) == "theirs"
    assert (subject.holder, len(subject.stored)) == ("theirs", 1)


@pytest.mark.parametrize("after_s", [0.0, 10 * UNSTARTED_LOCK_S])
async def test_the_lock_of_an_ended_transfer_is_taken_over_at_once(after_s: float) -> None:
    subject = LockSubject("theirs")
    assert await lock(subject, "mine", LOCKED_AT + after_s, theirs=False) is None
    assert subject.holder == "mine"


@pytest.mark.parametrize("after_s", [0.0, UNSTARTED_LOCK_S - 0.001])
async def test_a_young_lock_without_a_record_is_kept(after_s: float) -> None:
    """Its coordinator may be about to append the first record: two transfers would have one caller.

    Regression: a lock without a record was treated as free.
    """
    subject = LockSubject("theirs")
    assert await lock(subject, "mine", LOCKED_AT + after_s, theirs=None) == "theirs"
    assert (subject.holder, len(subject.stored)) == ("theirs", 1)


@pytest.mark.parametrize("after_s", [UNSTARTED_LOCK_S, 10 * UNSTARTED_LOCK_S])
async def test_an_old_lock_without_a_record_is_taken_over(after_s: float) -> None:
    """Its coordinator died, and the request was lost: the caller would be locked without end."""
    subject = LockSubject("theirs")
    assert await lock(subject, "mine", LOCKED_AT + after_s, theirs=None) is None
    assert subject.holder == "mine"


async def test_the_transfer_that_writes_first_has_the_caller() -> None:
    subject = LockSubject(rivals=("theirs",))
    assert await lock(subject, "mine", theirs=True) == "theirs"
    assert (subject.holder, subject.writes) == ("theirs", 1)


async def test_a_lost_race_is_tried_again_after_the_winner_ended() -> None:
    subject = LockSubject(rivals=("theirs",))
    assert await lock(subject, "mine", theirs=False) is None
    assert (subject.holder, subject.writes) == ("mine", 2)


async def test_a_race_without_end_is_retried_later() -> None:
    rivals = tuple(f"t{n}" for n in range(MAX_RACES))
    subject = LockSubject(rivals=rivals)
    with pytest.raises(RetryableError, match=f"session {SESSION} .* {MAX_RACES} times"):
        await lock(subject, "mine", **dict.fromkeys(rivals, False))
    assert subject.writes == MAX_RACES


async def test_the_last_race_that_is_won_counts() -> None:
    rivals = tuple(f"t{n}" for n in range(MAX_RACES - 1))
    subject = LockSubject(rivals=rivals)
    assert await lock(subject, "mine", **dict.fromkeys(rivals, False)) is None
    assert subject.holder == "mine"


async def test_a_request_is_refused_while_another_coordinator_has_locked_its_caller(fresh_bus: Bus) -> None:
    """The other coordinator has the lock and has not appended its record yet, or it died in between."""
    await fresh_bus.publish(subjects.caller_lock(SESSION), encode(CallerLock("t-other")), expect_last=0)
    await fresh_bus.publish(subjects.request("t-mine"), request(SESSION))
    async with asyncio.timeout(30):
        await deliver(fresh_bus, Coordinator(fresh_bus), subjects.request("t-mine"), 1)
    result = await fresh_bus.get_last(subjects.result("t-mine"))
    assert result is not None
    assert decode_result(result.data).outcome is Outcome.CALLER_IN_TRANSFER
    (record,) = await records(fresh_bus, "t-mine")
    assert record.state.stage.ended
