"""The briefing agent: briefs the supervisor in the consultation room and publishes their decision.

actor.py             takes JoinConsultation from the work queue
in_session.py        `brief_here`: runs consultations in the session's own process, without a work queue
consultation.py      one consultation: join, watch, brief, leave
consult_commands.py  the newest command for a consultation, by fencing token
dialogue.py          the dialogue with the supervisor, as a pure state machine
dialogue_runner.py   runs the dialogue in a room: speech, timers, classifier
sentences.py         fixed spoken lines, and a summary as short sentences
reply/               what the supervisor's reply means: classifier.py (model), rules.py (built-in rules)
event_publisher.py   publishes each consultation event once
history.py           the events that earlier workers published
settings.py          environment variables

Invariants:

- The agent stays in the room, and publishes who joins and leaves, until LeaveConsultation arrives.
  `consultation.py` lists the other ways in which a consultation ends.
- The agent speaks only after the supervisor's audio has started.
- A yes counts only from the supervisor's own participant id, and only after the question has ended.
  Held by `test_h11_h12_only_the_supervisors_own_words_count`.
- A model only proposes. The pure rules in `reply/rules.py` and `dialogue.py` decide.
"""

from .actor import BriefingActor, run
from .in_session import brief_here
from .settings import BriefingSettings

__all__ = ["BriefingActor", "BriefingSettings", "brief_here", "run"]
