"""A VideoSDK cloud on your own machine: REST API, webhooks, rooms, and scripted people who answer phones.

- Invariant: the sandbox imports no other package of warmxfer (`tests/sandbox/test_server.py`).
- Invariant: only the base URL differs between the sandbox and the real cloud.
- Invariant: the ledger holds every action that the sandbox executed.
"""

from .server import CannotBind, serve
from .settings import Settings

__all__ = ["CannotBind", "Settings", "serve"]
