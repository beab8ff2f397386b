"""The certificates of a stack with TLS. The tests make them; the demo and `warmxfer up` run without."""

from __future__ import annotations

import ssl
from dataclasses import dataclass

from warmxfer.bus.server_tls import ServerTls


@dataclass(frozen=True, slots=True)
class StackCertificates:
    """Paths of PEM files. The server's certificate is for 127.0.0.1. One authority signed both."""

    authority: str
    server_cert: str
    server_key: str
    client_cert: str
    client_key: str

    def client_env(self) -> dict[str, str]:
        """Return the variables with which a process connects to the broker by mutual TLS."""
        return {"NATS_CA": self.authority, "NATS_CERT": self.client_cert, "NATS_KEY": self.client_key}

    def server_tls(self) -> ServerTls:
        """Return what the broker needs. Its clients need a certificate of the same authority."""
        return ServerTls(self.server_cert, self.server_key, self.authority)

    def context(self) -> ssl.SSLContext:
        """Return what a client of HTTPS needs to trust the sandbox."""
        return ssl.create_default_context(cafile=self.authority)
