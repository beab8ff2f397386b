"""The block `tls` of a nats-server's configuration. Pure.

The embedded server of the tests has it. `warmxfer permissions --tls DIR` prints it: for clients, and for the
routes of a cluster.
"""

from __future__ import annotations

import json
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServerTls:
    """Paths of PEM files, as the server sees them. With `client_ca`, a client needs a certificate too."""

    cert: str
    key: str
    client_ca: str | None = None
    first: bool = False
    """The server begins with the handshake, and sends nothing in plain text (NATS_TLS_FIRST)."""

    @classmethod
    def in_directory(cls, directory: str) -> ServerTls:
        """Return the files of a Kubernetes secret of the type `tls`: tls.crt, tls.key and ca.crt."""
        folder = directory.rstrip("/")
        return cls(f"{folder}/tls.crt", f"{folder}/tls.key", f"{folder}/ca.crt")

    def config(self) -> str:
        """Return the block. TLS 1.2 and older are refused."""
        lines = [f"cert_file: {json.dumps(self.cert)}", f"key_file: {json.dumps(self.key)}"]
        if self.client_ca is not None:
            lines += [f"ca_file: {json.dumps(self.client_ca)}", "verify: true"]
        if self.first:
            lines.append("handshake_first: true")
        return "\n".join(["tls {", *(f"  {each}" for each in (*lines, 'min_version: "1.3"')), "}", ""])

    def within(self, block: str) -> str:
        """Return the configuration `block`, which ends with its bracket, with the block `tls` in it."""
        inner = "".join(f"  {line}\n" for line in self.config().splitlines())
        return f"{block.rstrip().removesuffix('}')}{inner}}}\n"
