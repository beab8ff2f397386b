"""One transfer told event by event, with a clock of its own: what the tests of the machine are written in.

`Story().until(Stage.BRIEFING)` is a transfer that got that far without a hitch; `answer`, `tell` and
`let_time_pass` make it go on as the test wants.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from warmxfer.actors.coordinator.state_machine import Applied, Ignored, SetTimer, Stage, Transfer, step
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    AudioStreamEnabled,
    CallEnded,
    CallerCallFound,
    CallerHeld,
    CallerReleased,
    CallerReturned,
    CallerSwitched,
    CancelRequested,
    Command,
    CommandFailed,
    ConsultationJoined,
    ConsultationLeft,
    DeadlinePassed,
    FailureKind,
    LegsChecked,
    ParticipantJoined,
    PhaseChanged,
    RecordingStarted,
    RoomClosed,
    RoomCreated,
    SIPDestination,
    SummaryReady,
    SupervisorDialed,
    SupervisorReady,
    TransferRequested,
    WarmTransferConfig,
    WarmTransferRequest,
    WarmTransferResult,
)

START = 1_795_357_317.5
HOP_S = 0.125
PRIMARY, CONSULTATION = "room-primary", "room-consultation"
CALLER, CALLER_CALL, SUPERVISOR_CALL = "caller-1", "call-caller", "call-supervisor"
SUMMARY = "Caller Ann wants a refund; agent checked the order; supervisor must approve."
DESTINATION = SIPDestination(
    routing_rule_id="rule-1", sip_call_to="+14155550123", sip_call_from="+14155559876"
)

ANSWERS: dict[str, Callable[[str], AnyEvent]] = {
    "hold_caller": lambda c: CallerHeld(command_id=c, caller_participant_id=CALLER),
    "find_caller_call": lambda c: CallerCallFound(command_id=c, call_id=CALLER_CALL, participant_id=CALLER),
    "create_room": lambda c: RoomCreated(command_id=c, room_id=CONSULTATION),
    "summarize": lambda c: SummaryReady(command_id=c, summary=SUMMARY, source="model"),
    "join_consultation": lambda c: ConsultationJoined(command_id=c, session_id="session-1"),
    "dial_supervisor": lambda c: SupervisorDialed(
        command_id=c, attempt=1, call_id=SUPERVISOR_CALL, response={"message": "Call initiated successfully"}
    ),
    "check_legs": lambda c: LegsChecked(command_id=c),
    "brief_supervisor": lambda _: SupervisorReady(),
    "switch_caller": lambda c: CallerSwitched(command_id=c, response={"statusCode": 200}),
    "return_caller": lambda c: CallerReturned(command_id=c, caller_up=True),
    "release_caller": lambda c: CallerReleased(command_id=c),
    "end_call": lambda c: CallEnded(command_id=c, attempt=1, existed=True),
    "leave_consultation": lambda c: ConsultationLeft(command_id=c),
    "record_participant": lambda c: RecordingStarted(command_id=c, participant_id="wxc-t1"),
    "close_room": lambda c: RoomClosed(command_id=c),
}
"""What a healthy actor says to each command that is awaited."""

PREPARATIONS = ("find_caller_call", "summarize", "hold_caller", "create_room", "join_consultation")
"""In the one order that is legal in both pacings."""


def request(caller_call_id: str | None = None, **config: Any) -> WarmTransferRequest:
    return WarmTransferRequest(
        room_id=PRIMARY,
        config=WarmTransferConfig(destination=DESTINATION, **config),
        caller_call_id=caller_call_id,
    )


def copied(state: Transfer) -> Transfer:
    """Another value, equal to the last bit."""
    return msgspec.json.decode(msgspec.json.encode(state), type=Transfer)


class Story:
    """`heard` and `records` are all that was told and all that came of it, in order."""

    def __init__(self, **config: Any) -> None:
        self.now = START
        self.state: Transfer | None = None
        self.heard: list[tuple[AnyEvent, float]] = []
        self.records: list[Applied] = []
        self.config = config

    # ── going on ─────────────────────────────────────────────────────────────────────────────────

    def tell(self, event: AnyEvent) -> list[Any]:
        """What goes out because of `event`; nothing when it is ignored."""
        self.now += HOP_S
        self.heard.append((event, self.now))
        match step(self.state, event, self.now):
            case Applied() as moved:
                self.state = moved.state
                self.records.append(moved)
                return moved.outbox
            case Ignored():
                return []

    def answer(self, *kinds: str) -> Story:
        """Let healthy actors answer these commands, in this order."""
        for kind in kinds:
            self.tell(ANSWERS[kind](self.awaited(kind)))
        return self

    def fail(self, kind: str, fault: FailureKind = FailureKind.REFUSED, **fields: Any) -> Story:
        self.tell(CommandFailed(command_id=self.awaited(kind), failure=fault, **fields))
        return self

    def let_time_pass(self) -> list[Any]:
        """Until the one timer fires."""
        assert self.transfer.timer_due_at is not None
        due_at = self.transfer.timer_due_at
        self.now = max(self.now, due_at)
        return self.tell(DeadlinePassed(due_at=due_at))

    def wait_for(self, stage: Stage) -> Story:
        """Let timers fire, and nothing else happen, until `stage`."""
        for _ in range(200):
            if self.stage is stage:
                return self
            self.let_time_pass()
        raise AssertionError(f"time alone never led from {self.stage} to {stage}")

    def wait_until_asked_again(self, kind: type[Any]) -> Story:
        """Let timers fire until one more command of this kind goes out."""
        asked = len(self.sent(kind))
        for _ in range(50):
            if len(self.sent(kind)) > asked:
                return self
            self.let_time_pass()
        raise AssertionError(f"{kind.__name__} was never asked for again")

    def clear_away(self) -> Story:
        """Let healthy actors do all that unwinding asks for."""
        while self.stage is Stage.UNWINDING:
            self.answer(next(iter(self.transfer.pending.values())).kind)
        return self

    # ── what happens to people ───────────────────────────────────────────────────────────────────

    def begin(self) -> Story:
        self.tell(TransferRequested(transfer_id="t1", request=request(**self.config)))
        return self

    def supervisor_heard(self) -> Story:
        self.tell(self.seen(AudioStreamEnabled, "wxs-t1-1"))
        return self

    def ready(self) -> Story:
        self.tell(SupervisorReady())
        return self

    def caller_seen(self) -> Story:
        self.tell(self.seen(ParticipantJoined, "wxc-t1"))
        return self

    @staticmethod
    def seen(kind: type[Any], participant_id: str, room_id: str = CONSULTATION) -> Any:
        return kind(room_id=room_id, participant_id=participant_id)

    # ── how far it got ───────────────────────────────────────────────────────────────────────────

    def until(self, stage: Stage) -> Story:
        """Without a hitch; for `RETURNING` and beyond, by the shortest mishap that leads there."""
        CHAPTERS[stage](self)
        assert self.stage is stage
        return self

    @property
    def transfer(self) -> Transfer:
        assert self.state is not None
        return self.state

    @property
    def stage(self) -> Stage:
        return self.state.stage if self.state else Stage.NEW

    def awaited(self, kind: str) -> str:
        """The id of the command of this kind whose answer is awaited."""
        found = [each for each, pending in self.transfer.pending.items() if pending.kind == kind]
        assert len(found) == 1, f"{len(found)} {kind} awaited in {self.stage}: {self.transfer.pending}"
        return found[0]

    @property
    def out(self) -> list[Any]:
        """Everything that went out so far."""
        return [each for record in self.records for each in record.outbox]

    @property
    def phases(self) -> list[PhaseChanged]:
        return [each for each in self.out if isinstance(each, PhaseChanged)]

    @property
    def phase_names(self) -> list[str]:
        return [each.phase.value for each in self.phases]

    @property
    def commands(self) -> list[AnyCommand]:
        return [each for each in self.out if isinstance(each, Command)]

    def sent(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.out if isinstance(each, kind)]

    @property
    def timers(self) -> list[float]:
        return [each.due_at for each in self.sent(SetTimer)]

    @property
    def result(self) -> WarmTransferResult:
        (result,) = self.sent(WarmTransferResult)
        return result


def _preparing(story: Story) -> Story:
    return story.begin()


def _ringing(story: Story) -> Story:
    _preparing(story).answer(*PREPARATIONS)
    return story


def _briefing(story: Story) -> Story:
    return _ringing(story).answer("dial_supervisor").supervisor_heard()


def _switching(story: Story) -> Story:
    return _briefing(story).ready()


def _arriving(story: Story) -> Story:
    return _switching(story).answer("switch_caller")


def _handing_over(story: Story) -> Story:
    return _arriving(story).caller_seen()


def _returning(story: Story) -> Story:
    _arriving(story).tell(CancelRequested(reason="changed my mind"))
    return story


def _unwinding(story: Story) -> Story:
    _briefing(story).tell(CancelRequested(reason="changed my mind"))
    return story


def _completed(story: Story) -> Story:
    return _handing_over(story).answer("leave_consultation")


def _cancelled(story: Story) -> Story:
    return _unwinding(story).clear_away()


def _failed(story: Story) -> Story:
    return _ringing(story).fail("dial_supervisor").clear_away()


CHAPTERS: dict[Stage, Callable[[Story], Story]] = {
    Stage.NEW: lambda story: story,
    Stage.PREPARING: _preparing,
    Stage.RINGING: _ringing,
    Stage.BRIEFING: _briefing,
    Stage.SWITCHING: _switching,
    Stage.ARRIVING: _arriving,
    Stage.HANDING_OVER: _handing_over,
    Stage.RETURNING: _returning,
    Stage.UNWINDING: _unwinding,
    Stage.COMPLETED: _completed,
    Stage.CANCELLED: _cancelled,
    Stage.FAILED: _failed,
}
LIVE = [stage for stage in Stage if not stage.ended and stage is not Stage.NEW]
ENDED = [stage for stage in Stage if stage.ended]
