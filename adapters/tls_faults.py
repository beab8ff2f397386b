"""Why a TLS connection to a server of HTTPS failed, in words for a sentence with a remedy. Pure."""

from __future__ import annotations

import ssl
from typing import NamedTuple

_WRONG_NAME = (62, 64)
"""X509_V_ERR_HOSTNAME_MISMATCH and X509_V_ERR_IP_ADDRESS_MISMATCH of OpenSSL."""
_WRONG_TIME = (9, 10)
"""X509_V_ERR_CERT_NOT_YET_VALID and X509_V_ERR_CERT_HAS_EXPIRED."""


class TlsFault(NamedTuple):
    """What is wrong, and what to do."""

    what: str
    remedy: str


_BROKEN = TlsFault("it does not speak TLS as asked", "check the address and its port")


def tls_fault(error: BaseException | None) -> TlsFault | None:
    """Return the fault if TLS is the cause of `error`, or else None."""
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError):
            if error.verify_code in _WRONG_NAME:
                return TlsFault(
                    "its certificate is for another name",
                    "write the address with the name in the certificate",
                )
            if error.verify_code in _WRONG_TIME:
                return TlsFault("its certificate is not valid now", "renew it, and compare the clocks")
            return TlsFault(
                "its certificate is of an unknown authority",
                "give the file of the authority that signed it in SSL_CERT_FILE",
            )
        if isinstance(error, ssl.SSLError):
            return _BROKEN
        error = error.__cause__ or error.__context__
    return None
