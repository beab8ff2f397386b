"""Scripted people and the numbers they answer."""
