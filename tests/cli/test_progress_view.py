"""What is shown of one transfer that is followed."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from warmxfer.bus import Unavailable
from warmxfer.cli.progress_view import follow_one
from warmxfer.schemas import Outcome, PhaseChanged, TransferNotice, WarmTransferPhase, WarmTransferResult

RESULT = WarmTransferResult(
    success=True,
    phase=WarmTransferPhase.TRANSFER_COMPLETE,
    outcome=Outcome.COMPLETE,
    consultation_room_id="room-t-1",
    supervisor_call_id="call-2",
    switched_call_id="call-1",
    summary="Ann wants a refund.",
)


class TransferWithoutNotices:
    """A transfer that has ended. From then on its notices cannot be read."""

    id = "t-1"

    async def phases(self) -> AsyncIterator[PhaseChanged]:
        yield PhaseChanged(
            phase=WarmTransferPhase.TRANSFER_COMPLETE,
            data={},
            timestamp=1.0,
            consultation_room_id=None,
            seq=1,
        )

    async def result(self, timeout_s: float) -> WarmTransferResult:
        return RESULT

    async def notices(self, *, follow: bool = True) -> AsyncIterator[TransferNotice]:
        raise Unavailable("The broker did not answer")
        yield  # makes it a generator


@pytest.mark.parametrize("json", [True, False])
async def test_a_result_is_shown_although_the_notices_cannot_be_read(
    json: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without the mend the command said "unavailable", and a script requested the transfer again."""
    transfer: Any = TransferWithoutNotices()
    assert await follow_one(transfer, json)
    assert "complete" in capsys.readouterr().out
