"""How a process that is present in rooms is set up, from the environment.

The law of this file: what is wrong with the set-up is said when the process starts, not when the first
supervisor is on the line. Nothing of a cloud's framework is imported unless that cloud was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import reduce
from importlib import import_module
from typing import Any, Final

from warmxfer.schemas import Refused

VOICE: Final = "WARMXFER_VOICE"
PIPELINE: Final = "WARMXFER_BRIEFING_PIPELINE"
VOICE_KINDS: Final = ("sandbox", "videosdk")
MAX_SHOWN_CHARS: Final = 80


@dataclass(frozen=True, slots=True)
class PipelineFactory:
    """A function of the user's that makes the framework's pipeline, anew for each consultation."""

    name: str
    make: Callable[[], Any] = field(repr=False)


@dataclass(frozen=True, slots=True)
class VoiceSettings:
    """In rooms of VideoSDK with a `pipeline` that hears and speaks there; without one, in the sandbox's."""

    pipeline: PipelineFactory | None = None

    @property
    def kind(self) -> str:
        return "sandbox" if self.pipeline is None else "videosdk"

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> VoiceSettings:
        """The settings in `env`; raises `Refused` with the variable, its value and the remedy."""
        kind, named = voice_kind(env), env.get(PIPELINE, "").strip()
        if kind == "sandbox":
            return cls()
        _require_extra()
        return cls(_factory(named))


def voice_kind(env: Mapping[str, str]) -> str:
    """`WARMXFER_VOICE`, "sandbox" when unset; raises `Refused` for one that nobody speaks."""
    kind = env.get(VOICE) or "sandbox"
    if kind not in VOICE_KINDS:
        raise Refused(f"{VOICE} is {kind[:40]!r}; use one of {', '.join(VOICE_KINDS)}", field=VOICE)
    return kind


def refused(named: str, trouble: str) -> Refused:
    """The refusal of a pipeline factory: which, and what to do about it."""
    return Refused(f"{PIPELINE} is {named[:MAX_SHOWN_CHARS]!r}, {trouble}", field=PIPELINE)


def _require_extra() -> None:
    try:
        import_module(f"{__package__}.videosdk")
    except ImportError as error:
        raise Refused(
            f"{VOICE} is 'videosdk', but {error.name or error} cannot be imported; "
            "install the extra: pip install 'warmxfer[videosdk]'",
            field=VOICE,
        ) from error


def _factory(named: str) -> PipelineFactory:
    module, _, path = named.partition(":")
    if not module or not path:
        raise refused(named, "not a function; write module:function, one that returns a videosdk Pipeline")
    try:
        make = reduce(getattr, path.split("."), import_module(module))
    except ImportError as error:
        raise refused(named, f"but {error}; install it, or put its folder into PYTHONPATH") from error
    except AttributeError:
        raise refused(named, f"but {module} has no {path}; name a function of that module") from None
    except Exception as error:  # a module of the user's: it may fail in any way
        trouble = f"but importing {module} raised {type(error).__name__}; make it importable"
        raise refused(named, trouble) from error
    if not callable(make):
        raise refused(named, f"but that is a {type(make).__name__}; name a function")
    return PipelineFactory(named, make)
