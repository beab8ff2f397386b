"""The lease on a hold: when it expires."""

from __future__ import annotations

import pytest

from warmxfer.actors.primary.hold_lease import HoldLease

LEASE_S = 20.0


@pytest.mark.parametrize(
    ("replies", "now_s", "expired"),
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
        "no reply, within the lease",
        "no reply for a whole lease",
        "a reply renews the lease",
        "a whole lease after the reply",
        "one negative reply may be a stale read",
        "two negative replies in a row",
        "a positive reply between resets the count",
    ],
)
def test_a_lease_expires_without_a_positive_reply(
    replies: list[tuple[float, bool]], now_s: float, expired: bool
) -> None:
    lease = HoldLease(LEASE_S, 0.0)
    for at_s, live in replies:
        lease.record_reply(live, at_s)
    assert lease.expired(now_s) is expired
