"""Recordings of participants. The API starts and stops them; the participant's leaving also stops them.

The sandbox makes no file. Only the ledger shows when a recording started and stopped.

Invariant: another participant's leaving does not stop a recording (`tests/sandbox/test_recordings.py`).
"""

from typing import Final

from ..clock import Clock
from ..errors import HttpError
from ..ledger import By, Ledger
from .rooms import Participant, Room

KNOWN_S: Final = 1.0
"""Delay between entering a room and the time when recording is possible."""


class Recordings:
    """Starts and stops the recordings of participants."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger

    def entered(self, who: Participant) -> None:
        """Allow the recording of a new participant, after KNOWN_S."""

        def known() -> None:
            who.recordable = True

        self._clock.later(KNOWN_S, known)

    def start(self, room: Room, participant_id: str) -> None:
        """Start a recording. Raises HttpError 403 without a session, 400 if absent or already recorded."""
        who = self._present(room, participant_id)
        if who.recorded:
            raise HttpError(400, "participant recording is already started")
        who.recorded = True
        self._ledger.record("recording_started", "api", who.about(room))

    def stop(self, room: Room, participant_id: str) -> None:
        """Stop a recording. Raises HttpError 403 without a session, 400 if absent or not recorded."""
        who = self._present(room, participant_id)
        if not who.recorded:
            raise HttpError(400, "participant recording is not started yet")
        self._over(room, who, "api")

    def left(self, room: Room, who: Participant, by: By) -> None:
        """Stop the recording of a participant that leaves, if there is one."""
        if who.recorded:
            self._over(room, who, by)

    def _present(self, room: Room, participant_id: str) -> Participant:
        if room.session is None:
            raise HttpError(403, "No active session found")
        who = room.participants.get(participant_id)
        if who is None or not who.recordable:
            raise HttpError(400, "participant is not yet joined the meeting")
        return who

    def _over(self, room: Room, who: Participant, by: By) -> None:
        who.recorded = False
        self._ledger.record("recording_stopped", by, who.about(room))
