"""Clean-up gives the caller back and ends leg, agent and room, also those that come late."""

import pytest

from warmxfer.actors.coordinator.state_machine import CallerPlace, SetTimer, Stage, give_up
from warmxfer.schemas import (
    AudioStreamEnabled,
    CallEnded,
    CallerReturned,
    CancelRequested,
    CheckLegs,
    CloseRoom,
    CreateRoom,
    EndCall,
    FailureKind,
    HoldCaller,
    LeaveConsultation,
    Outcome,
    ParticipantJoined,
    ReleaseCaller,
    ReturnCaller,
    RoomClosed,
    RoomCreated,
    SupervisorDialed,
    TransferRefused,
    WarmTransferResult,
)

from .transfer_builder import CONSULTATION, PREPARATIONS, PRIMARY, SUPERVISOR_CALL, TransferBuilder

STOP = CancelRequested(reason="stop")
SENTENCE = "room_id is missing; use 1 to 64 of A-Z a-z 0-9 _ -."


def test_the_caller_is_released_first() -> None:
    out = [type(each) for each in TransferBuilder().until(Stage.BRIEFING).apply(STOP)]
    assert out[:3] == [ReleaseCaller, EndCall, LeaveConsultation]


def test_the_room_is_closed_last_after_leg_and_agent_left() -> None:
    transfer = TransferBuilder().until(Stage.UNWINDING).reply("release_caller", "end_call")
    assert transfer.sent(CloseRoom) == []
    transfer.reply("leave_consultation")
    assert [command.room_id for command in transfer.sent(CloseRoom)] == [CONSULTATION]
    assert transfer.reply("close_room").stage is Stage.CANCELLED


def test_cleanup_sends_no_command_for_tasks_that_never_started() -> None:
    transfer = TransferBuilder().start()
    transfer.apply(STOP)
    sent = [type(command) for command in transfer.commands]
    assert (EndCall in sent, LeaveConsultation in sent) == (False, False)


def test_cleanup_waits_for_a_room_being_created_and_closes_it() -> None:
    transfer = TransferBuilder().start()
    transfer.apply(STOP)
    transfer.reply("release_caller")
    assert transfer.stage is Stage.UNWINDING
    transfer.reply("create_room", "close_room")
    assert transfer.stage is Stage.CANCELLED


def test_a_transfer_that_is_given_up_closes_a_room_that_may_be_created() -> None:
    transfer = TransferBuilder().start()
    applied = give_up(transfer.state, "It is too new.", transfer.now)
    (closed,) = [each for each in applied.outbox if isinstance(each, CloseRoom)]
    assert (closed.room_id, closed.key) == (None, "t1")
    assert applied.state.check_due_at is not None, "the close is repeated until it is confirmed"


@pytest.mark.parametrize("stage", [Stage.CANCELLED, Stage.FAILED])
def test_a_room_created_after_the_end_is_closed_once(stage: Stage) -> None:
    transfer = TransferBuilder().start()
    if stage is Stage.CANCELLED:
        transfer.apply(STOP)
    else:
        transfer.fail("hold_caller")
    transfer.fire_timers_until(stage)
    room = RoomCreated(command_id="t1-3", room_id=CONSULTATION)
    assert [type(each) for each in transfer.apply(room)] == [CloseRoom]
    assert transfer.apply(room) == []


def test_the_close_of_a_room_created_after_the_end_is_repeated_until_it_is_confirmed() -> None:
    """The room was closed by its key, so no check is due when the late reply names the room."""
    transfer = TransferBuilder().start()
    transfer.apply(STOP)
    transfer.fire_timers_until(Stage.CANCELLED)
    (close,) = transfer.sent(CloseRoom)
    transfer.apply(RoomClosed(command_id=close.command_id))
    assert transfer.state.check_due_at is None
    transfer.apply(RoomCreated(command_id="t1-3", room_id=CONSULTATION))
    repeated = [each.room_id for each in transfer.fire_timer() if isinstance(each, CloseRoom)]
    assert repeated == [CONSULTATION]


