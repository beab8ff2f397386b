"""Rooms of the sandbox, over a WebSocket."""
