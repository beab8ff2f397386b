"""Scripted people and their phone numbers."""