def test_the_room_is_closed_even_if_cleanup_times_out() -> None:
    """Regression: the end of the leg was not confirmed, and the room stayed open for good."""
    transfer = TransferBuilder().until(Stage.UNWINDING).reply("release_caller", "leave_consultation")
    transfer.fire_timers_until(Stage.CANCELLED)
    assert transfer.result.evidence == {"unconfirmed": "end_call"}
    assert len(transfer.sent(CloseRoom)) == 1


@pytest.mark.parametrize("stage", [Stage.CANCELLED, Stage.FAILED])
@pytest.mark.parametrize("kind", [AudioStreamEnabled, ParticipantJoined])
def test_a_supervisor_who_joins_after_the_end_is_hung_up(stage: Stage, kind: type) -> None:
    transfer = TransferBuilder().until(stage)
    out = transfer.apply(transfer.room_event(kind, "wxs-t1-1"))
    assert [type(each) for each in out] == [EndCall, SetTimer]
    assert transfer.apply(transfer.room_event(kind, "wxa-t1")) == []
    assert transfer.stage is stage


@pytest.mark.parametrize("kind", [AudioStreamEnabled, ParticipantJoined, SupervisorDialed])
def test_the_end_of_a_leg_that_came_up_after_the_end_is_repeated(kind: type) -> None:
    """Without it a provider that was down for the time of one command left the supervisor's leg up."""
    transfer = TransferBuilder().until(Stage.FAILED)
    transfer.now += 600.0
    before = len(transfer.sent(EndCall))
    if kind is SupervisorDialed:
        transfer.apply(SupervisorDialed(command_id="t1-6", attempt=1, call_id=SUPERVISOR_CALL))
    else:
        transfer.apply(transfer.room_event(kind, "wxs-t1-1"))
    assert len(transfer.sent(EndCall)) == before + 1
    while transfer.state.check_due_at is not None:
        transfer.fire_timer()
    assert len(transfer.sent(EndCall)) > before + 3
    assert transfer.state.waits_for_archive


@pytest.mark.parametrize("stage", [Stage.CANCELLED, Stage.FAILED])
def test_the_reply_to_the_newest_end_of_a_late_leg_ends_the_checks(stage: Stage) -> None:
    """Without it the end was repeated for minutes, and the transfer was kept from the archive for a day."""
    transfer = TransferBuilder().until(stage)
    transfer.apply(transfer.room_event(ParticipantJoined, "wxs-t1-1"))
    *_, earlier, newest = transfer.sent(EndCall)
    assert transfer.apply(CallEnded(command_id=earlier.command_id, attempt=1, existed=False)) == []
    assert transfer.state.supervisor_leg.may_be_up
    transfer.apply(CallEnded(command_id=newest.command_id, attempt=1, existed=True))
    assert not transfer.state.supervisor_leg.may_be_up
    assert transfer.state.waits_for_archive
    unknown = CallEnded(command_id=newest.command_id, attempt=1, existed=False, outcome_unknown=True)
    transfer.apply(unknown)
    assert not transfer.state.supervisor_leg.may_be_up, "a reply is handled once"


def test_an_end_with_an_unknown_outcome_is_repeated_after_the_end() -> None:
    transfer = TransferBuilder().until(Stage.FAILED)
    transfer.apply(transfer.room_event(ParticipantJoined, "wxs-t1-1"))
    newest = transfer.sent(EndCall)[-1]
    transfer.apply(CallEnded(command_id=newest.command_id, attempt=1, existed=False, outcome_unknown=True))
    assert EndCall in [type(each) for each in transfer.fire_timer()]


def test_a_room_that_is_closed_does_not_end_the_search_for_a_caller_who_was_moved_late() -> None:
    transfer = TransferBuilder().until(Stage.SWITCHING).fail("switch_caller", FailureKind.REFUSED)
    transfer.reply("release_caller", "end_call", "leave_consultation")
    transfer.fire_timers_until(Stage.FAILED)
    transfer.apply(transfer.room_event(ParticipantJoined, "wxc-t1"))
    transfer.apply(RoomClosed(command_id=transfer.sent(CloseRoom)[-1].command_id))
    assert CheckLegs in [type(each) for each in transfer.fire_timer()]


