"""A VideoSDK cloud on your own machine: REST, webhooks, rooms, and people who answer phones.

The law of this room: it stands in for the outside world, so it imports nothing of ours, and the base URL is
the only difference between it and the real cloud. What it executed is in its ledger.
"""

from .api.app import create_app
from .server import CannotBind, serve
from .settings import Settings

__all__ = ["CannotBind", "Settings", "create_app", "serve"]
