"""Mapping from an inbound message to the event for the state machine."""

from __future__ import annotations

from msgspec import UNSET, structs

from warmxfer.bus import DeadLetter, Delivery
from warmxfer.schemas import (
    DEFAULT_BRIDGE_GUARD_S,
    AnyEvent,
    CancelRequested,
    DeadlinePassed,
    DecodeError,
    InvalidRequest,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    WarmTransferRequest,
    decode_event,
    read_cancel,
    read_request,
)

INTERNAL_EVENTS = (TransferRequested, TransferRefused, TransferBroken, CancelRequested, DeadlinePassed)
"""Events with their own subject or made by the coordinator. On the subject `event` they are rejected."""


def decode_trigger(delivery: Delivery) -> AnyEvent:
    """Return the event in `delivery`. Raises `DeadLetter` if it is undecodable or on the wrong subject."""
    match delivery.kind:
        case "request":
            return _read_request(delivery)
        case "cancel":
            return _read_cancel(delivery)
        case "timeout":
            return _decode_event(delivery, allowed=(DeadlinePassed,))
        case _:
            return _decode_event(delivery, excluded=INTERNAL_EVENTS)


def _read_request(delivery: Delivery) -> TransferRequested | TransferRefused:
    try:
        request = with_defaults(read_request(delivery.data))
        return TransferRequested(transfer_id=delivery.transfer_id, request=request)
    except InvalidRequest as error:
        return TransferRefused(transfer_id=delivery.transfer_id, detail=str(error))


def with_defaults(request: WarmTransferRequest) -> WarmTransferRequest:
    """Return `request` with each default whose absence in a record means an older version's behaviour."""
    guard_s, rescue = request.config.bridge_guard_s, request.config.rescue
    config = structs.replace(
        request.config,
        bridge_guard_s=DEFAULT_BRIDGE_GUARD_S if guard_s is None else guard_s,
        rescue=None if rescue is UNSET else rescue,
    )
    return structs.replace(request, config=config)


def _read_cancel(delivery: Delivery) -> CancelRequested:
    try:
        return CancelRequested(reason=read_cancel(delivery.data).reason)
    except InvalidRequest as error:
        raise DeadLetter(str(error), field=error.field) from error


def _decode_event(
    delivery: Delivery, *, allowed: tuple[type, ...] = (), excluded: tuple[type, ...] = ()
) -> AnyEvent:
    try:
        event = decode_event(delivery.data)
    except DecodeError as error:
        raise DeadLetter(f"The message on {delivery.kind} is not a warmxfer event: {error}") from error
    if (allowed and not isinstance(event, allowed)) or isinstance(event, excluded):
        raise DeadLetter(f"{type(event).__name__} does not belong on {delivery.kind}")
    return event