def test_a_caller_who_was_moved_after_the_end_is_looked_for_until_they_are_back() -> None:
    transfer = (
        TransferBuilder().until(Stage.SWITCHING).fail("switch_caller", FailureKind.REFUSED).finish_cleanup()
    )
    transfer.now += 600.0
    transfer.apply(transfer.room_event(ParticipantJoined, "wxc-t1"))
    assert [type(each) for each in transfer.fire_timer()] == [CheckLegs, SetTimer]
    transfer.apply(CallerReturned(command_id=transfer.sent(ReturnCaller)[-1].command_id, caller_up=True))
    assert transfer.state.caller is CallerPlace.WITH_AI


def test_a_transfer_that_an_older_version_began_does_not_repeat_the_end_of_a_late_leg() -> None:
    """Its log replays to what is stored."""
    transfer = TransferBuilder()
    transfer.begun_by_version = 3
    transfer.until(Stage.FAILED)
    out = transfer.apply(transfer.room_event(ParticipantJoined, "wxs-t1-1"))
    assert [type(each) for each in out] == [EndCall]
    assert transfer.state.check_due_at is None


def test_a_dial_reported_after_the_end_is_ended_by_its_call_id() -> None:
    transfer = TransferBuilder().until(Stage.FAILED)
    dialed = SupervisorDialed(command_id="t1-6", attempt=1, call_id=SUPERVISOR_CALL)
    end = transfer.apply(dialed)[0]
    assert (type(end), end.call_id) == (EndCall, SUPERVISOR_CALL)


@pytest.mark.parametrize("kind", [AudioStreamEnabled, ParticipantJoined])
def test_a_leg_seen_during_end_call_is_ended_again_despite_the_earlier_reply(kind: type) -> None:
    """Regression: the reply "no call existed" was under way when the leg came up, and the leg stayed up."""
    transfer = TransferBuilder().until(Stage.UNWINDING)
    no_call_existed = CallEnded(command_id=transfer.awaited("end_call"), attempt=1, existed=False)
    transfer.apply(transfer.room_event(kind, "wxs-t1-1"))
    assert transfer.apply(no_call_existed) == []
    assert len(transfer.sent(EndCall)) == 2
    assert transfer.finish_cleanup().stage is Stage.CANCELLED


def test_a_caller_moved_late_is_returned_before_the_room_is_closed() -> None:
    """Regression: the provider moved the caller late, and the room was closed with the caller inside."""
    transfer = TransferBuilder().until(Stage.SWITCHING).fail("switch_caller", FailureKind.REFUSED)
    transfer.apply(transfer.room_event(ParticipantJoined, "wxc-t1"))
    (back,) = transfer.sent(ReturnCaller)
    assert (back.room_id, back.participant_id, back.from_room_id) == (PRIMARY, "wxr-t1", CONSULTATION)
    assert transfer.finish_cleanup().stage is Stage.FAILED
    assert transfer.sent(CloseRoom) == []
    transfer.apply(CallerReturned(command_id=back.command_id, caller_up=True))
    assert [command.room_id for command in transfer.sent(CloseRoom)] == [CONSULTATION]


def test_a_caller_moved_after_the_end_is_returned() -> None:
    transfer = (
        TransferBuilder().until(Stage.SWITCHING).fail("switch_caller", FailureKind.REFUSED).finish_cleanup()
    )
    out = transfer.apply(transfer.room_event(ParticipantJoined, "wxc-t1"))
    assert [type(each) for each in out] == [ReturnCaller, SetTimer]


def test_a_dial_reported_during_cleanup_is_ended_by_its_call_id() -> None:
    transfer = TransferBuilder().until(Stage.RINGING)
    dialing = transfer.awaited("dial_supervisor")
    transfer.apply(STOP)
    transfer.apply(SupervisorDialed(command_id=dialing, attempt=1, call_id=SUPERVISOR_CALL))
    assert [end.call_id for end in transfer.sent(EndCall)] == [None, SUPERVISOR_CALL]
    assert transfer.finish_cleanup().stage is Stage.CANCELLED


