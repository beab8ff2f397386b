"""The file of `--trace`, to which all actors of a local stack append their spans."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path

OPTION = "--trace"
PACKAGES = ("opentelemetry.sdk", "opentelemetry.exporter.otlp.proto.http")


def empty_trace_file(path: Path) -> Path:
    """Create the file, or empty it, and return its whole path.

    Raises `InvalidRequest` if it cannot be written, or if the extra `otel` is missing.
    """
    from warmxfer.schemas import InvalidRequest

    if not all(map(_is_installed, PACKAGES)):
        raise InvalidRequest(
            f"{OPTION} needs OpenTelemetry's SDK; "
            "in the clone, pip install '.[otel]' or uv sync --extra otel",
            field=OPTION,
        )
    try:
        path.write_bytes(b"")
    except OSError as error:
        raise InvalidRequest(
            f"{OPTION} is {str(path)!r}, which cannot be written ({error.strerror}); give another file",
            field=OPTION,
        ) from error
    return path.resolve()


def trace_env(path: Path | None) -> dict[str, str]:
    """Return the variables with which each actor appends its spans to `path`."""
    return {} if path is None else {"WARMXFER_TRACES": f"file:{path}"}


def _is_installed(package: str) -> bool:
    try:
        return find_spec(package) is not None
    except ModuleNotFoundError:
        return False
