"""The cloud as one gateway sees it: a `warmxfer.adapters.telephony.Provider` whose requests may fail.

Invariants:
- A request does only what a real one may do.
- An order whose outcome is unknown is executed at once, within `SETTLE_S`, or never.
- A look-up may be up to `STALE_S` old, may get no reply, or may miss a call that is up. The task that
  missed it finds it at its next look-up, whatever other tasks read meanwhile.
- A rate-limited order is sent again, and so is an idempotent one, as the port requires.
- Each order that may have an effect is added to the cloud's orders first.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from warmxfer.adapters.telephony import (
    CallRecord,
    Dialed,
    DialRequest,
    NotFound,
    Notice,
    NotReady,
    NotSent,
    OutcomeUnknown,
    RateLimited,
    Rejected,
    Unanswered,
)

from .cloud import RESCUE, LedgerEntry

if TYPE_CHECKING:
    from .world import World

TIMEOUT_S = 5.0
SETTLE_S = 4.0
STALE_S = 1.0
MAX_TRIES = 3
PAUSE_S = 0.2
TRIP_S = (0.02, 0.25)
SLOW_S = (0.5, 8.0)
UNREACHABLE_TRIP_S = 0.2
UNKNOWN_STATUSES = (None, None, 500, 504)
T = TypeVar("T")


class SimProvider:
    """The provider of one gateway."""

    name = "simulated"
    signaling_url = "https://cloud.invalid"
    timeout_s = TIMEOUT_S

    def __init__(self, world: World) -> None:
        self._world = world
        self._cloud = world.cloud
        self._missed: WeakKeyDictionary[asyncio.Task[object], set[str]] = WeakKeyDictionary()
        """Per reading task: ids of calls that its last look-up missed."""

    # ── look-ups ────────────────────────────────────────────────────────────────────────────────

    async def find_caller_call(self, room_id: str, *, within_s: float | None = None) -> CallRecord | None:
        found = await self._look_up(room_id.removeprefix("room-"), within_s)
        return next(
            (each for each in found if each.up and each.room_id == room_id and each.direction == "inbound"),
            None,
        )

    async def look_up_call(self, call_id: str, *, within_s: float | None = None) -> CallRecord | None:
        found = await self._look_up(self._transfer_of(call_id), within_s)
        call = next((each for each in found if each.call_id == call_id), None)
        return None if call and call.up and self._is_missed_once(call_id) else call

    def _is_missed_once(self, call_id: str) -> bool:
        """Return whether this look-up misses a call that is up. The next one by the same task does not.

        The product believes a task that misses a call twice in a row, so such a pair is no allowed fault.
        """
        reader = asyncio.current_task()
        assert reader is not None
        missed = self._missed.setdefault(reader, set())
        if call_id in missed:
            missed.remove(call_id)
        elif self._world.faults.strikes(
            "lookup_misses_call", self._known_transfer(self._transfer_of(call_id))
        ):
            missed.add(call_id)
        return call_id in missed

    async def find_calls(
        self, room_id: str, participant_id: str, attempt_key: str, *, within_s: float | None = None
    ) -> list[CallRecord]:
        found = await self._look_up(room_id.removeprefix("room-"), within_s)
        ours = [each for each in found if each.metadata.get("attemptKey") == attempt_key]
        return sorted(ours, key=lambda each: not each.up)

    async def find_marked_calls(
        self, marks: Mapping[str, str], began_within_s: float, *, within_s: float | None = None
    ) -> list[CallRecord]:
        found = await self._look_up("", within_s)
        return [each for each in found if each.up and marks.items() <= each.metadata.items()]

    async def _look_up(self, concerned_id: str, within_s: float | None) -> list[CallRecord]:
        """Return the call records as a look-up shows them."""
        return await self._retry(
            lambda limit_s: self._look_up_once(concerned_id, limit_s), within_s, Unanswered
        )

    async def _look_up_once(self, concerned_id: str, limit_s: float) -> list[CallRecord]:
        strikes = self._world.faults.strikes
        if self._world.fault_schedule.cloud_unreachable:
            await asyncio.sleep(min(UNREACHABLE_TRIP_S, limit_s))
            raise Unanswered("the cloud is unreachable", status=503)
        if strikes("lookup_unanswered", self._known_transfer(concerned_id)):
            await asyncio.sleep(self._world.faults.between(0.05, limit_s))
            raise Unanswered("no usable reply", status=500)
        trip_s = self._trip_s(concerned_id)
        if trip_s > limit_s:
            await asyncio.sleep(limit_s)
            raise Unanswered("no reply in time")
        await asyncio.sleep(trip_s)
        at = self._world.now
        if strikes("lookup_stale", self._known_transfer(concerned_id)):
            at -= self._world.faults.between(0.0, STALE_S)
        return [record for call in self._cloud.calls.values() if (record := call.as_of(at)) is not None]

    # ── effects ──────────────────────────────────────────────────────────────────────────────────

    async def create_room(self, key: str, *, within_s: float | None = None) -> str:
        return await self._do("open_room", key, lambda: self._cloud.open_room(key), within_s, OutcomeUnknown)

    async def dial(self, order: DialRequest, *, within_s: float | None = None) -> Dialed:
        id = order.metadata["warmxferId"]
        twice = self._world.faults.strikes("cloud_twice", id)

        def execute() -> str:
            call = self._cloud.dial(order)
            if twice:
                self._cloud.dial(order, repeated_by_cloud=True)
            return call.record.call_id

        attempt = order.metadata["attempt"]
        what = RESCUE if attempt == RESCUE else f"dial-{attempt}"
        call_id = await self._do(what, id, execute, within_s)
        return Dialed(call_id, {"data": {"callId": call_id}})

    async def dispatch_agent(
        self,
        agent_id: str,
        room_id: str,
        *,
        version_id: str | None,
        metadata: Mapping[str, str],
        within_s: float | None = None,
    ) -> None:
        id = metadata["warmxferId"]
        await self._do(RESCUE, id, lambda: self._cloud.dispatch(room_id, id), within_s)

    async def switch(
        self, call_id: str, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> dict[str, Any]:
        what = "return" if participant_id.startswith("wxr-") else "switch"
        id = participant_id.partition("-")[2]
        await self._do(what, id, lambda: self._cloud.switch(call_id, room_id, participant_id), within_s)
        return {"data": {"message": "accepted"}}

    async def end(self, call_id: str, *, within_s: float | None = None) -> None:
        concerned_id = self._transfer_of(call_id)
        await self._do("end", concerned_id, lambda: self._cloud.end(call_id), within_s, OutcomeUnknown)

    async def close_room(self, room_id: str, *, within_s: float | None = None) -> None:
        id = room_id.removeprefix("room-")
        await self._do("close_room", id, lambda: self._cloud.close_room(room_id), within_s, OutcomeUnknown)

    async def record_participant(
        self, room_id: str, participant_id: str, *, within_s: float | None = None
    ) -> None:
        id = room_id.removeprefix("room-")
        await self._do(
            "record", id, lambda: self._cloud.record(room_id, participant_id), within_s, OutcomeUnknown
        )

    async def _do(
        self,
        what: str,
        concerned_id: str,
        execute: Callable[[], T],
        within_s: float | None,
        repeated: type[Exception] | None = None,
    ) -> T:
        """Send an order. It is sent again after `RateLimited`, and after `repeated` if that is given."""
        retried = (RateLimited,) if repeated is None else (RateLimited, repeated)
        return await self._retry(
            lambda limit_s: self._do_once(what, concerned_id, execute, limit_s), within_s, *retried
        )

    async def _retry(
        self, once: Callable[[float], Awaitable[T]], within_s: float | None, *after: type[Exception]
    ) -> T:
        loop = self._world.loop
        deadline = loop.time() + self._limit_s(within_s)
        share = 1.0 if after == (RateLimited,) else 0.5
        try_s = share * (deadline - loop.time())
        outcome_unknown: OutcomeUnknown | None = None
        for attempts_left in reversed(range(MAX_TRIES)):
            try:
                return await once(min(try_s, deadline - loop.time()))
            except NotFound:
                raise
            except (Rejected, *after) as error:
                outcome_unknown = error if isinstance(error, OutcomeUnknown) else outcome_unknown
                pause_s = error.after_s if isinstance(error, RateLimited) else PAUSE_S
                if isinstance(error, Rejected) or not attempts_left or loop.time() + pause_s >= deadline:
                    # This error is about its own attempt only: an earlier attempt may have been executed.
                    raise outcome_unknown or error from error
                last_error = outcome_unknown or error
            await asyncio.sleep(pause_s)
            if loop.time() >= deadline:
                raise last_error
        raise AssertionError("the last attempt returns or raises")

    async def _do_once(self, what: str, concerned_id: str, execute: Callable[[], T], limit_s: float) -> T:
        """Send one order. The exception says how much is known about its outcome."""
        strikes, known = self._world.faults.strikes, self._known_transfer(concerned_id)
        if self._world.fault_schedule.cloud_unreachable:
            await asyncio.sleep(min(UNREACHABLE_TRIP_S, limit_s))
            raise OutcomeUnknown("the cloud is unreachable", status=503)
        trip_s = self._trip_s(concerned_id)
        if strikes("cloud_limits", known):
            await asyncio.sleep(min(trip_s, limit_s))
            raise RateLimited("too many requests", after_s=self._world.faults.between(0.2, 3.0))
        self._cloud.orders.append(LedgerEntry(self._world.now, what, concerned_id))
        self._world.trace.add("gateway orders", f"{what} {concerned_id}")
        if strikes("cloud_refuses", known):
            await asyncio.sleep(min(trip_s, limit_s))
            raise Rejected("the provider said no", status=422)
        if strikes("cloud_unknown_undone", known):
            return await self._outcome_unknown(limit_s)
        if strikes("cloud_unknown_done", known):
            self._later(min(trip_s, limit_s) / 2, execute)
            return await self._outcome_unknown(limit_s)
        if strikes("cloud_unknown_late", known):
            wait_s = self._world.faults.between(0.0, limit_s)
            self._later(wait_s + self._world.faults.between(0.0, SETTLE_S - STALE_S - 0.1), execute)
            return await self._outcome_unknown(limit_s, wait_s)
        if trip_s > limit_s:
            self._later(min(trip_s / 2, limit_s), execute)
            return await self._outcome_unknown(limit_s, limit_s)
        reply = self._later(trip_s / 2, execute)
        await asyncio.sleep(trip_s)
        return reply.result()

    async def _outcome_unknown(self, limit_s: float, wait_s: float | None = None) -> Any:
        await asyncio.sleep(self._world.faults.between(0.01, limit_s) if wait_s is None else wait_s)
        raise OutcomeUnknown("the reply did not come", status=self._world.chance.choice(UNKNOWN_STATUSES))

    def _later(self, delay_s: float, execute: Callable[[], T]) -> asyncio.Future[T]:
        """Execute in the cloud after `delay_s`, even if the requesting process dies."""
        reply: asyncio.Future[T] = self._world.loop.create_future()

        def now() -> None:
            try:
                reply.set_result(execute())
            except (Rejected, NotReady) as error:
                reply.set_exception(error)
                reply.exception()

        self._world.later(delay_s, now)
        return reply

    def _limit_s(self, within_s: float | None) -> float:
        limit_s = TIMEOUT_S if within_s is None else min(within_s, TIMEOUT_S)
        if limit_s <= 0:
            raise NotSent("there was no time left to send")
        return limit_s

    def _trip_s(self, concerned_id: str) -> float:
        slow = self._world.faults.strikes("cloud_slow", self._known_transfer(concerned_id))
        return self._world.chance.uniform(*(SLOW_S if slow else TRIP_S))

    def _known_transfer(self, concerned_id: str) -> str | None:
        return concerned_id if concerned_id in self._world.plans else None

    def _transfer_of(self, call_id: str) -> str:
        call = self._cloud.calls.get(call_id)
        return call.transfer_id if call else ""

    # ── the rest of the port ─────────────────────────────────────────────────────────────────────

    def mint_token(self, room_id: str, participant_id: str) -> str:
        return f"token-{room_id}-{participant_id}"

    async def parse_webhook(self, headers: Mapping[str, str], body: bytes) -> Notice | None:
        """Return None: notices come through `webhooks.py`."""
        return None

    async def register_webhooks(self) -> None:
        """Do nothing: notices come without registration."""

    async def check_credentials(self) -> None:
        """The simulated cloud accepts everyone."""

    def credentials_refused(self) -> str | None:
        return None

    async def room_exists(self, room_id: str, *, within_s: float | None = None) -> bool:
        return True

    def can_connect(self) -> bool:
        return True

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""
