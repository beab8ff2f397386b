"""nats-server, the sandbox and the actors as processes on one machine."""
