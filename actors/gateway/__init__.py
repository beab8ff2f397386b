"""The SIP gateway: rooms, dials, switches and hang-ups at the telephony provider, and its webhooks.

The law of this room: the provider's secret stays here, no effect happens twice (`effects.py`), and nothing
here names a vendor: that is `warmxfer.adapters.telephony`.
"""

from __future__ import annotations

from .actor import run
from .dial_policy import DialPolicy
from .settings import GatewaySettings

__all__ = ["DialPolicy", "GatewaySettings", "run"]
