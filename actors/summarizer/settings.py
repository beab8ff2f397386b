"""How one summarizer process is set up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warmxfer.actors.llm import ModelSettings
from warmxfer.schemas import Refused

JOBS: Final = "WARMXFER_SUMMARIZER_JOBS"
MAX_JOBS: Final = 512


@dataclass(frozen=True, slots=True)
class SummarizerSettings:
    """`model` None: every summary is extractive. `jobs` is how many are written at once."""

    model: ModelSettings | None = None
    jobs: int = 32

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> SummarizerSettings:
        """The settings in `env`; raises `Refused` with the variable, its value and the remedy."""
        said = env.get(JOBS, "").strip() or "32"
        if not said.isdecimal() or not 1 <= int(said) <= MAX_JOBS:
            raise Refused(f"{JOBS} is {said[:40]!r}; give a whole number from 1 to {MAX_JOBS}", field=JOBS)
        return cls(ModelSettings.from_env(env), int(said))
