"""A missing actor: a transfer continues without a summarizer; without any other actor it fails."""

from __future__ import annotations

import pytest

from warmxfer.schemas import Outcome, WarmTransferPhase

from .stack_fixture import RESULT_TIMEOUT_S, TransferDriver, request_for

pytestmark = pytest.mark.asyncio(loop_scope="session")

FALLBACK = "Caller escalated; no conversation summary is available."


async def test_without_a_summarizer_the_transfer_completes_on_the_fallback_summary(
    driver: TransferDriver,
) -> None:
    await driver.stack.stop("summarizer")
    (caller,) = await driver.callers(1)
    call = await driver.begin(caller, summary_timeout_s=1)
    result = await call.result()
    assert (result.outcome, result.summary) == (Outcome.COMPLETE, FALLBACK)
    await call.assert_clean_end()


@pytest.mark.parametrize(
    ("missing", "outcome", "sentence"),
    [
        (
            "gateway",
            Outcome.GATEWAY_ABSENT,
            "No SIP gateway answered find_caller_call within 2 s; start one with `warmxfer run gateway`.",
        ),
        (
            "briefing",
            Outcome.BRIEFING_ABSENT,
            "No briefing agent answered join_consultation within 2 s; "
            "start one with `warmxfer run briefing`.",
        ),
        (
            "primary",
            Outcome.PRIMARY_ABSENT,
            "No primary session answered hold_caller within 2 s; attach the session in its voice-agent "
            "process, or start `warmxfer run primary`.",
        ),
    ],
)
async def test_without_another_actor_the_result_names_the_missing_actor(
    driver: TransferDriver, missing: str, outcome: Outcome, sentence: str
) -> None:
    (caller,) = await driver.callers(1)
    await driver.conversation(caller, lines=1)  # the AI is in the room
    await driver.stack.stop(missing)
    call = await driver.begin(caller, command_timeout_s=2)
    result = await call.result()
    assert result.phase is WarmTransferPhase.TRANSFER_FAILED
    assert (result.outcome, result.detail) == (outcome, sentence)
    await call.assert_clean_end(ai_killed=missing == "primary")


async def test_a_room_that_does_not_exist_is_named_without_waiting_for_a_session(
    driver: TransferDriver,
) -> None:
    (caller,) = await driver.callers(1)
    asked = request_for(caller, command_timeout_s=RESULT_TIMEOUT_S) | {"room_id": "no-such-room"}
    transfer = await driver.client.request(asked)
    result = await transfer.result(RESULT_TIMEOUT_S)
    assert (result.outcome, result.detail) == (
        Outcome.CALLER_NOT_FOUND,
        "room_id is 'no-such-room', but the provider has no such room; "
        "give the room in which the caller and the AI talk.",
    )
    assert result.evidence == {"fault": "refused", "status": None}
