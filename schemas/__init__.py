"""Every message that crosses the bus, as a msgspec struct, and the exception tree.

- Invariant: no I/O, no clock, no import but msgspec and the standard library (`tests/test_layout.py`).
- Times are epoch seconds (float) by the broker's clock. Names of durations end in `_s`.
- `read_request` reads what users write, strictly: it rejects an error with one sentence.
- `decode_event`, `decode_command` and `read_leniently` read what warmxfer writes, also in a newer version.
"""

from __future__ import annotations

from . import commands, events, participant_ids
from .codec import (
    MAX_MESSAGE_BYTES,
    DecodeError,
    NewerMessage,
    decode_as,
    decode_command,
    decode_event,
    decode_notice,
    decode_phase,
    decode_result,
    encode,
    undecoded_command_id,
    undecoded_transfer_id,
)
from .commands import *  # noqa: F403 - a new message is added in one file
from .env import env_credential, env_number, is_private, parse_http_url, shown_address
from .errors import InternalError, InvalidRequest, RetryableError, WarmxferError, format_traceback
from .events import *  # noqa: F403 - a new message is added in one file
from .fields import SUMMARY_MAX_CHARS, TOKEN_PATTERN
from .lenient import is_known, read_leniently, unknown_member
from .line_languages import TRANSLATED
from .outcomes import FALLBACK_SUMMARY, Outcome, apology_for
from .queries import (
    MAX_LIVENESS_QUERY,
    MAX_TURN_CHARS,
    MAX_TURNS,
    EraseQuery,
    EraseReply,
    History,
    HistoryQuery,
    Liveness,
    LivenessQuery,
    LivenessReply,
    ReplayQuery,
    ReplayReply,
    RoomToken,
    RoomTokenQuery,
    SessionSummary,
    SummaryQuery,
    TranscriptTurn,
)
from .transfer import (
    DEFAULT_BRIDGE_GUARD_S,
    FINAL_PHASES,
    CancelRequest,
    NoticeKind,
    PhaseChanged,
    Rescue,
    RescueByAgent,
    RescueByDial,
    SIPDestination,
    SIPOptions,
    SpokenLines,
    TransferNotice,
    WarmTransferConfig,
    WarmTransferPhase,
    WarmTransferRequest,
    WarmTransferResult,
    in_their_language,
    with_defaults,
)
from .validation import check_request, read_cancel, read_request

__all__ = [
    "DEFAULT_BRIDGE_GUARD_S",
    "FALLBACK_SUMMARY",
    "FINAL_PHASES",
    "MAX_LIVENESS_QUERY",
    "MAX_MESSAGE_BYTES",
    "MAX_TURNS",
    "MAX_TURN_CHARS",
    "SUMMARY_MAX_CHARS",
    "TOKEN_PATTERN",
    "TRANSLATED",
    "CancelRequest",
    "DecodeError",
    "EraseQuery",
    "EraseReply",
    "History",
    "HistoryQuery",
    "InternalError",
    "InvalidRequest",
    "Liveness",
    "LivenessQuery",
    "LivenessReply",
    "NewerMessage",
    "NoticeKind",
    "Outcome",
    "PhaseChanged",
    "ReplayQuery",
    "ReplayReply",
    "Rescue",
    "RescueByAgent",
    "RescueByDial",
    "RetryableError",
    "RoomToken",
    "RoomTokenQuery",
    "SIPDestination",
    "SIPOptions",
    "SessionSummary",
    "SpokenLines",
    "SummaryQuery",
    "TranscriptTurn",
    "TransferNotice",
    "WarmTransferConfig",
    "WarmTransferPhase",
    "WarmTransferRequest",
    "WarmTransferResult",
    "WarmxferError",
    "apology_for",
    "check_request",
    "decode_as",
    "decode_command",
    "decode_event",
    "decode_notice",
    "decode_phase",
    "decode_result",
    "encode",
    "env_credential",
    "env_number",
    "format_traceback",
    "in_their_language",
    "is_known",
    "is_private",
    "parse_http_url",
    "participant_ids",
    "read_cancel",
    "read_leniently",
    "read_request",
    "shown_address",
    "undecoded_command_id",
    "undecoded_transfer_id",
    "unknown_member",
    "with_defaults",
]
__all__ += commands.__all__
__all__ += events.__all__
