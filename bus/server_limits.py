"""What one connection may cost a nats-server: in the shipped configuration, and in the local stack."""

from __future__ import annotations

MAX_PAYLOAD_BYTES = 256 * 1024
"""Twice the largest message of a stream: a reply of many messages is sent as several."""
MAX_CONNECTIONS = 10_000
"""Each process has one."""
MAX_SUBSCRIPTIONS = 50_000
"""Of one connection. A process with 10,000 AI sessions has as many: a session has less than five."""
MAX_PENDING_BYTES = 64 * 1024 * 1024
"""What waits for one slow reader. Beyond it the connection is closed."""
MAX_LINE_BYTES = 4_096
"""A protocol line: subjects, and the name of a queue."""
WRITE_DEADLINE_S = 10
"""A reader that takes nothing for so long is disconnected.

The time to log in is nats-server's own, 2 seconds.
"""

LIMITS = f"""\
# What one connection may cost.
max_payload: {MAX_PAYLOAD_BYTES}
max_connections: {MAX_CONNECTIONS}
max_subscriptions: {MAX_SUBSCRIPTIONS}
max_pending: {MAX_PENDING_BYTES}
max_control_line: {MAX_LINE_BYTES}
write_deadline: "{WRITE_DEADLINE_S}s"
"""
