"""All limits of the sandbox. Input beyond a limit is refused, cut or removed."""

from typing import Final

MAX_BODY_BYTES: Final = 64 * 1024
MAX_LLM_BODY_BYTES: Final = 1024 * 1024
MAX_TEXT_CHARS: Final = 4_000
MAX_ID_CHARS: Final = 128
MAX_URL_CHARS: Final = 512

MAX_ROOMS: Final = 200_000
"""Maximum number of rooms with a session."""
MAX_EMPTY_ROOMS: Final = 20_000
"""Maximum number of rooms without a session. A new one then replaces the one that is empty for longest."""
MAX_PARTICIPANTS_PER_ROOM: Final = 50
MAX_LIVE_CALLS: Final = 200_000
MAX_ENDED_CALLS: Final = 20_000
"""Maximum number of ended calls that are kept. A further one then replaces the oldest."""
MAX_LEDGER_ENTRIES: Final = 100_000
MAX_LEDGER_TEXT_CHARS: Final = 200
MAX_FAULTS: Final = 1_000
MAX_WEBHOOKS: Final = 100
MAX_PENDING_WEBHOOKS: Final = 20_000
MAX_OVERRIDES: Final = 1_000

MAX_QUEUED_UTTERANCES: Final = 64
MAX_QUEUED_FRAMES: Final = 1_000
"""Maximum number of frames queued for one slow socket. A socket beyond it is disconnected."""
MAX_UNREAD_EVENTS: Final = 256
"""Maximum number of room events queued for one person. Further events are dropped."""

MAX_SIMULATED_S: Final = 3_600.0
"""Maximum delay of a fault, a person or a ringing timeout."""
DEFAULT_PER_PAGE: Final = 10
MAX_PER_PAGE: Final = 100
MAX_EPOCH_MS: Final = 10_000_000_000_000
