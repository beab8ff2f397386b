"""One request per transfer id: whether two requests are the same, and the error if they are not."""

from __future__ import annotations

from collections.abc import Collection

import msgspec

from .errors import InvalidRequest
from .personal_data import Kind, without
from .transfer import WarmTransferPhase, with_defaults
from .validation import read_request


class IdInUse(InvalidRequest):
    """The transfer id belongs to another request; `phase` is the newest phase of its transfer, if any.

    Of an erased transfer nothing tells which request it had, so no request may have its id again.
    """

    def __init__(self, id: str, phase: WarmTransferPhase | None, *, erased: bool = False) -> None:
        if erased:
            super().__init__(
                f"id is '{id}', which belongs to a transfer that was erased; give a new id.", field="id"
            )
            self.phase = phase
            return
        state = f"phase {phase.value}" if phase else "not started"
        super().__init__(
            f"id is '{id}', which belongs to another request ({state}); "
            "give a new id, or send that request unchanged.",
            field="id",
        )
        self.phase = phase


def same_request(one: bytes, other: bytes, left_out: Collection[Kind] = ()) -> bool:
    """Return whether two bodies are the same request: equal after decoding, with the defaults filled in.

    With `left_out`, they are compared without that personal data: the archive does not have it.
    """
    if one == other:
        return True
    return _decoded(without(one, left_out)) == _decoded(without(other, left_out))


def _decoded(body: bytes) -> object:
    """Return the request in `body`; of an invalid one the plain JSON, or else the bytes."""
    try:
        return with_defaults(read_request(body))
    except InvalidRequest:
        try:
            return msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return body