def test_a_report_of_a_leg_that_was_never_dialled_ends_no_call() -> None:
    transfer = TransferBuilder().start()
    transfer.apply(STOP)
    transfer.apply(SupervisorDialed(command_id="t1-6", attempt=1, call_id=SUPERVISOR_CALL))
    assert transfer.sent(EndCall) == []


def test_a_failed_end_call_does_not_block_cleanup() -> None:
    transfer = TransferBuilder().until(Stage.UNWINDING).fail("end_call", FailureKind.BROKEN)
    assert transfer.finish_cleanup().result.evidence["end_call_failed"] is True


def test_one_result_and_no_phase_after_it() -> None:
    transfer = TransferBuilder().until(Stage.CANCELLED)
    sent_before = len(transfer.outbox)
    for _ in range(2):
        transfer.apply(transfer.room_event(AudioStreamEnabled, "wxs-t1-1"))
    sent = [each for each in transfer.outbox[sent_before:] if not isinstance(each, SetTimer)]
    assert [type(each) for each in sent] == [EndCall, EndCall]
    assert len(transfer.sent(WarmTransferResult)) == 1
    assert [phase.phase.final for phase in transfer.phases].count(True) == 1


def test_a_refused_request_ends_at_once_without_commands() -> None:
    transfer = TransferBuilder()
    transfer.apply(TransferRefused(transfer_id="t1", detail=SENTENCE))
    assert (transfer.stage, transfer.commands, transfer.phase_names) == (
        Stage.FAILED,
        [],
        ["transfer_failed"],
    )
    assert (transfer.result.outcome, transfer.result.detail) == (Outcome.INVALID_REQUEST, SENTENCE)


def test_the_first_decision_stands() -> None:
    transfer = TransferBuilder().until(Stage.BRIEFING)
    transfer.apply(STOP)
    transfer.fail("release_caller")
    assert transfer.finish_cleanup().result.outcome is Outcome.CANCELLED
    assert transfer.sent(HoldCaller)[0].fence < transfer.sent(ReleaseCaller)[0].fence


def test_create_room_is_sent_once_more_after_an_unknown_outcome() -> None:
    transfer = TransferBuilder().start().fail("create_room", FailureKind.UNKNOWN)
    assert transfer.stage is Stage.PREPARING
    assert [command.key for command in transfer.sent(CreateRoom)] == ["t1", "t1"]
    transfer.reply(*PREPARATIONS)
    assert transfer.stage is Stage.RINGING


def test_a_room_that_may_be_open_is_closed_by_its_key() -> None:
    """Regression: no reply reported the room, and it was not closed."""
    transfer = (
        TransferBuilder()
        .start()
        .fail("create_room", FailureKind.UNKNOWN)
        .fail("create_room", FailureKind.UNKNOWN)
    )
    transfer.finish_cleanup()
    (closing,) = transfer.sent(CloseRoom)
    assert (closing.room_id, closing.key) == (None, "t1")
    assert transfer.result.outcome is Outcome.ROOM_FAILED


def test_a_room_whose_creation_timed_out_is_closed_by_its_key() -> None:
    transfer = (
        TransferBuilder()
        .start()
        .reply("find_caller_call", "summarize", "hold_caller")
        .fire_timers_until(Stage.UNWINDING)
    )
    transfer.finish_cleanup()
    assert [command.room_id for command in transfer.sent(CloseRoom)] == [None]


def test_a_room_reported_after_the_close_by_key_is_closed_by_its_id() -> None:
    transfer = (
        TransferBuilder()
        .start()
        .fail("create_room", FailureKind.UNKNOWN)
        .fail("create_room", FailureKind.UNKNOWN)
        .finish_cleanup()
    )
    reports = [RoomCreated(command_id="t1-2", room_id=CONSULTATION)] * 2
    closes = [
        [each.room_id for each in transfer.apply(report) if isinstance(each, CloseRoom)] for report in reports
    ]
    assert closes == [[CONSULTATION], []]


def test_a_caller_event_without_a_room_does_not_keep_a_late_room_open() -> None:
    transfer = TransferBuilder().start()
    transfer.apply(STOP)
    transfer.reply("release_caller")
    assert transfer.apply(transfer.room_event(ParticipantJoined, "wxc-t1")) == []
    transfer.reply("create_room")
    assert transfer.stage is Stage.UNWINDING
    assert [command.room_id for command in transfer.sent(CloseRoom)] == [CONSULTATION]


