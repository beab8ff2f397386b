"""Mutes a session's input while the caller is on hold.

The session drops the caller's words, and its pipeline gets no audio. Both are needed: a realtime model does
not check the session's flag. `framework_patches.py` says how each is done.
"""

from __future__ import annotations

from typing import Any

from warmxfer.adapters.rooms.videosdk.framework import pipeline_of
from warmxfer.adapters.rooms.videosdk.framework_patches import (
    mute_session,
    restore_audio_input,
    silence_audio_input,
    unmute_session,
)


class InputMute:
    """Input of one session. `mute` and `unmute` are idempotent."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self._silenced_pipeline: Any = None
        self._replaced: Any = None

    def mute(self) -> None:
        """Take no input, and do not ask whether the caller is there. Raises `TypeError` if it cannot."""
        mute_session(self._session)
        self._silence_pipeline()

    def unmute(self) -> None:
        """Take input again, with the flag that the framework has written last."""
        self._restore_pipeline()
        unmute_session(self._session)

    def _silence_pipeline(self) -> None:
        pipeline = pipeline_of(self._session)
        if pipeline is None or self._silenced_pipeline is pipeline:
            return
        self._restore_pipeline()
        self._replaced = silence_audio_input(pipeline)
        self._silenced_pipeline = pipeline

    def _restore_pipeline(self) -> None:
        pipeline, self._silenced_pipeline = self._silenced_pipeline, None
        if pipeline is not None:
            restore_audio_input(pipeline, self._replaced)
