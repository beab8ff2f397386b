"""How many gateways share the provider's rate limit. Pure.

Each gateway announces itself (`actors/common/capacity.py`) and hears the others. It takes an equal part of
the limit, so no message is exchanged before a request.

Test: `tests/actors/gateway/test_rate_limit.py`.
"""

from __future__ import annotations

from ..common.capacity import LIVE_S, RoleCapacity

MAX_GATEWAYS = 1_024


class LiveGateways:
    """The gateways that one of them has heard of. It always counts itself."""

    def __init__(self, own: str) -> None:
        self._own = own
        self._heard_at: dict[str, float] = {}

    def heard(self, capacity: RoleCapacity, now: float) -> int:
        """Note one announcement. Returns how many gateways are live."""
        if not capacity.live:
            self._heard_at.pop(capacity.instance, None)
        elif capacity.instance in self._heard_at or len(self._heard_at) < MAX_GATEWAYS:
            self._heard_at[capacity.instance] = now
        self._heard_at = {each: at for each, at in self._heard_at.items() if now - at <= LIVE_S}
        return len(self._heard_at.keys() | {self._own})
