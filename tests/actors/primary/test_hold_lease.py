"""When a caller is given back although nobody said so."""

from __future__ import annotations

import pytest

from warmxfer.actors.primary.hold_lease import HoldLease

LEASE_S = 20.0


@pytest.mark.parametrize(
    ("heard", "now_s", "expired"),
    [
        ([], 19.9, False),
        ([], 20.0, True),
        ([(5.0, True)], 24.9, False),
        ([(5.0, True)], 25.0, True),
        ([(5.0, False)], 10.0, False),
        ([(5.0, False), (10.0, False)], 10.0, True),
        ([(5.0, False), (10.0, True), (15.0, False)], 20.0, False),
    ],
    ids=[
        "silence within the lease",
        "silence for a lease",
        "an answer renews it",
        "from the answer on",
        "one no may be a replica behind",
        "two in a row are sure",
        "a yes between wipes the first no",
    ],
)
def test_lease(heard: list[tuple[float, bool]], now_s: float, expired: bool) -> None:
    lease = HoldLease(LEASE_S, 0.0)
    for at_s, live in heard:
        lease.heard(live, at_s)
    assert lease.expired(now_s) is expired
