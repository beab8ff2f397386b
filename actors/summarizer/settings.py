"""Settings of one summarizer process, from environment variables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from warmxfer.adapters.llm import ModelSettings
from warmxfer.schemas import env_number

JOBS: Final = "WARMXFER_SUMMARIZER_JOBS"
DEFAULT_JOBS: Final = 32
MAX_JOBS: Final = 512


@dataclass(frozen=True, slots=True)
class SummarizerSettings:
    """`jobs` is the maximum number of summaries at a time. With `model` None, summaries are quotes."""

    model: ModelSettings | None = None
    jobs: int = DEFAULT_JOBS

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> SummarizerSettings:
        """Return the settings in `env`. Raises InvalidRequest with the variable, its value and the remedy."""
        jobs = env_number(env, JOBS, int, DEFAULT_JOBS, 1, MAX_JOBS)
        return cls(ModelSettings.from_env(env), jobs)
