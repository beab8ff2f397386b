"""`warmxfer bench`: what a transfer costs on this machine, beside the cost of its messages alone."""
