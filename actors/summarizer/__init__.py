"""The summarizer: a transcript in, a briefing for the supervisor out.

actor.py               takes Summarize from the work queue, and replies SummaryReady
writer.py              asks the model in time, checks what it gives, and falls back to quotes
prompt.py              the prompt for the model, and the check of its answer
extractive_summary.py  a summary without a model: quotes from the transcript
call_facts.py          amounts, numbers and questions in what a caller said
caller_name.py         the name that a caller gives
settings.py            environment variables

Invariants:

- A summary never blocks a transfer. If no model delivers in time, the briefing quotes the transcript and says
  so. Without a transcript it is one fixed line. Held by `test_a_failing_model_does_not_delay_the_summary`.
- Words of the call are never logged. Held by `test_no_word_of_the_call_is_logged`.
"""

from .actor import Summarizer, run
from .settings import SummarizerSettings
from .writer import Attempt, Written, by_model, write

__all__ = ["Attempt", "Summarizer", "SummarizerSettings", "Written", "by_model", "run", "write"]
