"""SIP gateway: rooms, dials, switches and hang-ups at the telephony provider, and its webhooks.

- Invariant: the provider's secret stays in this package. Test: `tests/actors/gateway/test_secrecy.py`.
- Invariant: the gateway causes no effect twice (`at_most_once.py`).
- Invariant: this package names no vendor; vendors are in `warmxfer.adapters.telephony`.
"""

from __future__ import annotations

from .actor import run
from .settings import GatewaySettings

__all__ = ["GatewaySettings", "run"]
