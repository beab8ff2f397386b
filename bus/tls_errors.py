"""What a failed TLS connection means, in one sentence with the setting to change. Pure.

Nothing but the handshake was sent when one of these errors is raised, with one exception: in TLS 1.3 a
server judges the client's certificate last. What was sent by then is encrypted, for a server that showed a
good certificate.
"""

from __future__ import annotations

import logging
import ssl

from .errors import InvalidRequest, UnsupportedServer
from .nats_client import ClientCertificateWanted, TlsNotOffered
from .settings import BusSettings

EOF_OF_TLS = "returning true from eof_received() has no effect when using ssl"
"""asyncio and uvloop warn so of each TLS connection that the other side closes first. Nothing is lost by it.

Each program with a connection to a broker with TLS would print it.
"""

_WRONG_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""
_WRONG_TIME = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""
_ABOUT_CLIENT = ("alert certificate", "alert unknown ca", "alert bad certificate", "alert access denied")


def tells_something(record: logging.LogRecord) -> bool:
    """Return whether a line of asyncio is worth a line of ours: the filter of its logger."""
    return record.getMessage() != EOF_OF_TLS


def tls_error(error: Exception, settings: BusSettings) -> InvalidRequest | UnsupportedServer | None:
    """Return the error for a connection that failed because of TLS, or None if it failed otherwise."""
    server = f"The NATS server at {settings.shown_url}"
    match error:
        case TlsNotOffered():
            return UnsupportedServer(
                f"{server} offers no TLS, and tls:// or a TLS variable asks for it; configure it there, or "
                "write nats:// and unset NATS_CA, NATS_CERT, NATS_KEY, NATS_TLS_FIRST"
            )
        case ClientCertificateWanted():
            return InvalidRequest(
                f"NATS_CERT is not set, and the NATS server at {settings.shown_url} asks for a client "
                "certificate; set NATS_CERT and NATS_KEY",
                field="NATS_CERT",
            )
        case ssl.SSLCertVerificationError():
            return _not_trusted(error, server, settings)
        case ssl.SSLError():
            return _failed(error, server, settings)
        case _:
            return None


def _not_trusted(error: ssl.SSLCertVerificationError, server: str, settings: BusSettings) -> InvalidRequest:
    if error.verify_code in _WRONG_NAME:
        return InvalidRequest(
            f"{server} has a certificate for another name; write the name in the certificate into NATS_URL",
            field="NATS_URL",
        )
    if error.verify_code in _WRONG_TIME:
        return InvalidRequest(
            f"{server} has a certificate that is not valid now; renew it, and compare the clocks",
            field="NATS_URL",
        )
    authority = f"NATS_CA is {settings.ca!r}" if settings.ca else "NATS_CA is not set"
    return InvalidRequest(
        f"{server} has a certificate of an unknown authority, and {authority}; give the file of the "
        "authority that signed it",
        field="NATS_CA",
    )


def _failed(error: ssl.SSLError, server: str, settings: BusSettings) -> InvalidRequest | UnsupportedServer:
    reason = (error.reason or str(error)).replace("_", " ").lower()
    if any(words in reason for words in _ABOUT_CLIENT):
        given = f"NATS_CERT is {settings.cert!r}" if settings.cert else "NATS_CERT is not set"
        return InvalidRequest(
            f"{server} refused the client's certificate, and {given}; give one that an authority of the "
            "server signed",
            field="NATS_CERT",
        )
    hint = "unset NATS_TLS_FIRST" if settings.tls_first else "check its block `tls`"
    return UnsupportedServer(f"{server} failed the TLS handshake ({reason[:60]}); {hint}")
