"""Settings of one briefing process, from environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog

from warmxfer.adapters.llm import ModelSettings
from warmxfer.adapters.rooms import RoomSettings
from warmxfer.adapters.rooms.settings import PIPELINE_VARIABLE, ROOM_KIND_VARIABLE
from warmxfer.schemas import env_number

JOBS: Final = "WARMXFER_BRIEFING_JOBS"
DEFAULT_JOBS: Final = 50
MAX_JOBS: Final = 512

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BriefingSettings:
    """`jobs` is the maximum number of consultations at a time. `voice` says which cloud has the rooms."""

    voice: RoomSettings = field(default_factory=RoomSettings)
    model: ModelSettings | None = None
    jobs: int = DEFAULT_JOBS

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> BriefingSettings:
        """Return the settings in `env`. Raises InvalidRequest with the variable, its value and the remedy."""
        if not env.get(ROOM_KIND_VARIABLE):
            log.warning(
                "voice_not_set",
                joins="sandbox rooms only",
                remedy=f"for the real cloud set {ROOM_KIND_VARIABLE}=videosdk and {PIPELINE_VARIABLE}",
            )
        jobs = env_number(env, JOBS, int, DEFAULT_JOBS, 1, MAX_JOBS)
        return cls(RoomSettings.from_env(env), ModelSettings.from_env(env), jobs)
