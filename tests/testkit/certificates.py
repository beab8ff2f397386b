"""Certificates for the tests, made for the occasion by an authority of their own."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

import trustme

from warmxfer.bus.server_tls import ServerTls
from warmxfer.cli.local_stack.certificates import StackCertificates

HOST = "127.0.0.1"


@dataclass(frozen=True)
class Files:
    """Paths of a certificate and of its key."""

    cert: str
    key: str


class Authority:
    """An authority, and the files of what it signs. The files are in `directory`."""

    def __init__(self, directory: Path, name: str = "warmxfer") -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.name = name
        self._ca = trustme.CA(organization_name=name)
        self._directory = directory
        self.ca = str(directory / f"{name}-ca.pem")
        self._ca.cert_pem.write_to_path(self.ca)

    def certificate(self, name: str = HOST, *, expired: bool = False) -> Files:
        """Return a certificate for `name`, an address or a host name."""
        not_after = datetime.now(UTC) - timedelta(days=1) if expired else None
        made = self._ca.issue_cert(name, not_after=not_after)
        cert, key = (
            str(self._directory / f"{self.name}-{name}{'-old' * expired}.{end}") for end in ("pem", "key")
        )
        made.private_key_pem.write_to_path(key)
        Path(cert).write_bytes(b"".join(each.bytes() for each in made.cert_chain_pems))
        return Files(cert, key)

    def server_tls(self, name: str = HOST, *, expired: bool = False, mutual: bool = True) -> ServerTls:
        """Return what a nats-server needs. If `mutual`, its clients need a certificate of this authority."""
        files = self.certificate(name, expired=expired)
        return ServerTls(files.cert, files.key, self.ca if mutual else None)


def stack_certificates(directory: Path) -> StackCertificates:
    """Return the certificates of a local stack with TLS."""
    authority = Authority(directory)
    server, client = authority.certificate(), authority.certificate("client.example")
    return StackCertificates(authority.ca, server.cert, server.key, client.cert, client.key)
