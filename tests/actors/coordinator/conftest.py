"""What the tests of the coordinator share."""

import pytest

from warmxfer.actors.coordinator import admission_limits

LISTEN_S = 0.05


@pytest.fixture(autouse=True)
def short_listening(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a coordinator that starts listen for a moment: here no briefing agent announces its places."""
    monkeypatch.setattr(admission_limits, "LISTEN_S", LISTEN_S)
