"""How one briefing process is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from warmxfer.actors.llm import ModelSettings
from warmxfer.actors.voices import VoiceSettings
from warmxfer.schemas import Refused

JOBS: Final = "WARMXFER_BRIEFING_JOBS"
MAX_JOBS: Final = 512


@dataclass(frozen=True, slots=True)
class BriefingSettings:
    """`jobs` consultations are held at once at most; `voice` is whose rooms they are in."""

    voice: VoiceSettings = field(default_factory=VoiceSettings)
    model: ModelSettings | None = None
    jobs: int = 50

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> BriefingSettings:
        """The settings in `env`; raises `Refused` with the variable, its value and the remedy."""
        said = env.get(JOBS, "").strip() or "50"
        if not said.isdecimal() or not 1 <= int(said) <= MAX_JOBS:
            raise Refused(f"{JOBS} is {said[:40]!r}; give a whole number from 1 to {MAX_JOBS}", field=JOBS)
        return cls(VoiceSettings.from_env(env), ModelSettings.from_env(env), int(said))
