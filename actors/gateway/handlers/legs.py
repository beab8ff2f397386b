"""FindCallerCall and CheckLegs: commands that only read call records. They need no claim."""

from __future__ import annotations

import asyncio

import structlog

from warmxfer.adapters.telephony import CallRecord, Rejected
from warmxfer.schemas import (
    CallerCallFound,
    CheckLegs,
    CommandFailed,
    CommandReply,
    FailureKind,
    FindCallerCall,
    LegReport,
    LegsChecked,
    RetryableError,
)

from ...common.command_replies import command_failed, command_rejected
from ..context import GatewayContext, left_s
from ..leg_lookup import look_up
from ..provider_polling import poll_until

GONE = "gone"
log = structlog.get_logger(__name__)
UNANSWERED = "The provider did not say in time whether the caller is on the phone."


async def find_caller_call(
    context: GatewayContext, transfer_id: str, command: FindCallerCall
) -> CommandReply | None:
    """Reply with the caller's live leg: the known call, or else the caller's call in the room."""
    if context.expired(command):
        return None
    match await poll_until(
        lambda within_s: _caller_record(context, command, within_s), context.reply_deadline(command)
    ):
        case None:
            return command_failed(command, FailureKind.REFUSED, UNANSWERED)
        case Rejected(status=401 | 403) as error:
            # It says nothing about the caller.
            return command_failed(command, FailureKind.BROKEN, str(error), status=error.status)
        case Rejected() as error:
            return command_rejected(command, error)
        case (CallRecord(up=True) as found,):
            context.webhooks.remember_caller(found.call_id, transfer_id)
            return CallerCallFound(
                command_id=command.command_id, call_id=found.call_id, participant_id=found.participant_id
            )
        case _:
            return await _caller_missing(context, command)


async def _caller_record(
    context: GatewayContext, command: FindCallerCall, within_s: float
) -> tuple[CallRecord | None] | Rejected:
    """Return the record of the caller's leg, or the refusal that no later read would change."""
    try:
        if command.call_id is None:
            return (await context.provider.find_caller_call(command.room_id, within_s=within_s),)
        return (await look_up(context, command.call_id, within_s),)
    except Rejected as error:
        return error


async def check_legs(context: GatewayContext, transfer_id: str, command: CheckLegs) -> CommandReply | None:
    """Reply with the current state of both legs, which are read at the same time."""
    if context.expired(command):
        return None
    within_s = left_s(context.reply_deadline(command))
    caller, supervisor = await asyncio.gather(
        _leg_report(context, command.caller_call_id, within_s),
        _leg_report(context, command.supervisor_call_id, within_s),
    )
    return LegsChecked(
        command_id=command.command_id,
        caller=caller,
        supervisor=supervisor,
        webhooks=_webhooks(context, transfer_id, command, supervisor),
    )


def _webhooks(
    context: GatewayContext, transfer_id: str, command: CheckLegs, supervisor: LegReport | None
) -> bool | None:
    """Return whether the provider reports changes of the supervisor's leg by webhook, if that is known."""
    now, health = asyncio.get_running_loop().time(), context.webhooks
    if command.caller_call_id is not None:
        health.remember_caller(command.caller_call_id, transfer_id)
    if command.supervisor_call_id is None:
        return None
    if supervisor is not None:
        health.leg_checked(command.supervisor_call_id, up=supervisor.up, now=now)
    return health.reports(command.supervisor_call_id, now)


async def _leg_report(context: GatewayContext, call_id: str | None, within_s: float) -> LegReport | None:
    if call_id is None:
        return None
    try:
        record = await look_up(context, call_id, within_s)
    except (RetryableError, Rejected):
        return None
    return LegReport(up=False, status=GONE) if record is None else _to_report(record)


def _to_report(record: CallRecord) -> LegReport:
    return LegReport(
        up=record.up,
        room_id=record.room_id,
        status=record.status,
        cause=record.cause,
        sip_code=record.sip_code,
    )


async def _caller_missing(context: GatewayContext, command: FindCallerCall) -> CommandFailed:
    """Return the reply that the caller's call was not found, and whether at least their room was."""
    if command.call_id is not None:
        detail = f"The caller's call {command.call_id} is not up; a warm transfer needs a live phone call."
        return command_failed(command, FailureKind.REFUSED, detail)
    try:
        exists = await context.provider.room_exists(
            command.room_id, within_s=left_s(context.reply_deadline(command))
        )
    except (RetryableError, Rejected) as error:
        log.info("room_not_checked", cause=str(error))
        exists = True
    if exists:
        detail = (
            f"Caller is not a SIP participant in room {command.room_id}; "
            "a warm transfer needs a live phone call."
        )
    else:
        detail = (
            f"room_id is {command.room_id!r}, but the provider has no such room; "
            "give the room in which the caller and the AI talk."
        )
    return command_failed(command, FailureKind.REFUSED, detail, room_missing=not exists)
