"""Limits of an existing stream that would discard live data. warmxfer refuses such a stream.

A stream at such a limit deletes its oldest messages, which are logs, claims and timers of running transfers.
It refuses nothing. `discard: new` would refuse instead, and excludes the message schedules of our timers
(error 10052). The storage limit of the account, or of the server, refuses a write and deletes nothing.

`WARMXFER_IN` has no schedules. It refuses a request beyond its `max_bytes`, so such a limit is right there.
`WARMXFER_ARCHIVE` holds nothing that a running transfer needs: any limit is right there.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .errors import InvalidRequest
from .subject_table import ARCHIVE, IN

_REMEDIES = {
    "max_bytes": "--max-bytes=-1",
    "max_msgs": "--max-msgs=-1",
    "max_msgs_per_subject": "--max-msgs-per-subject=-1",
}
_REFUSING = ("max_bytes", "max_msgs")
"""Limits at which a stream with `discard: new` refuses a message."""


def check_limits(stream: str, config: Mapping[str, Any]) -> None:
    """Raise `InvalidRequest` if `stream` has a limit at which it deletes what a running transfer needs."""
    for field, remedy in () if stream == ARCHIVE else _REMEDIES.items():
        value = int(config.get(field) or 0)  # 0 and -1: no limit
        if value > 0 and not (stream == IN and field in _REFUSING):
            raise InvalidRequest(
                f"{field} of stream {stream} is {value}, at which the stream deletes messages of "
                f"running transfers; remove it (nats stream edit {stream} {remedy}) and limit the storage of "
                "the account instead",
                field=field,
            )
    if config.get("persist_mode") == "async":
        raise InvalidRequest(
            f"persist_mode of stream {stream} is 'async', so an acknowledged message may be lost; "
            f"back the stream up, delete it (nats stream rm {stream}) and start again",
            field="persist_mode",
        )
