"""Metrics of the requests to a telephony provider."""

from __future__ import annotations

from warmxfer.metrics import LATENCY_BOUNDS_S, Counter, Histogram, Label

ENDINGS = (
    "answered",
    "rate_limited",
    "not_found",
    "rejected",
    "outcome_unknown",
    "not_sent",
    "clock_wrong",
    "abandoned",
)
OPERATION = Label("operation", what="method and path template of the API, such as `POST /v2/rooms`")

REQUESTS = Counter(
    "warmxfer_provider_requests_total",
    "Requests to the provider, each repetition on its own, by how they ended.",
    OPERATION,
    Label("ended", ENDINGS),
)
LATENCY = Histogram(
    "warmxfer_provider_request_seconds",
    "How long a request to the provider took, without the wait for the rate limit.",
    OPERATION,
    bounds=LATENCY_BOUNDS_S,
)
