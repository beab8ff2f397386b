"""Sandbox rooms, over a WebSocket."""
