"""Rooms of VideoSDK, through its agents framework."""
