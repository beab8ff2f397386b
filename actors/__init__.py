"""PEOPLE: the five actors, the pure machine they serve, and the ports they work through.

The law of this room: actors never import each other; what they say to each other crosses the bus as a
message from `warmxfer.schemas`. `machine/` sees schemas only. A vendor is known to its own file in
`providers/` or `voices/` and to nobody else.
"""
