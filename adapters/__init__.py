"""The outside world: one folder for each protocol, and in it one folder or file for each vendor.

telephony/  calls, rooms and webhooks of a telephony cloud
rooms/      an agent inside a room
llm/        chat models

http_pool.py  the HTTP connections of all of them
"""
