"""How one briefing process is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from warmxfer.adapters.llm import ModelSettings
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.schemas import env_number

JOBS: Final = "WARMXFER_BRIEFING_JOBS"
DEFAULT_JOBS: Final = 50
MAX_JOBS: Final = 512


@dataclass(frozen=True, slots=True)
class BriefingSettings:
    """`jobs` consultations are held at once at most; `voice` is whose rooms they are in."""

    voice: RoomSettings = field(default_factory=RoomSettings)
    model: ModelSettings | None = None
    jobs: int = DEFAULT_JOBS

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> BriefingSettings:
        """The settings in `env`; raises `Refused` with the variable, its value and the remedy."""
        jobs = env_number(env, JOBS, int, DEFAULT_JOBS, 1, MAX_JOBS)
        return cls(RoomSettings.from_env(env), ModelSettings.from_env(env), jobs)
