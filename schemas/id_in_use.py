"""One request per transfer id: whether two requests are the same, and the error if they are not."""

from __future__ import annotations

import msgspec

from .errors import InvalidRequest
from .transfer import WarmTransferPhase, with_defaults
from .validation import read_request


class IdInUse(InvalidRequest):
    """The transfer id belongs to another request; `phase` is the newest phase of its transfer, if any."""

    def __init__(self, id: str, phase: WarmTransferPhase | None) -> None:
        state = f"phase {phase.value}" if phase else "not started"
        super().__init__(
            f"id is '{id}', which belongs to another request ({state}); "
            "give a new id, or send that request unchanged.",
            field="id",
        )
        self.phase = phase


def same_request(one: bytes, other: bytes) -> bool:
    """Return whether two bodies are the same request: equal after decoding, with the defaults filled in."""
    return one == other or _decoded(one) == _decoded(other)


def _decoded(body: bytes) -> object:
    """Return the request in `body`; of an invalid one the plain JSON, or else the bytes."""
    try:
        return with_defaults(read_request(body))
    except InvalidRequest:
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return body
