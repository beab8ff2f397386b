"""Check of the credential and certificate files in the settings, before nats reads them.

nats-py searches a credentials file for its end marker without limit, and hangs if there is none.
"""

from __future__ import annotations

import importlib.util
import re
import ssl
from pathlib import Path

from .errors import InvalidRequest
from .settings import BusSettings

MAX_FILE_BYTES = 1 << 20
CREDS_PARTS = (b"BEGIN NATS USER JWT", b"BEGIN USER NKEY SEED")


def check_files(settings: BusSettings) -> None:
    """Raise InvalidRequest if a file does not exist, cannot be read, or is not a credentials file."""
    for name in ("creds", "ca", "cert", "key", "nkey"):
        path = getattr(settings, name)
        if path:
            _read(f"NATS_{name.upper()}", path)
    if settings.key and not settings.cert:
        raise InvalidRequest(
            f"NATS_KEY is {settings.key!r}, and NATS_CERT is not set; give the certificate of this key too",
            field="NATS_CERT",
        )
    variable = "NATS_CREDS" if settings.creds else "NATS_NKEY"
    if (settings.creds or settings.nkey) and importlib.util.find_spec("nkeys") is None:
        raise InvalidRequest(f"{variable} needs the package nkeys; install nats-py[nkeys]", field=variable)
    if settings.nkey and re.fullmatch(rb"\s*SU[A-Z2-7]{56}\s*", _read("NATS_NKEY", settings.nkey)) is None:
        raise _unusable("NATS_NKEY", settings.nkey, "seed of a user; give a file with one line SU…")
    if settings.creds:
        content = _read("NATS_CREDS", settings.creds)
        if any(part not in content for part in CREDS_PARTS):
            raise _unusable("NATS_CREDS", settings.creds, "credentials file; give the .creds of a NATS user")


def tls(settings: BusSettings) -> ssl.SSLContext | None:
    """Return the TLS context, or None if the settings name no certificate. Raises InvalidRequest."""
    if not settings.ca and not settings.cert:
        return None
    try:
        context = ssl.create_default_context(cafile=settings.ca)
    except ssl.SSLError as error:
        raise _unusable("NATS_CA", settings.ca, "certificate; give the PEM of the authority") from error
    if settings.cert:
        try:
            context.load_cert_chain(settings.cert, settings.key, password=_no_password)
        except ssl.SSLError as error:
            with_key = f" with the key {settings.key!r}" if settings.key else ""
            what = f"certificate{with_key}; give both as PEM, without a password, in NATS_CERT and NATS_KEY"
            raise _unusable("NATS_CERT", settings.cert, what) from error
    return context


def _read(variable: str, path: str) -> bytes:
    if not Path(path).is_file():
        raise InvalidRequest(
            f"{variable} is {path!r}, which does not exist; give the path of a file", field=variable
        )
    try:
        with open(path, "rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        why = f"which cannot be read ({error.strerror}); give a file that this user may read"
        raise InvalidRequest(f"{variable} is {path!r}, {why}", field=variable) from error


def _unusable(variable: str, path: str | None, what: str) -> InvalidRequest:
    return InvalidRequest(f"{variable} is {path!r}, which is not a {what}", field=variable)


def _no_password() -> str:
    """Return no password. Without this callback OpenSSL asks on the terminal, and a worker would hang."""
    return ""
