"""A transfer id belongs to one request: another request with the same id is refused with a notice.

The request that owns an id is the one that its first log record names. While no record names one, it is the
first one in the stream, even if a coordinator that died has taken it. The same request again, in whatever
bytes, has no effect.

- Invariant: a request starts a transfer only if no different request with its id is stored before it. Several
  coordinators handle requests in any order. Test: `tests/actors/coordinator/test_request_owner.py`.
- Invariant: a refusal writes no record, so the transfer that owns the id goes on unchanged.
"""

from __future__ import annotations

from collections.abc import Mapping

import structlog

from warmxfer.bus import Bus, Delivery, RetryableError, Stored, subjects
from warmxfer.bus.messages import NO_HEADERS, TTL
from warmxfer.bus.transfer_log import REPLICA_BEHIND_S
from warmxfer.schemas import (
    DecodeError,
    NoticeKind,
    TransferNotice,
    WarmTransferPhase,
    WarmTransferRequest,
    decode_phase,
    encode,
)
from warmxfer.schemas.archived import ArchivedTransfer
from warmxfer.schemas.id_in_use import IdInUse, same_request

from .state_machine import plain_record

NOTICE_TTL_S = 3_600
"""How long the notice about the id of an archived transfer is stored."""

log = structlog.get_logger(__name__)


async def is_first_request(bus: Bus, delivery: Delivery) -> bool:
    """Return whether no different request with this id is stored before `delivery`.

    Raises `RetryableError` if the replica that answers does not have `delivery` itself yet.
    """
    stored = await bus.history(subjects.request(delivery.transfer_id), 1)
    if stored:
        return stored[0].seq >= delivery.seq or same_request(stored[0].data, delivery.data)
    if await bus.get_last_from_leader(subjects.request(delivery.transfer_id)) is None:
        return True  # Every request with this id was purged meanwhile, this one too.
    raise RetryableError("A replica does not have this request yet", after_s=REPLICA_BEHIND_S)


async def owns_transfer(bus: Bus, delivery: Delivery, recorded: WarmTransferRequest | None) -> bool:
    """Return whether `delivery` is the request of its transfer, or equal to it. The transfer has a record.

    `recorded` is the request in the newest record. It decides if the request itself has expired.
    """
    trigger = await _first_trigger(bus, delivery.transfer_id)
    if trigger == delivery.seq:
        return True
    owner = await _request_at(bus, delivery.transfer_id, trigger)
    body = owner.data if owner else encode(recorded)
    return same_request(body, delivery.data)


async def started_transfer(bus: Bus, delivery: Delivery) -> bool:
    """Return whether this very message started the transfer, which has a record."""
    return await _first_trigger(bus, delivery.transfer_id) == delivery.seq


async def refuse(bus: Bus, delivery: Delivery) -> None:
    """Publish the notice that the id of `delivery` is in use, and remove the request.

    A repeat of the notice is stored once.
    Users may read only the newest request with an id. Without this one, it is the request that owns the id.
    """
    await _refuse(bus, delivery, await _newest_phase(bus, delivery.transfer_id), NO_HEADERS)
    await bus.delete(subjects.IN, delivery.seq)


async def refuse_archived(bus: Bus, delivery: Delivery, archived: ArchivedTransfer | None) -> None:
    """Publish that notice for the id of a transfer that is `archived`. It expires."""
    phase, erased = (None, False) if archived is None else (archived.phase, archived.erased)
    await _refuse(bus, delivery, phase, {TTL: f"{NOTICE_TTL_S}s"}, erased=erased)


async def _refuse(
    bus: Bus,
    delivery: Delivery,
    phase: WarmTransferPhase | None,
    headers: Mapping[str, str],
    *,
    erased: bool = False,
) -> None:
    notice = TransferNotice(
        notice=NoticeKind.ID_IN_USE,
        detail=str(IdInUse(delivery.transfer_id, phase, erased=erased)),
        data={"phase": phase},
        timestamp=delivery.at,
    )
    msg_id = f"{delivery.transfer_id}:{delivery.seq}:{notice.notice.value}"
    await bus.publish(subjects.notice(delivery.transfer_id), encode(notice), msg_id=msg_id, headers=headers)
    log.warning("request_refused", transfer_id=delivery.transfer_id, why=notice.notice.value, phase=phase)


async def _first_trigger(bus: Bus, id: str) -> int:
    """Return the stream sequence of the message that caused the first record that is still stored.

    If that record names none, it is the first stored request, as while there is no record; 0 without one.
    """
    stored = await bus.history(subjects.log(id), 1)
    if not stored:
        raise RetryableError("A replica does not have the record yet", after_s=REPLICA_BEHIND_S)
    trigger = plain_record(stored[0].data).get("trigger")
    if isinstance(trigger, int) and not isinstance(trigger, bool):
        return trigger
    requests = await bus.history(subjects.request(id), 1)
    return requests[0].seq if requests else 0


async def _request_at(bus: Bus, id: str, seq: int) -> Stored | None:
    stored = await bus.history(subjects.request(id), 1, after=seq - 1)
    return stored[0] if stored and stored[0].seq == seq else None


async def _newest_phase(bus: Bus, id: str) -> WarmTransferPhase | None:
    stored = await bus.get_last(subjects.phase(id))
    try:
        return decode_phase(stored.data).phase if stored else None
    except DecodeError as error:
        log.info("phase_undecodable", transfer_id=id, cause=str(error))
        return None
