"""Seeds of nkeys: the secret from which a user proves who it is, without sending it. The package nkeys reads
seeds, and makes none.
"""

from __future__ import annotations

import base64
import binascii
import importlib
from typing import Any

from .errors import InvalidRequest

SECRET_BYTES = 32
_SEED, _USER = 18 << 3, 20 << 3


def user_seed(secret: bytes) -> str:
    """Return the seed of a user with this secret of 32 random bytes: `SU…`."""
    if len(secret) != SECRET_BYTES:
        raise InvalidRequest(f"secret has {len(secret)} bytes; give {SECRET_BYTES}", field="secret")
    raw = bytes((_SEED | (_USER >> 5), (_USER & 31) << 3)) + secret
    checksum = binascii.crc_hqx(raw, 0).to_bytes(2, "little")
    return base64.b32encode(raw + checksum).decode().rstrip("=")


def public_key(seed: str) -> str:
    """Return the public part of a seed, for the server's configuration.

    Raises InvalidRequest if the package nkeys is not installed.
    """
    try:
        nkeys: Any = importlib.import_module("nkeys")  # it has no types
    except ImportError as error:
        raise InvalidRequest("nkeys need the package nkeys; install nats-py[nkeys]", field="nkeys") from error
    key: bytes = nkeys.from_seed(seed.encode()).public_key
    return key.decode()
