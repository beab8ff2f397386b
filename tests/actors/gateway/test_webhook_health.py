"""What webhooks show: the provider reports a leg, or a report is missing."""

from __future__ import annotations

import pytest

from warmxfer.actors.gateway import webhook_health
from warmxfer.actors.gateway.webhook_health import MISSING_AFTER_S, WebhookHealth


def health(*call_ids: str) -> WebhookHealth:
    """Return the health after a webhook about each of these legs."""
    found = WebhookHealth()
    for call_id in call_ids:
        found.webhook_received(call_id, up=True)
    return found


def test_only_a_webhook_about_the_leg_shows_that_it_is_reported() -> None:
    assert health().reports("c1", 0.0) is None
    assert health("c2").reports("c1", 0.0) is None
    assert health("c1").reports("c1", 1_000_000.0) is True


def test_a_leg_that_is_down_without_a_webhook_shows_that_webhooks_are_missing() -> None:
    found = health("c1", "c2")
    found.leg_checked("c1", up=False, now=0.0)
    assert found.reports("c2", MISSING_AFTER_S) is True, "the webhook may be on its way"
    assert found.reports("c2", MISSING_AFTER_S + 0.1) is False
    found.webhook_received("c3", up=True)
    assert found.reports("c2", MISSING_AFTER_S + 0.2) is True, "webhooks arrive again"


@pytest.mark.parametrize("case", ["up", "reported down", "unknown here"])
def test_a_check_that_agrees_with_the_webhooks_shows_nothing(case: str) -> None:
    found = health("c2") if case == "unknown here" else health("c1", "c2")
    if case == "reported down":
        found.webhook_received("c1", up=False)
    found.leg_checked("c1", up=case == "up", now=0.0)
    assert found.reports("c2", 100.0) is True


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_health, "MAX_LEGS", 2)
    found = health("c1", "c2", "c3")
    assert [found.reports(each, 0.0) for each in ("c1", "c2", "c3")] == [None, True, True]
    for n in range(3):
        found.remember_caller(f"c{n}", f"t{n}")
    assert [found.transfer_of(f"c{n}") for n in range(3)] == [None, "t1", "t2"]


def test_of_the_legs_that_are_down_only_the_newest_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    """A gateway remembered 65,536 of them, which was 20 MB."""
    monkeypatch.setattr(webhook_health, "MAX_ENDED_LEGS", 2)
    legs = [f"c{n}" for n in range(1, 5)]
    found = health(*legs)
    for leg in legs:
        found.remember_caller(leg, "t1")
        for _ in range(2):  # The provider repeats a webhook.
            found.webhook_received(leg, up=False)
    assert [found.reports(each, 0.0) for each in legs] == [None, None, True, True]
    assert [found.transfer_of(each) for each in legs] == [None, None, "t1", "t1"]


def test_a_leg_that_is_reported_up_again_is_not_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    """Webhooks may arrive in another order than they were sent."""
    monkeypatch.setattr(webhook_health, "MAX_ENDED_LEGS", 1)
    found = health("c1", "c2", "c3")
    found.webhook_received("c1", up=False)
    found.webhook_received("c1", up=True)
    found.webhook_received("c2", up=False)
    found.webhook_received("c3", up=False)
    assert [found.reports(each, 0.0) for each in ("c1", "c2", "c3")] == [True, None, True]


def test_a_leg_that_ended_twice_is_forgotten_once_it_is_the_oldest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(webhook_health, "MAX_ENDED_LEGS", 2)
    found = health("c1", "c2")
    for up in (False, True, False):
        found.webhook_received("c1", up=up)
    found.webhook_received("c2", up=False)
    assert [found.reports(each, 0.0) for each in ("c1", "c2")] == [True, True]
