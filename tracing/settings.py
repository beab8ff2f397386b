"""Where a process writes its traces: the variable `WARMXFER_TRACES`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from warmxfer.schemas import InvalidRequest

VARIABLE = "WARMXFER_TRACES"
OFF, OTLP, FILE = "off", "otlp", "file:"
MAX_SHOWN_CHARS = 80


@dataclass(frozen=True, slots=True)
class TraceSettings:
    """`path` is the file of `to="file"`. OpenTelemetry's SDK reads the variables `OTEL_*` itself."""

    to: Literal["off", "otlp", "file"] = "off"
    path: Path | None = None

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> TraceSettings:
        """Read `WARMXFER_TRACES`. Raises InvalidRequest for another value than those of the documentation."""
        value = env.get("WARMXFER_TRACES", "").strip()
        if value in ("", OFF):
            return cls()
        if value == OTLP:
            return cls("otlp")
        if value.startswith(FILE) and (path := value.removeprefix(FILE)):
            return cls("file", Path(path))
        raise InvalidRequest(
            f"{VARIABLE} is {value[:MAX_SHOWN_CHARS]!r}; use {OFF}, {OTLP} or {FILE}<path>", field=VARIABLE
        )
