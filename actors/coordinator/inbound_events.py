"""Mapping from an inbound message to the event for the state machine."""

from __future__ import annotations

from msgspec.structs import replace

from warmxfer.bus import DeadLetter, Delivery, NewerVersionNeeded
from warmxfer.schemas import (
    AnyEvent,
    CancelRequested,
    CommandFailed,
    DeadlinePassed,
    DecodeError,
    FailureKind,
    InvalidRequest,
    NewerMessage,
    TransferBroken,
    TransferRefused,
    TransferRequested,
    decode_event,
    is_known,
    read_cancel,
    read_request,
    with_defaults,
)
from warmxfer.schemas.fields import SENTENCE_MAX_CHARS

from .event_writers import why_wrong_role

INTERNAL_EVENTS = (TransferRequested, TransferRefused, TransferBroken, CancelRequested, DeadlinePassed)
"""Events with their own subject or made by the coordinator. On the subject `event` they are rejected."""

MAX_KEPT = 512
"""Events that are kept from their arrival on. Those of a longer queue are decoded twice."""


def decode_trigger(delivery: Delivery) -> AnyEvent:
    """Return the event in `delivery`.

    Raises `DeadLetter` if it is undecodable, on the wrong subject or from a role that may not say it, and
    `NewerVersionNeeded` if its type is unknown.
    """
    match delivery.kind:
        case "request":
            return _read_request(delivery)
        case "cancel":
            return _read_cancel(delivery)
        case "timeout":
            return _decode_event(delivery, allowed=(DeadlinePassed,))
        case _:
            event = _decode_event(delivery, excluded=INTERNAL_EVENTS)
            if (why := why_wrong_role(event, delivery.rest)) is not None:
                raise DeadLetter(why)
            return event


def number_of_event(delivery: Delivery) -> int:
    """Return the number of `delivery` in the stream of events, or 0 if it is of another stream."""
    return delivery.seq if delivery.kind == "event" else 0


class TriggerReader:
    """Decodes each delivery once: it is checked on arrival, and handled a moment later."""

    def __init__(self) -> None:
        self._kept: dict[int, tuple[Delivery, AnyEvent]] = {}
        """By the identity of the delivery, which stays its own for as long as it is kept."""

    def check(self, delivery: Delivery) -> DeadLetter | NewerVersionNeeded | None:
        """Return why `delivery` cannot be read, or None. An invalid request counts as unreadable.

        The event of a readable one is kept until `drop`.
        """
        try:
            event = decode_trigger(delivery)
        except (DeadLetter, NewerVersionNeeded) as error:
            return error
        if isinstance(event, TransferRefused):
            return DeadLetter(event.detail)
        self._kept[id(delivery)] = delivery, event
        if len(self._kept) > MAX_KEPT:
            del self._kept[next(iter(self._kept))]
        return None

    def read(self, delivery: Delivery) -> AnyEvent:
        """Return the event in `delivery`. Raises as `decode_trigger` does."""
        kept = self._kept.get(id(delivery))
        return decode_trigger(delivery) if kept is None else kept[1]

    def drop(self, delivery: Delivery) -> None:
        """Keep the event of `delivery` no longer. Idempotent."""
        self._kept.pop(id(delivery), None)


def _read_request(delivery: Delivery) -> TransferRequested | TransferRefused:
    try:
        request = with_defaults(read_request(delivery.data))
        return TransferRequested(transfer_id=delivery.transfer_id, request=request)
    except InvalidRequest as error:
        return TransferRefused(transfer_id=delivery.transfer_id, detail=str(error)[:SENTENCE_MAX_CHARS])


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
    except NewerMessage as error:
        raise NewerVersionNeeded(f"The message on {delivery.kind} is of an unknown type") from error
    except DecodeError as error:
        raise DeadLetter(f"The message on {delivery.kind} is not a warmxfer event: {error}") from error
    if (allowed and not isinstance(event, allowed)) or isinstance(event, excluded):
        raise DeadLetter(f"{type(event).__name__} does not belong on {delivery.kind}")
    if isinstance(event, CommandFailed) and not is_known(event.failure):
        # A failure of a newer version may have had an effect.
        return replace(event, failure=FailureKind.UNKNOWN, detail=event.detail or event.failure.value)
    return event
