"""What every actor does with commands, replies and liveness."""
