"""What the sandbox's AI says: a refund in five lines, so that a demo has a real conversation to hand on."""

from __future__ import annotations

from collections import deque

GREETING = "Hi, I'm the AI assistant. How can I help you today?"
REPLIES = (
    "I'm sorry about that, Ann. When were you charged?",
    "Thank you, I can see both charges on order 4417. What would you like us to do?",
    "I can open a refund request for you. Would that be all right?",
    "Of course. Let me get a supervisor for you.",
)
LATER = "I'm still here with you."


class ScriptedReplies:
    """One conversation. It answers in order, whatever is said."""

    def __init__(self) -> None:
        self._replies = deque(REPLIES)

    def reply(self) -> str:
        """The answer to what the caller just said."""
        return self._replies.popleft() if self._replies else LATER
