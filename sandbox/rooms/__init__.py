"""Rooms: participants, speech, recordings, the WebSocket protocol."""
