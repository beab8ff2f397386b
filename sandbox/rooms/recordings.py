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

    def participant_entered(self, participant: Participant) -> None:
        """Allow the recording of a new participant, after KNOWN_S."""
        participant.recordable_at = self._clock.at(KNOWN_S)

    def start(self, room: Room, participant_id: str) -> None:
        """Start a recording. Raises HttpError 403 without a session, 400 if absent or already recorded."""
        participant = self._find(room, participant_id)
        if participant.recorded:
            raise HttpError(400, "participant recording is already started")
        participant.recorded = True
        self._ledger.record("recording_started", "api", participant.ledger_ref(room))

    def stop(self, room: Room, participant_id: str) -> None:
        """Stop a recording. Raises HttpError 403 without a session, 400 if absent or not recorded."""
        participant = self._find(room, participant_id)
        if not participant.recorded:
            raise HttpError(400, "participant recording is not started yet")
        self._stop(room, participant, "api")

    def participant_left(self, room: Room, participant: Participant, by: By) -> None:
        """Stop the recording of a participant that leaves, if there is one."""
        if participant.recorded:
            self._stop(room, participant, by)

    def _find(self, room: Room, participant_id: str) -> Participant:
        if room.session is None:
            raise HttpError(403, "No active session found")
        participant = room.participants.get(participant_id)
        if participant is None or not self._clock.has_passed(participant.recordable_at):
            raise HttpError(400, "participant is not yet joined the meeting")
        return participant

    def _stop(self, room: Room, participant: Participant, by: By) -> None:
        participant.recorded = False
        self._ledger.record("recording_stopped", by, participant.ledger_ref(room))
