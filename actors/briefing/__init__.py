"""The briefing agent: in the consultation room from before the supervisor comes until the caller is there.

The law of this room: it joins first and watches always; it speaks once the supervisor can be heard; a yes
counts only from the supervisor's own leg, after the question. What the supervisor means is judged in pure
files (`verdict`, `script`); what a model wishes is gated by them.
"""

from .actor import BriefingActor, run
from .in_session import brief_here
from .settings import BriefingSettings

__all__ = ["BriefingActor", "BriefingSettings", "brief_here", "run"]
