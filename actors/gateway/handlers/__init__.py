"""Command handlers: one file for each family of commands."""
