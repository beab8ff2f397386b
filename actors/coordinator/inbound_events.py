"""From a message that arrived to the event it means for the machine."""

from __future__ import annotations

from warmxfer.bus import DeadLetter, Delivery
from warmxfer.schemas import (
    AnyEvent,
    CancelRequested,
    DeadlinePassed,
    DecodeError,
    InvalidRequest,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    decode_event,
    read_cancel,
    read_request,
)

INTERNAL_EVENTS = (TransferRequested, TransferRefused, TransferBroken, CancelRequested, DeadlinePassed)
"""Events with a subject of their own, or of our own making: on `event` they are a forgery or a mistake."""


def decode_trigger(delivery: Delivery) -> AnyEvent:
    """What `delivery` says; raises `Park` for what nobody can read."""
    match delivery.kind:
        case "request":
            return _requested(delivery)
        case "cancel":
            return _cancelled(delivery)
        case "timeout":
            return _decoded(delivery, only=(DeadlinePassed,))
        case _:
            return _decoded(delivery, but=INTERNAL_EVENTS)


def _requested(delivery: Delivery) -> TransferRequested | TransferRefused:
    try:
        return TransferRequested(transfer_id=delivery.transfer_id, request=read_request(delivery.data))
    except InvalidRequest as refusal:
        return TransferRefused(transfer_id=delivery.transfer_id, detail=str(refusal))


def _cancelled(delivery: Delivery) -> CancelRequested:
    try:
        return CancelRequested(reason=read_cancel(delivery.data).reason)
    except InvalidRequest as refusal:
        raise DeadLetter(str(refusal), field=refusal.field) from refusal


def _decoded(delivery: Delivery, *, only: tuple[type, ...] = (), but: tuple[type, ...] = ()) -> AnyEvent:
    try:
        event = decode_event(delivery.data)
    except DecodeError as error:
        raise DeadLetter(f"{delivery.kind} is no event of ours: {error}") from error
    if (only and not isinstance(event, only)) or isinstance(event, but):
        raise DeadLetter(f"{type(event).__name__} does not belong on {delivery.kind}")
    return event
