"""The floor: the messages of one transfer in raw nats-py, without a line of warmxfer. Frozen."""
