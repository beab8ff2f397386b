"""JSON responses of the sandbox."""

from collections.abc import Mapping
from typing import Any

import msgspec
from aiohttp import web


def json_response(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return `value` as a JSON response."""
    return web.Response(
        body=msgspec.json.encode(value), status=status, headers=headers, content_type="application/json"
    )


def error_response(status: int, message: str, headers: Mapping[str, str] | None = None) -> web.Response:
    """Return an error in the cloud's format."""
    return json_response({"statusCode": status, "message": message}, status, headers)
