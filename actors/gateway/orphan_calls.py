"""Clean-up of orphan legs: legs of this deployment that no transfer owns any more.

A transfer ends its own legs, even after its end. A transfer that the broker has lost cannot: its stream was
deleted, or an old copy of the stream was put back. So each gateway of a named deployment reads from time to
time which legs are up under that name.

- Invariant: when in doubt, keep the call. A leg is ended only if three facts hold in `SCANS` successive
  scans: a coordinator replied that its transfer is not live, no success of the transfer is known, and no
  caller is in its room.
- Invariant: a gateway without a deployment name ends no orphan leg. Another deployment may dial through the
  same project of the provider.

Test: `tests/actors/gateway/test_orphan_calls.py`.
"""

from __future__ import annotations

import asyncio
import random
from collections.abc import Mapping
from typing import Final

import structlog

from warmxfer.adapters.telephony import CallRecord, Provider
from warmxfer.bus import Bus, subjects
from warmxfer.bus.archive import archived_success
from warmxfer.schemas import DecodeError, WarmxferError, decode_result, format_traceback

from ..common.liveness import is_live
from . import call_marks

SCAN_TIMEOUT_S: Final = 60.0
LIST_TIMEOUT_S: Final = 40.0
"""For all pages of the list: a busy project has thousands of calls in `LOOK_BACK_S`."""
LIVENESS_TIMEOUT_S: Final = 2.0
LOOK_BACK_S: Final = 7_200.0
"""Legs that began earlier are not read: the list of calls would grow without end."""
MAX_LEGS: Final = 2_000
SCANS: Final = 3
"""Successive scans that must find a leg to be an orphan. A caller whose move was requested before the stream
was lost may be in no room yet. At the default interval, three scans give a late move at least 90 s.
"""

log = structlog.get_logger(__name__)


class OrphanCallReaper:
    """Scans about every `interval_s`, with a random part: the gateways of a deployment scan at different
    times.
    """

    def __init__(self, bus: Bus, provider: Provider, deployment: str, interval_s: float) -> None:
        self._bus = bus
        self._provider = provider
        self._deployment = deployment
        self._interval_s = interval_s
        self._suspects: Mapping[str, int] = {}
        """In how many successive scans each leg was an orphan."""

    async def run(self) -> None:
        """Scan until cancelled."""
        while True:
            await asyncio.sleep(self._interval_s * random.uniform(0.75, 1.0))
            try:
                async with asyncio.timeout(SCAN_TIMEOUT_S):
                    await self.scan()
            except (WarmxferError, TimeoutError) as error:
                # A gateway whose scan fails must still execute commands.
                log.warning("orphan_scan_failed", cause=str(error) or type(error).__name__)
            except Exception as error:  # a bug in the clean-up must not end the gateway either
                log.error("orphan_scan_crashed", exception=format_traceback(error))

    async def scan(self) -> None:
        """Read the legs once; end each leg that the scans before also found to be an orphan."""
        legs = await self._provider.find_marked_calls(
            call_marks.deployment_metadata(self._deployment), LOOK_BACK_S, within_s=LIST_TIMEOUT_S
        )
        suspects = dict[str, int]()
        for leg in legs[:MAX_LEGS]:
            # One leg that cannot be read or ended must not keep the others up.
            try:
                if await self._is_orphan(leg):
                    suspects[leg.call_id] = self._suspects.get(leg.call_id, 0) + 1
                    if suspects[leg.call_id] >= SCANS:
                        await self._end(leg)
            except WarmxferError as error:
                suspects[leg.call_id] = self._suspects.get(leg.call_id, 0)
                log.warning("orphan_scan_failed", leg=leg.call_id, cause=str(error))
        self._suspects = suspects

    async def _is_orphan(self, leg: CallRecord) -> bool:
        owner = call_marks.parse_call_metadata(leg.metadata)
        if owner is None or leg.room_id is None or await self._succeeded(owner.transfer_id):
            return False
        if await is_live(self._bus, owner.transfer_id, LIVENESS_TIMEOUT_S) is not False:
            return False
        return await self._provider.find_caller_call(leg.room_id) is None

    async def _succeeded(self, transfer_id: str) -> bool:
        """Return whether a success is known. A result that cannot be decoded counts as one."""
        stored = await self._bus.get_last_from_leader(subjects.result(transfer_id))
        try:
            if stored is None:
                return await archived_success(self._bus, transfer_id)
            return decode_result(stored.data).success
        except DecodeError:
            return True

    async def _end(self, leg: CallRecord) -> None:
        """Hang up, and close the consultation room: a briefing agent may still be in it.

        The leg of a rescue is in the primary room, which is not ours to close.
        """
        owner = call_marks.parse_call_metadata(leg.metadata)
        log.error("orphan_call_ended", transfer_id=owner and owner.transfer_id)
        await self._provider.end(leg.call_id)
        if leg.room_id is not None and owner is not None and owner.role == "supervisor":
            await self._provider.close_room(leg.room_id)
