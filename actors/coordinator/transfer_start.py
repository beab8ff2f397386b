"""What a transfer starts with: its request, or the reason why it may not start.

The checks stand in this order: the dial policy, the limits of this deployment (`admission.py`), and then the
lock of the caller, which is written. Only a request starts a transfer. The gateway checks the dial policy
again right before each dial. If it has another policy, its refusal ends the transfer.
"""

from __future__ import annotations

import asyncio

import structlog
from msgspec.structs import replace

from warmxfer.bus import BrokerClock, Budget, Bus, Delivery, RetryableError, Unwanted, subjects
from warmxfer.schemas import (
    AnyEvent,
    InvalidRequest,
    Outcome,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    WarmTransferConfig,
)
from warmxfer.schemas.fields import SENTENCE_MAX_CHARS

from ..common.dial_policy import DialPolicy
from .admission import Admission
from .caller_lock import lock_caller
from .liveness import TransferLiveness
from .state_machine import MACHINE_VERSION, timeouts

EARLY_TRIES = 4
EARLY_RETRY_S = 0.25
"""A user's cancel may arrive before the request. It is retried a few times, then dead-lettered."""
EARLY_BURST, EARLY_PER_S = 50, 10.0
"""Cancels without a request that are retried. More of them are a flood."""
NOTED_WAIT_S = 0.5
"""A request that waited for less starts when it was stored."""

log = structlog.get_logger(__name__)


class TransferStart:
    """Decides on the first event of a transfer. `archive_after_s`: when its end is archived; None: never."""

    def __init__(
        self,
        bus: Bus,
        clock: BrokerClock,
        *,
        policy: DialPolicy,
        admission: Admission,
        liveness: TransferLiveness,
        archive_after_s: float | None,
    ) -> None:
        self._bus = bus
        self._clock = clock
        self._policy = policy
        self._admission = admission
        self._liveness = liveness
        self._archive_after_s = archive_after_s
        self._early_cancels = Budget(EARLY_BURST, EARLY_PER_S)

    async def first_event(self, event: AnyEvent, delivery: Delivery) -> AnyEvent:
        """Return the event that starts the transfer, with what a transfer of an older version does not do."""
        event = await self._checked(event, delivery)
        if isinstance(event, TransferRequested):
            return replace(
                event,
                archive_after_s=self._archive_after_s,
                alone_notice_s=timeouts.ALONE_NOTICE_S,
                begun_by_version=MACHINE_VERSION,
            )
        if isinstance(event, TransferRefused | TransferBroken):
            return replace(event, archive_after_s=self._archive_after_s)
        return event

    async def _checked(self, event: AnyEvent, delivery: Delivery) -> AnyEvent:
        """Return the event that starts the transfer; only a request can."""
        if isinstance(event, TransferRequested):
            id, config = event.transfer_id, event.request.config
            rejection = self._dial_rejection(id, config)
            if rejection is None:
                rejection = await self._admission.admit(id, delivery.at, config)
            if rejection is not None:
                return rejection
            conflicting_id = await lock_caller(
                self._bus,
                event.request.session_name,
                event.transfer_id,
                delivery.at,
                self._liveness.holds_caller,
            )
            return TransferRequested(
                transfer_id=event.transfer_id,
                request=event.request,
                conflicting_transfer_id=conflicting_id,
                waited_s=self._waited_s(delivery),
            )
        if delivery.kind == "request":
            return event
        was_requested = (
            await self._bus.get_last_from_leader(subjects.request(delivery.transfer_id)) is not None
        )
        if was_requested or self._may_be_early(delivery):
            # The coordinator that took the request may have crashed; then the request is redelivered.
            raise RetryableError(f"No transfer {delivery.transfer_id} yet", after_s=EARLY_RETRY_S)
        raise Unwanted(f"there is no transfer {delivery.transfer_id}")

    def _dial_rejection(self, id: str, config: WarmTransferConfig) -> TransferRefused | None:
        """Return why transfer `id` may not start, or None if each of its calls may be dialled."""
        try:
            self._policy.check_request(config)
        except InvalidRequest as error:
            log.warning("transfer_rejected", transfer_id=id, reason="dial policy", field=error.field)
            detail = str(error)[:SENTENCE_MAX_CHARS]
            return TransferRefused(transfer_id=id, detail=detail, outcome=Outcome.DIAL_FAILED)
        return None

    def _waited_s(self, delivery: Delivery) -> float:
        """Return how long a request waited, which takes no time of its transfer; 0 for the usual moment."""
        waited_s = self._clock.now() - delivery.at
        return round(waited_s, 3) if waited_s > NOTED_WAIT_S else 0.0

    def _may_be_early(self, delivery: Delivery) -> bool:
        """Return whether the request may still come, after its user's cancel. In a flood or a replay not."""
        if delivery.kind != "cancel" or delivery.replayed or delivery.delivery_count >= EARLY_TRIES:
            return False
        return delivery.delivery_count > 1 or self._early_cancels.take(asyncio.get_running_loop().time())
