"""An actor becomes a process: signals, logs, health, exit codes."""
