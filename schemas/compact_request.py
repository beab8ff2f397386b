"""A request without what has its default: as a client sends it, and as a record holds it.

A request stands in each record of its transfer, and most of it is default lines. A line is left out only if
it has the text that `SpokenLines` declares.

- Invariant: each destination is written whole. The gateway compares it with the command to dial.
- Invariant: what is left out is read back as it was. Test: `test_compact_request.py`.

So a default is a part of every stored log: after a release, a test of `tests/golden` fails for one that was
changed. Then `record.py` has to fill the earlier text into records of earlier versions.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any, Final, NamedTuple

import msgspec
from msgspec import NODEFAULT, Struct

from .transfer import SpokenLines, WarmTransferConfig, WarmTransferRequest

MAX_KEPT: Final = 1_024
"""Requests whose compact form is kept: each is written with every record of its transfer."""


class _Field(NamedTuple):
    name: str
    encode_name: str
    default: Any
    """A required field has `NODEFAULT`, which equals no value."""


def _fields_of(kind: type[Struct]) -> tuple[_Field, ...]:
    fields = msgspec.structs.fields(kind)
    return tuple(
        _Field(
            each.name,
            each.encode_name,
            each.default if each.default_factory is NODEFAULT else each.default_factory(),
        )
        for each in fields
    )


_FIELDS: Final[dict[type[Struct], tuple[_Field, ...]]] = {
    kind: _fields_of(kind) for kind in (WarmTransferRequest, WarmTransferConfig, SpokenLines)
}
"""The structs that are written without their defaults."""
_kept: OrderedDict[int, tuple[WarmTransferRequest, bytes]] = OrderedDict()


def compact_request(request: WarmTransferRequest) -> bytes:
    """Return `request` as JSON without what has its default."""
    return msgspec.json.encode(_compact(request))


def kept_compact_request(request: WarmTransferRequest) -> bytes:
    """Return the same, and keep it for the next record of the transfer."""
    kept = _kept.get(id(request))
    if kept is not None and kept[0] is request:
        return kept[1]
    data = compact_request(request)
    _kept[id(request)] = request, data
    if len(_kept) > MAX_KEPT:
        _kept.popitem(last=False)
    return data


def _compact(value: Struct) -> dict[str, Any]:
    written: dict[str, Any] = {}
    for name, encode_name, default in _FIELDS[type(value)]:
        held = getattr(value, name)
        if held != default or type(held) is not type(default):
            written[encode_name] = _compact(held) if type(held) in _FIELDS else held
    return written
