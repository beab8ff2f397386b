"""The span of one delivery of a message. Its id is derived, so that the next delivery can link to it."""

from __future__ import annotations

from warmxfer.tracing import Attribute, AttributeValue, SpanContext, TraceParent, handle, span_id_of

from .messages import Delivery

SYSTEM, PROCESS = "nats", "process"


def delivery_span(
    queue: str,
    delivery: Delivery,
    parent: TraceParent,
    name: str = "",
    links: tuple[TraceParent, ...] = (),
) -> SpanContext:
    """Return the context of the span of `delivery`, a message of `queue`, inside `parent`.

    A redelivery links to the delivery before it, whose process may have died.
    """
    count = delivery.delivery_count
    attributes: dict[Attribute, AttributeValue] = {
        Attribute.SYSTEM: SYSTEM,
        Attribute.OPERATION: PROCESS,
        Attribute.QUEUE: queue,
        Attribute.DELIVERY: count,
        Attribute.TRANSFER_ID: delivery.transfer_id,
    }
    if count > 1:
        links = (*links, parent.with_span(_span_id(delivery, count - 1)))
    return handle(
        name or f"process {queue}", parent, attributes, span_id=_span_id(delivery, count), links=links
    )


def _span_id(delivery: Delivery, count: int) -> int:
    return span_id_of("delivery", delivery.consumer, delivery.seq, delivery.at, count)
