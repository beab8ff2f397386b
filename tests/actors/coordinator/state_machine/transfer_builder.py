"""Builder of one transfer, event by event, with a clock of its own.

`TransferBuilder().until(Stage.BRIEFING)` is a transfer that reached this stage without a failure. `reply`,
`apply` and `fire_timer` continue it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from warmxfer.actors.coordinator.state_machine import (
    MACHINE_VERSION,
    Applied,
    Ignored,
    SetTimer,
    Stage,
    Transfer,
    step,
)
from warmxfer.schemas import (
    AnyCommand,
    AnyEvent,
    AudioStreamEnabled,
    CallEnded,
    CallerCallFound,
    CallerHeld,
    CallerReleased,
    CallerRescued,
    CallerReturned,
    CallerSwitched,
    CancelRequested,
    Command,
    CommandFailed,
    ConsultationJoined,
    ConsultationLeft,
    DeadlinePassed,
    FailureKind,
    LegReport,
    LegsChecked,
    ParticipantJoined,
    PhaseChanged,
    RecordingStarted,
    RescueCaller,
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
GUARD_S = 5.0
"""The bridge guard of every transfer that sets no other. None: an older version admitted the transfer."""
EVENT_INTERVAL_S = 0.125
PRIMARY, CONSULTATION = "room-primary", "room-consultation"
CALLER, CALLER_CALL, SUPERVISOR_CALL = "caller-1", "call-caller", "call-supervisor"
SUMMARY = "Caller Ann wants a refund; agent checked the order; supervisor must approve."
OUTAGE = "the provider did not say where the caller is"
DESTINATION = SIPDestination(
    routing_rule_id="rule-1", sip_call_to="+14155550123", sip_call_from="+14155559876"
)

REPLIES: dict[str, Callable[[str], AnyEvent]] = {
    "hold_caller": lambda c: CallerHeld(command_id=c, caller_participant_id=CALLER),
    "find_caller_call": lambda c: CallerCallFound(command_id=c, call_id=CALLER_CALL, participant_id=CALLER),
    "create_room": lambda c: RoomCreated(command_id=c, room_id=CONSULTATION),
    "summarize": lambda c: SummaryReady(command_id=c, summary=SUMMARY, source="model"),
    "join_consultation": lambda c: ConsultationJoined(command_id=c, session_id="session-1"),
    "dial_supervisor": lambda c: SupervisorDialed(
        command_id=c, attempt=1, call_id=SUPERVISOR_CALL, response={"message": "Call initiated successfully"}
    ),
    "check_legs": lambda c: LegsChecked(
        command_id=c, caller=LegReport(up=True), supervisor=LegReport(up=True)
    ),
    "brief_supervisor": lambda _: SupervisorReady(),
    "switch_caller": lambda c: CallerSwitched(command_id=c, response={"statusCode": 200}),
    "return_caller": lambda c: CallerReturned(command_id=c, caller_up=True),
    "release_caller": lambda c: CallerReleased(command_id=c),
    "rescue_caller": lambda c: CallerRescued(command_id=c, by="dial", call_id="call-rescue"),
    "end_call": lambda c: CallEnded(command_id=c, attempt=1, existed=True),
    "leave_consultation": lambda c: ConsultationLeft(command_id=c),
    "record_participant": lambda c: RecordingStarted(command_id=c, participant_id="wxc-t1"),
    "close_room": lambda c: RoomClosed(command_id=c),
}
"""Reply of a healthy actor to each command that can be awaited."""

PREPARATIONS = ("find_caller_call", "summarize", "hold_caller", "create_room", "join_consultation")
"""Commands of the preparation, in the one order that is legal in both pacings."""


def request(caller_call_id: str | None = None, **config: Any) -> WarmTransferRequest:
    return WarmTransferRequest(
        room_id=PRIMARY,
        config=WarmTransferConfig(destination=DESTINATION, **{"bridge_guard_s": GUARD_S, **config}),
        caller_call_id=caller_call_id,
    )


def copy_of(state: Transfer) -> Transfer:
    """Return another value that is equal."""
    return msgspec.json.decode(msgspec.json.encode(state), type=Transfer)


class TransferBuilder:
    """One transfer. `events` has every event applied and `records` every transition, in order."""

    def __init__(self, **config: Any) -> None:
        self.now = START
        self._state: Transfer | None = None
        self.events: list[tuple[AnyEvent, float]] = []
        self.records: list[Applied] = []
        self.config = config
        self.alone_notice_s: float | None = None
        """None: an older version admitted the transfer."""
        self.begun_by_version = MACHINE_VERSION

    # ── events ───────────────────────────────────────────────────────────────────────────────────

    def apply(self, event: AnyEvent) -> list[Any]:
        """Apply `event` and return the messages it causes; none if it is ignored."""
        self.now += EVENT_INTERVAL_S
        self.events.append((event, self.now))
        match step(self._state, event, self.now):
            case Applied() as applied:
                self._state = applied.state
                self.records.append(applied)
                return applied.outbox
            case Ignored():
                return []

    def reply(self, *kinds: str) -> TransferBuilder:
        """Apply the replies of healthy actors to these commands, in this order."""
        for kind in kinds:
            self.apply(REPLIES[kind](self.awaited(kind)))
        return self

    def fail(self, kind: str, fault: FailureKind = FailureKind.REFUSED, **fields: Any) -> TransferBuilder:
        """Apply `CommandFailed` for the command of this kind."""
        self.apply(CommandFailed(command_id=self.awaited(kind), failure=fault, **fields))
        return self

    def fire_timer(self) -> list[Any]:
        """Advance the clock to the one timer and apply its deadline."""
        assert self.state.timer_due_at is not None
        due_at = self.state.timer_due_at
        self.now = max(self.now, due_at)
        return self.apply(DeadlinePassed(due_at=due_at))

    def fire_timers_until(self, stage: Stage) -> TransferBuilder:
        """Fire timers, and apply no other event, until `stage` is reached."""
        for _ in range(200):
            if self.stage is stage:
                return self
            self.fire_timer()
        raise AssertionError(f"timers alone did not lead from {self.stage} to {stage}")

    def fire_timers_until_sent(self, kind: type[Any]) -> TransferBuilder:
        """Fire timers until one more command of this kind is sent."""
        before = len(self.sent(kind))
        for _ in range(50):
            if len(self.sent(kind)) > before:
                return self
            self.fire_timer()
        raise AssertionError(f"{kind.__name__} was not sent again")

    def time_out(self, kind: type[Command]) -> TransferBuilder:
        """Fire timers until no reply to a command of this kind is awaited."""
        while self.state.awaits(kind):
            self.fire_timer()
        return self

    def rescue_not_begun(self) -> TransferBuilder:
        """Reply that the provider did not answer: the rescue is not claimed."""
        return self.fail("rescue_caller", FailureKind.REFUSED, detail=OUTAGE, not_begun=True)

    def leave_without_rescue(self, stage: Stage) -> float:
        """Let no rescue begin until `stage` ends, and return how long it lasted from now on."""
        began_at = self.now
        while self.stage is stage:
            if self.state.awaits(RescueCaller):
                self.rescue_not_begun()
            else:
                self.fire_timer()
        return self.now - began_at

    def finish_cleanup(self) -> TransferBuilder:
        """Apply the replies of healthy actors until clean-up is over."""
        while self.stage is Stage.UNWINDING:
            self.reply(next(iter(self.state.pending.values())).kind)
        return self

    # ── participants ─────────────────────────────────────────────────────────────────────────────

    def start(self, session: str | None = None) -> TransferBuilder:
        requested = msgspec.structs.replace(request(**self.config), session=session)
        self.apply(
            TransferRequested(
                transfer_id="t1",
                request=requested,
                alone_notice_s=self.alone_notice_s,
                begun_by_version=self.begun_by_version,
            )
        )
        return self

    def enable_supervisor_audio(self) -> TransferBuilder:
        self.apply(self.room_event(AudioStreamEnabled, "wxs-t1-1"))
        return self

    def supervisor_ready(self) -> TransferBuilder:
        self.apply(SupervisorReady())
        return self

    def caller_joins(self) -> TransferBuilder:
        self.apply(self.room_event(ParticipantJoined, "wxc-t1"))
        return self

    @staticmethod
    def room_event(kind: type[Any], participant_id: str, room_id: str = CONSULTATION) -> Any:
        return kind(room_id=room_id, participant_id=participant_id)

    # ── state ────────────────────────────────────────────────────────────────────────────────────

    def until(self, stage: Stage) -> TransferBuilder:
        """Reach `stage` without a failure if possible, and else by the shortest failure that leads there."""
        BUILD_STEPS[stage](self)
        assert self.stage is stage
        return self

    @property
    def state(self) -> Transfer:
        assert self._state is not None
        return self._state

    @property
    def stage(self) -> Stage:
        return self._state.stage if self._state else Stage.NEW

    def awaited(self, kind: str) -> str:
        """Return the id of the command of this kind whose reply is awaited."""
        found = [each for each, pending in self.state.pending.items() if pending.kind == kind]
        assert len(found) == 1, f"{len(found)} {kind} awaited in {self.stage}: {self.state.pending}"
        return found[0]

    @property
    def outbox(self) -> list[Any]:
        """Return every message sent so far."""
        return [each for record in self.records for each in record.outbox]

    @property
    def phases(self) -> list[PhaseChanged]:
        return [each for each in self.outbox if isinstance(each, PhaseChanged)]

    @property
    def phase_names(self) -> list[str]:
        return [each.phase.value for each in self.phases]

    @property
    def commands(self) -> list[AnyCommand]:
        return [each for each in self.outbox if isinstance(each, Command)]

    def sent(self, kind: type[Any]) -> list[Any]:
        return [each for each in self.outbox if isinstance(each, kind)]

    @property
    def timers(self) -> list[float]:
        return [each.due_at for each in self.sent(SetTimer)]

    @property
    def result(self) -> WarmTransferResult:
        (result,) = self.sent(WarmTransferResult)
        return result


def _preparing(transfer: TransferBuilder) -> TransferBuilder:
    return transfer.start()


def _ringing(transfer: TransferBuilder) -> TransferBuilder:
    _preparing(transfer).reply(*PREPARATIONS)
    return transfer


def _briefing(transfer: TransferBuilder) -> TransferBuilder:
    return _ringing(transfer).reply("dial_supervisor").enable_supervisor_audio()


def _switching(transfer: TransferBuilder) -> TransferBuilder:
    return _briefing(transfer).supervisor_ready()


def _arriving(transfer: TransferBuilder) -> TransferBuilder:
    return _switching(transfer).reply("switch_caller")


def _handing_over(transfer: TransferBuilder) -> TransferBuilder:
    return _arriving(transfer).caller_joins()


def _returning(transfer: TransferBuilder) -> TransferBuilder:
    _arriving(transfer).apply(CancelRequested(reason="changed my mind"))
    return transfer


def _unwinding(transfer: TransferBuilder) -> TransferBuilder:
    _briefing(transfer).apply(CancelRequested(reason="changed my mind"))
    return transfer


def _guarding(transfer: TransferBuilder) -> TransferBuilder:
    return _handing_over(transfer).reply("leave_consultation", "check_legs")


def _completed(transfer: TransferBuilder) -> TransferBuilder:
    _guarding(transfer)
    while transfer.stage is Stage.GUARDING:
        transfer.fire_timer()
        transfer.reply("check_legs")
    return transfer


def _cancelled(transfer: TransferBuilder) -> TransferBuilder:
    return _unwinding(transfer).finish_cleanup()


def _failed(transfer: TransferBuilder) -> TransferBuilder:
    return _ringing(transfer).fail("dial_supervisor").finish_cleanup()


BUILD_STEPS: dict[Stage, Callable[[TransferBuilder], TransferBuilder]] = {
    Stage.NEW: lambda transfer: transfer,
    Stage.PREPARING: _preparing,
    Stage.RINGING: _ringing,
    Stage.BRIEFING: _briefing,
    Stage.SWITCHING: _switching,
    Stage.ARRIVING: _arriving,
    Stage.HANDING_OVER: _handing_over,
    Stage.RETURNING: _returning,
    Stage.UNWINDING: _unwinding,
    Stage.GUARDING: _guarding,
    Stage.COMPLETED: _completed,
    Stage.CANCELLED: _cancelled,
    Stage.FAILED: _failed,
}
LIVE = [stage for stage in Stage if not stage.ended and stage is not Stage.NEW]
ENDED = [stage for stage in Stage if stage.ended]
