"""The summarizer: a transcript in, a briefing for the supervisor out, whatever happens on the way.

The law of this room: a summary's failure, slowness, refusal or nonsense never blocks a transfer. When no
model delivers in time the briefing is taken from the transcript word for word and labelled so; when there is
no transcript it is one static line. Nobody's words are logged.
"""

from .actor import Summarizer, run
from .settings import SummarizerSettings

__all__ = ["Summarizer", "SummarizerSettings", "run"]