def test_a_refused_room_is_closed_because_a_crashed_gateway_may_have_created_it() -> None:
    """Found by simulation: the first gateway's reply was lost, and the next gateway was refused."""
    transfer = TransferBuilder().start().fail("create_room", FailureKind.REFUSED).finish_cleanup()
    assert [command.room_id for command in transfer.sent(CloseRoom)] == [None]


def test_close_room_is_repeated_after_the_provider_refused_it() -> None:
    """Found by simulation (seed 4060): the provider refused once, in an outage, and was not asked again."""
    transfer = (
        TransferBuilder().until(Stage.UNWINDING).reply("release_caller", "end_call", "leave_consultation")
    )
    transfer.fail("close_room")
    assert transfer.stage is Stage.CANCELLED
    transfer.fire_timers_until_sent(CloseRoom)
    assert [command.room_id for command in transfer.sent(CloseRoom)] == [CONSULTATION] * 2
    assert len(transfer.sent(EndCall)) == 1
    transfer.apply(RoomClosed(command_id=transfer.sent(CloseRoom)[-1].command_id))
    assert transfer.state.timer_due_at is None


def test_close_room_is_repeated_for_a_limited_time_without_a_reply() -> None:
    """Every gateway was down, and the final phase did not wait for one."""
    transfer = (
        TransferBuilder().until(Stage.UNWINDING).reply("release_caller", "end_call", "leave_consultation")
    )
    transfer.fire_timers_until(Stage.CANCELLED)
    ended_at, before = transfer.now, len(transfer.sent(CloseRoom))
    while transfer.state.timer_due_at is not None:
        transfer.fire_timer()
    assert len(transfer.sent(CloseRoom)) - before == 6
    assert 175.0 < transfer.now - ended_at < 195.0
    assert len(transfer.sent(WarmTransferResult)) == 1


def test_close_room_is_not_repeated_while_the_caller_may_be_inside() -> None:
    transfer = TransferBuilder().until(Stage.SWITCHING).fail("switch_caller", FailureKind.REFUSED)
    transfer.reply("release_caller", "end_call", "leave_consultation").fail("close_room")
    transfer.apply(transfer.room_event(ParticipantJoined, "wxc-t1"))
    for _ in range(3):
        transfer.fire_timer()
    assert len(transfer.sent(CloseRoom)) == 1
    transfer.apply(CallerReturned(command_id=transfer.sent(ReturnCaller)[0].command_id, caller_up=True))
    assert len(transfer.sent(CloseRoom)) == 2


def test_end_call_is_repeated_for_a_limited_time_after_an_unknown_outcome() -> None:
    """The provider may ring the supervisor after every actor stopped waiting."""
    transfer = TransferBuilder().until(Stage.RINGING).fail("dial_supervisor", FailureKind.UNKNOWN)
    transfer.apply(
        CallEnded(command_id=transfer.awaited("end_call"), attempt=1, existed=False, outcome_unknown=True)
    )
    transfer.finish_cleanup()
    ended_at, before = transfer.now, len(transfer.sent(EndCall))
    while transfer.state.timer_due_at is not None:
        transfer.fire_timer()
    assert transfer.stage is Stage.FAILED
    assert len(transfer.sent(EndCall)) - before == 6
    assert 175.0 < transfer.now - ended_at < 185.0
    assert len(transfer.sent(WarmTransferResult)) == 1


def test_no_cleanup_check_follows_a_leg_that_was_confirmed_down() -> None:
    transfer = TransferBuilder().until(Stage.UNWINDING).finish_cleanup()
    assert (transfer.state.timer_due_at, transfer.state.supervisor_leg.may_be_up) == (None, False)


def test_end_call_is_repeated_after_it_failed() -> None:
    transfer = TransferBuilder().until(Stage.UNWINDING).fail("end_call", FailureKind.BROKEN).finish_cleanup()
    assert transfer.fire_timers_until_sent(EndCall).stage.ended
