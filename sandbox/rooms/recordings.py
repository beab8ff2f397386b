"""Recording somebody in a room: started and stopped by order of the API, and over when they leave the room.

Nobody else's leaving ends it, and there is no file: the ledger says from when until when one would be.
"""

from typing import Final

from ..clock import Clock
from ..errors import HttpError
from ..ledger import By, Ledger
from .rooms import Participant, Room

KNOWN_S: Final = 1.0
"""From entering a room until a participant can be recorded there."""


class Recordings:
    """Who is being recorded."""

    def __init__(self, clock: Clock, ledger: Ledger) -> None:
        self._clock = clock
        self._ledger = ledger

    def entered(self, who: Participant) -> None:
        """Somebody came in: a moment later they can be recorded."""

        def known() -> None:
            who.recordable = True

        self._clock.later(KNOWN_S, known)

    def start(self, room: Room, participant_id: str) -> None:
        """Record somebody from now on. Raises Refused 403 (no session) or 400 (not there, already)."""
        who = self._present(room, participant_id)
        if who.recorded:
            raise HttpError(400, "participant recording is already started")
        who.recorded = True
        self._ledger.record("recording_started", "api", who.about(room))

    def stop(self, room: Room, participant_id: str) -> None:
        """Record somebody no longer. Raises Refused 403 (no session) or 400 (not there, not recorded)."""
        who = self._present(room, participant_id)
        if not who.recorded:
            raise HttpError(400, "participant recording is not started yet")
        self._over(room, who, "api")

    def left(self, room: Room, who: Participant, by: By) -> None:
        """Somebody goes out, and with them their recording. Not recorded: nothing happens."""
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
