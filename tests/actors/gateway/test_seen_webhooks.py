"""The webhooks that were taken: of each transfer the newest ones, of the newest transfers."""

from __future__ import annotations

import hashlib
import tracemalloc

import pytest

from warmxfer.actors.gateway import seen_webhooks
from warmxfer.actors.gateway.seen_webhooks import MAX_TRANSFERS, SeenWebhooks

PER_TRANSFER = 12
MAX_BYTES_PER_TRANSFER = 512


def sha256(body: str) -> str:
    return hashlib.sha256(body.encode()).hexdigest()


A, B, C = map(sha256, "abc")


def test_a_body_is_known_after_it_was_added_and_only_of_its_transfer() -> None:
    seen = SeenWebhooks()
    seen.add("t1", A)
    seen.add("t1", B)
    assert [("t1", each) in seen for each in (A, B, C)] == [True, True, False]
    assert ("t2", A) not in seen


def test_digests_are_compared_whole() -> None:
    """The end of one and the start of the next could make a third."""
    seen = SeenWebhooks()
    first, second = "00" * 4 + "11" * 28, "22" * 32
    seen.add("t1", first)
    seen.add("t1", second)
    assert ("t1", "11" * 4 + "22" * 28) not in seen


def test_the_oldest_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(seen_webhooks, "MAX_TRANSFERS", 2)
    monkeypatch.setattr(seen_webhooks, "MAX_PER_TRANSFER", 2)
    seen = SeenWebhooks()
    for each in (A, B, C):
        seen.add("t1", each)
    assert [("t1", each) in seen for each in (A, B, C)] == [False, True, True]
    seen.add("t2", A)
    seen.add("t3", A)
    assert ("t1", C) not in seen
    assert ("t3", A) in seen


def test_many_transfers_need_little_memory() -> None:
    """A gateway grew by 2 KB with each transfer until it remembered all that it may."""
    seen = SeenWebhooks()
    tracemalloc.start()
    try:
        for number in range(MAX_TRANSFERS):
            for body in range(PER_TRANSFER):
                seen.add(f"transfer-{number}", sha256(f"{number}:{body}"))
        used, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert used < MAX_TRANSFERS * MAX_BYTES_PER_TRANSFER
