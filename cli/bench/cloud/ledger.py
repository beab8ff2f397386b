"""The ledger of the fake cloud: a file to which every process appends what it executed.

- Invariant: an effect is in the ledger before its request is answered. So a process that dies by SIGKILL
  leaves no effect that the ledger does not have.
- Invariant: one entry is one write of one line, so processes that append at the same time do not mix.
- Every process knows the same cloud: it reads the lines of the others before it answers (`Ledger.read`). A
  process that waits for people is woken by a datagram on its own socket; the datagram is empty, the ledger
  says what happened.
"""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal

import msgspec
from msgspec import Struct

from warmxfer.schemas.fields import Id

LEDGER = "ledger.jsonl"
PORT_FILE = ".port"
"""Suffix of the empty file whose name is the port of a process. A path of a socket may be too long."""
LOOPBACK = "127.0.0.1"
READ_BYTES = 1 << 20
SETTLED_NS = 1_000_000_000
"""How old a change must be so that a later one surely has another time."""

Kind = Literal["dial", "answer", "yes", "move", "end"]


class Entry(Struct, frozen=True, array_like=True):
    """One effect: a dial, an answered call, a supervisor's yes, a move into another room, an ended call."""

    kind: Kind
    call_id: Id
    room_id: Id = ""
    participant_id: Id = ""
    answered: bool = False
    """Whether a dialled supervisor is in the room at once."""
    silent: bool = False
    """Whether a dialled supervisor says nothing until an entry says yes."""


class Ledger:
    """The ledger in `directory`, as one process writes and reads it.

    With `new_only`, the entries so far are not read.
    """

    def __init__(self, directory: Path, *, new_only: bool = False) -> None:
        self._directory = directory
        self._file = os.open(directory / LEDGER, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC)
        self._position = os.fstat(self._file).st_size if new_only else 0
        self._unfinished = b""
        self._encoder = msgspec.json.Encoder()
        self._decoder = msgspec.json.Decoder(Entry)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._sender.setblocking(False)
        self._ports: list[int] = []
        self._listed: int | None = None
        """When the directory had changed last as its ports were read."""

    def append(self, entry: Entry) -> None:
        """Write one entry, and wake every process that watches."""
        os.write(self._file, self._encoder.encode(entry) + b"\n")
        for port in self._watching_ports():
            try:
                self._sender.sendto(b"", (LOOPBACK, port))
            except BlockingIOError:
                continue  # it has unread datagrams, so it will read the ledger anyway

    def _watching_ports(self) -> Sequence[int]:
        """Return the ports of the processes that watch.

        The directory is listed only if it has changed: the benchmark counts this work as the gateway's.
        """
        changed_at = os.stat(self._directory).st_mtime_ns
        if changed_at != self._listed:
            paths = self._directory.glob(f"*{PORT_FILE}")
            self._ports = [int(path.stem) for path in paths]
            # A directory that changes again at once may keep its time.
            is_settled = time.time_ns() - changed_at > SETTLED_NS
            self._listed = changed_at if is_settled else None
        return self._ports

    def read(self) -> Iterator[Entry]:
        """Yield the entries since the last read, those of this process too."""
        while data := os.pread(self._file, READ_BYTES, self._position):
            self._position += len(data)
            *lines, self._unfinished = (self._unfinished + data).split(b"\n")
            for line in lines:
                yield self._decoder.decode(line)

    def watch(self, on_entries: Callable[[], None]) -> None:
        """Call `on_entries` in the event loop after each entry of any process, until `stop_watching`."""
        receiver = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        receiver.setblocking(False)
        receiver.bind((LOOPBACK, 0))
        path = self._directory / f"{receiver.getsockname()[1]}{PORT_FILE}"
        path.touch()
        self._receiver, self._path = receiver, path

        def on_readable() -> None:
            try:
                while True:
                    receiver.recv(1)
            except BlockingIOError:
                on_entries()

        asyncio.get_running_loop().add_reader(receiver, on_readable)

    def stop_watching(self) -> None:
        """End `watch`."""
        asyncio.get_running_loop().remove_reader(self._receiver)
        self._receiver.close()
        self._path.unlink(missing_ok=True)

    def close(self) -> None:
        """Close the file."""
        self._sender.close()
        os.close(self._file)
