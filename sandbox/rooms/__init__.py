"""Rooms: participants, speech, recordings and the WebSocket protocol."""
