"""Settings of a process that joins rooms, from the environment; and the pipeline factory.

- Invariant: a wrong setting is refused when the process starts, not when the first supervisor answers.
- Invariant: a cloud's framework is imported only if that cloud was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import Context
from dataclasses import dataclass, field
from functools import reduce
from importlib import import_module
from typing import Any, Final

from warmxfer.schemas import InvalidRequest

from .room_client import JoinOptions, RoomClient

ROOM_KIND_VARIABLE: Final = "WARMXFER_VOICE"
PIPELINE_VARIABLE: Final = "WARMXFER_BRIEFING_PIPELINE"
ROOM_KINDS: Final = ("sandbox", "videosdk")
MAX_SHOWN_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class PipelineFactory:
    """A function that makes the framework's pipeline for one consultation. `setting` is where it is named."""

    name: str
    make: Callable[[], Any] = field(repr=False)
    setting: str = PIPELINE_VARIABLE
    detector: Any = field(default=None, repr=False)
    """An LLM of the framework that detects answering machines, in place of the pipeline's own."""
    scope: Context | None = field(default=None, repr=False)
    """The context in which the framework's session starts. None: every session gets its own context."""
    give_back: Callable[[Any], None] | None = field(default=None, repr=False)
    """Takes a pipeline that was made and not used, because its room was not joined. None: it is closed."""

    def refused(self, problem: str) -> InvalidRequest:
        """Return the error for this function or for its result: the setting, its value and the remedy."""
        return _refused(self.name, problem, self.setting)


@dataclass(frozen=True, slots=True)
class RoomSettings:
    """VideoSDK rooms if there is a `pipeline` that listens and speaks there; sandbox rooms otherwise.

    `client` makes the rooms of another cloud, without a protocol: those of the benchmark.
    """

    pipeline: PipelineFactory | None = None
    client: Callable[[JoinOptions], RoomClient] | None = field(default=None, repr=False)

    @property
    def kind(self) -> str:
        if self.client is not None:
            return "given"
        return "sandbox" if self.pipeline is None else "videosdk"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> RoomSettings:
        """Read the settings. Raises `InvalidRequest` with the variable, its value and the remedy."""
        kind, factory_name = room_kind(env), env.get(PIPELINE_VARIABLE, "").strip()
        if kind == "sandbox":
            return cls()
        _prepare_framework()
        return cls(_factory(factory_name))


def room_kind(env: Mapping[str, str]) -> str:
    """Return `WARMXFER_VOICE`, or "sandbox" if unset. Raises `InvalidRequest` for an unknown kind."""
    kind = env.get(ROOM_KIND_VARIABLE) or "sandbox"
    if kind not in ROOM_KINDS:
        raise InvalidRequest(
            f"{ROOM_KIND_VARIABLE} is {kind[:40]!r}; use one of {', '.join(ROOM_KINDS)}",
            field=ROOM_KIND_VARIABLE,
        )
    return kind


def _refused(name: str, problem: str, setting: str = PIPELINE_VARIABLE) -> InvalidRequest:
    return InvalidRequest(f"{setting} is {name[:MAX_SHOWN_CHARS]!r}, {problem}", field=setting)


def _prepare_framework() -> None:
    try:
        import_module(f"{__package__}.videosdk.client")
        import_module(f"{__package__}.videosdk.agent_session").silence_framework_logs()
    except ImportError as error:
        raise InvalidRequest(
            f"{ROOM_KIND_VARIABLE} is 'videosdk', but {error.name or error} cannot be imported; "
            "in the clone, pip install '.[videosdk]' or uv sync --extra videosdk",
            field=ROOM_KIND_VARIABLE,
        ) from error


def _factory(factory_name: str) -> PipelineFactory:
    module, _, path = factory_name.partition(":")
    if not module or not path:
        raise _refused(
            factory_name, "not a function; write module:function, one that returns a videosdk Pipeline"
        )
    try:
        make = reduce(getattr, path.split("."), import_module(module))
    except ImportError as error:
        raise _refused(factory_name, f"but {error}; install it, or put its folder into PYTHONPATH") from error
    except AttributeError:
        raise _refused(factory_name, f"but {module} has no {path}; name a function of that module") from None
    except Exception as error:  # a user's module may raise anything
        problem = f"but importing {module} raised {type(error).__name__}; make it importable"
        raise _refused(factory_name, problem) from error
    if not callable(make):
        raise _refused(factory_name, f"but it is of type {type(make).__name__}; name a function")
    return PipelineFactory(factory_name, make)
