"""The embedded nats-server with features for tests only: restart, additional configuration, no JetStream."""

from __future__ import annotations

from pathlib import Path

from warmxfer.bus import EmbeddedServer


async def restart(server: EmbeddedServer, *, kill: bool = False) -> None:
    """Stop `server` and start it with the same port and store. With `kill`, stop it by SIGKILL."""
    await server.stop(kill=kill)
    await server.start()


class ConfiguredServer(EmbeddedServer):
    """An embedded server with the lines of `extra` in its configuration (users, limits, routes).

    Without `jetstream`, the line that enables JetStream is left out.
    """

    def __init__(self, *, extra: str = "", jetstream: bool = True, port: int | None = None) -> None:
        super().__init__(port=port)
        self._extra = extra
        self._jetstream = jetstream

    def _config(self, work_dir: Path) -> str:
        lines = super()._config(work_dir).splitlines()
        kept = [line for line in lines if self._jetstream or not line.startswith("jetstream ")]
        assert len(kept) == len(lines) - (not self._jetstream)
        return "\n".join([*kept, self._extra, ""])
