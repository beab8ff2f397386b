"""PEOPLE: the five actors, the pure machine they serve, and the ports they work through.

The law of this room: actors never import each other; what they say to each other crosses the bus as a
message from `warmxfer.schemas`. `machine/` sees schemas only. The VideoSDK library is imported in two places:
`voices/videosdk*.py` and `videosdk/`. VideoSDK's HTTP API is used in `providers/videosdk*.py` only.
"""
