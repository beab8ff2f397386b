"""Opens and closes the WebSocket of a sandbox room; a refused join becomes an error of ours."""

from __future__ import annotations

import logging
from http import HTTPStatus
from typing import Final
from urllib.parse import quote, urlencode, urlsplit

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus, InvalidURI

from warmxfer.schemas import InvalidRequest, RetryableError, RoomToken

from ..room_client import JoinOptions, NoSuchRoom, RoomSnapshot
from . import frames

OPEN_TIMEOUT_S: Final = 5.0
CLOSE_TIMEOUT_S: Final = 1.0
PING_INTERVAL_S: Final = 5.0
PING_TIMEOUT_S: Final = 5.0
MAX_FRAME_BYTES: Final = 64 * 1024

REAL_CLOUD: Final = "videosdk.live"
"""The domain of VideoSDK. Its rooms have another protocol than the sandbox's."""

_WEBSOCKET_SCHEMES: Final = {"http": "ws", "https": "wss"}
_RETRYABLE_STATUSES: Final = frozenset(
    {HTTPStatus.UNAUTHORIZED, HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.TOO_MANY_REQUESTS}
)
"""401 is retryable because the next attempt gets a fresh token."""

# The library logs the whole handshake at DEBUG, and the URL contains the token.
_socket_log = logging.getLogger(f"{__name__}.socket")
_socket_log.setLevel(logging.WARNING)


async def open_connection(
    options: JoinOptions, room_token: RoomToken
) -> tuple[ClientConnection, RoomSnapshot]:
    """Open a connection and read its welcome frame.

    Raises `InvalidRequest` and `RetryableError`; neither quotes the token.
    """
    try:
        socket = await connect(
            _join_url(options, room_token),
            open_timeout=OPEN_TIMEOUT_S,
            close_timeout=CLOSE_TIMEOUT_S,
            ping_interval=PING_INTERVAL_S,
            ping_timeout=PING_TIMEOUT_S,
            max_size=MAX_FRAME_BYTES,
            compression=None,
            proxy=None,
            logger=_socket_log,
        )
    except InvalidStatus as error:
        raise _join_error(options, error.response.status_code) from None
    except (InvalidHandshake, InvalidURI, OSError, TimeoutError) as error:
        raise RetryableError(
            f"Room {options.room_id} could not be reached ({type(error).__name__})"
        ) from None
    try:
        snapshot = frames.snapshot(frames.parse(await socket.recv()), options.participant_id)
    except ConnectionClosed:
        snapshot = None
    except BaseException:
        await close_connection(socket)
        raise
    if snapshot is None:
        await close_connection(socket)
        raise RetryableError(f"Room {options.room_id} sent no welcome frame")
    return socket, snapshot


async def close_connection(socket: ClientConnection) -> None:
    """Close the connection within `CLOSE_TIMEOUT_S`, or by force. Idempotent."""
    await socket.close()


def _join_url(options: JoinOptions, room_token: RoomToken) -> str:
    base = urlsplit(room_token.signaling_url)
    if (base.hostname or "").endswith(REAL_CLOUD):
        raise InvalidRequest(
            f"WARMXFER_VOICE is 'sandbox', but the room is in {base.hostname}; "
            "set WARMXFER_VOICE=videosdk and WARMXFER_BRIEFING_PIPELINE",
            field="WARMXFER_VOICE",
        )
    if base.scheme not in _WEBSOCKET_SCHEMES or not base.netloc:
        raise InvalidRequest("signaling_url is not an http(s) URL; set the gateway's provider base URL")
    query = urlencode(
        {"participantId": options.participant_id, "name": options.name, "token": room_token.token}
    )
    path = f"{base.path.rstrip('/')}/v2/rooms/{quote(options.room_id, safe='')}/join"
    return f"{_WEBSOCKET_SCHEMES[base.scheme]}://{base.netloc}{path}?{query}"


def _join_error(options: JoinOptions, status: int) -> RetryableError | InvalidRequest:
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR or status in _RETRYABLE_STATUSES:
        return RetryableError(f"Room {options.room_id} replied to the join with status {status}")
    if status == HTTPStatus.NOT_FOUND:
        return NoSuchRoom(options.room_id)
    return InvalidRequest(
        f"Room {options.room_id} refused participant {options.participant_id} with status {status}; "
        "check the room and the token"
    )
