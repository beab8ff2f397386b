"""Runs an actor as a process: signals, logs, health probe, exit codes."""
