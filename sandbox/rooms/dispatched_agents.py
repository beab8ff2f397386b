"""Agents that the cloud starts on request: each joins a room, greets, and leaves after the last person."""

from typing import Final

from ..clock import Clock
from ..errors import HttpError
from ..ledger import Ledger, LedgerRef
from .observer import RoomEvent
from .room_activity import RoomActivity
from .room_events import Left
from .rooms import Participant, Room
from .speech_queue import Utterance

AGENT_ID: Final = "sandbox-agent"
"""The one agent that is deployed in the sandbox."""
START_S: Final = 1.0
"""Delay between the dispatch and the agent's join."""
GREETING: Final = "Hello, I am here now. How can I help you?"


class DispatchedAgents:
    """Starts the deployed agent, once per request. A repeated request starts one more."""

    def __init__(self, clock: Clock, ledger: Ledger, activity: RoomActivity) -> None:
        self._clock = clock
        self._ledger = ledger
        self._activity = activity
        self._count = 0

    def dispatch(self, agent_id: str, room: Room, metadata: dict[str, object]) -> None:
        """Start an agent that joins `room` later. Raises HttpError 404 if no such agent is deployed."""
        if agent_id != AGENT_ID:
            raise HttpError(404, f"No workers registered: the sandbox runs the agent {AGENT_ID} only.")
        self._count += 1
        ref = LedgerRef(None, room.id, f"dispatched-{self._count}", metadata)
        self._ledger.record("dispatch", "api", ref, agentId=agent_id)
        agent = _DispatchedAgent(self._activity)
        agent.participant = self._activity.create_participant(
            f"dispatched-{self._count}", "Agent", agent, None, metadata
        )
        self._clock.call_later(START_S, lambda: self._join(room, agent.participant))

    def _join(self, room: Room, participant: Participant) -> None:
        if room.disabled or not any(room.people):
            return
        self._activity.enter(room, participant, "cloud")
        participant.speech.say(Utterance("greeting", GREETING))


class _DispatchedAgent:
    """Observer of a dispatched agent's room: the agent leaves when no person is left."""

    participant: Participant

    def __init__(self, activity: RoomActivity) -> None:
        self._activity = activity

    def on_event(self, event: RoomEvent) -> None:
        room = self.participant.room
        if isinstance(event, Left) and room is not None and not any(room.people):
            self._activity.leave(self.participant, "user-left", "cloud")

    def on_utterance_ended(self, utterance_id: str, interrupted: bool) -> None:
        """Ignore the end of the greeting."""

    def on_removed(self, reason: str) -> None:
        """Ignore the removal: the agent has nothing to close."""
