"""Requests as users may write them, and the errors that they get."""

from __future__ import annotations

import json
from typing import Any

import pytest

from warmxfer.schemas import InvalidRequest, read_request

NUMBER = "+14155550123"
MISSING = Ellipsis
AN_ID = "use 1 to 64 of A-Z a-z 0-9 _ -."
A_NUMBER = "write a number as E.164 (+14155550123) or a SIP URI (sip:dana@example.com)."


def raw(**changes: Any) -> bytes:
    """Return a valid request with `changes`: `config__pacing="fast"` is `config.pacing`."""
    request: dict[str, Any] = {
        "room_id": "room-1",
        "config": {
            "destination": {
                "routing_rule_id": "rule-1",
                "sip_call_to": NUMBER,
                "sip_call_from": "+14155559876",
            }
        },
    }
    for path, value in changes.items():
        *parents, name = path.split("__")
        node = request
        for parent in parents:
            node = node.setdefault(parent, {})
        if value is MISSING:
            del node[name]
        else:
            node[name] = value
    return json.dumps(request).encode()


def rejection(data: bytes) -> InvalidRequest:
    with pytest.raises(InvalidRequest) as caught:
        read_request(data)
    return caught.value


def rejection_or_none(data: bytes) -> InvalidRequest | None:
    try:
        read_request(data)
    except InvalidRequest as error:
        return error
    return None
