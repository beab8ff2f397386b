"""Public messages: the request, the configuration, the cancel, the phases, the result and the notices.

Names and values are those of VideoSDK's `WarmTransferRunner`, so that its users find them again. Names of
durations get units. `seq`, `outcome`, `detail` and `evidence` are added to what upstream reports. JSON on the
wire.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType, field, structs

from .fields import (
    CallMetadata,
    CallSeconds,
    CommandSeconds,
    DialledDigits,
    Evidence,
    EvidenceValue,
    Facts,
    GuardSeconds,
    HeaderNames,
    Id,
    NoticeSeconds,
    PrintableName,
    PromptText,
    ProviderId,
    ReasonText,
    RingSeconds,
    Sentence,
    SipAddress,
    SipHeaders,
    SpokenLine,
    SummaryText,
    Token,
    WaitSeconds,
    snake_case,
)
from .line_languages import TRANSLATED, LanguageCode
from .outcomes import Outcome


class WarmTransferPhase(StrEnum):
    """Phase of a transfer, in the 13 words of upstream. The last three are final."""

    STARTED = "started"
    SUMMARY_GENERATING = "summary_generating"
    SUMMARY_READY = "summary_ready"
    CALLER_ON_HOLD = "caller_on_hold"
    CONSULTATION_ROOM_CREATED = "consultation_room_created"
    SUPERVISOR_DIALED = "supervisor_dialed"
    SUPERVISOR_JOINED = "supervisor_joined"
    BRIEFING_STARTED = "briefing_started"
    BRIEFING_COMPLETE = "briefing_complete"
    CALL_SWITCHED = "call_switched"
    TRANSFER_COMPLETE = "transfer_complete"
    TRANSFER_CANCELLED = "transfer_cancelled"
    TRANSFER_FAILED = "transfer_failed"

    @property
    def final(self) -> bool:
        """True if no phase follows."""
        return self in FINAL_PHASES


FINAL_PHASES = frozenset(
    {
        WarmTransferPhase.TRANSFER_COMPLETE,
        WarmTransferPhase.TRANSFER_CANCELLED,
        WarmTransferPhase.TRANSFER_FAILED,
    }
)

DEFAULT_BRIDGE_GUARD_S = 5.0
"""The bridge guard of a request that does not set one: long enough for a hang-up that no webhook reported."""

DEFAULT_NOTICE_S = 6.0
"""The time for a notice to the supervisor in a request that does not set one: each notice fits in it."""

RESERVED_OPTIONS = frozenset(
    {"routingRuleId", "gatewayId", "sipCallTo", "sipCallFrom", "destinationRoomId", "participant"}
)
"""Keys of a dial that only warmxfer sets.

If `extra_options` could override them, a user could commit toll fraud.
"""


class SIPOptions(Struct, frozen=True, forbid_unknown_fields=True, rename="camel", omit_defaults=True):
    """`extra_options` of a dial: a closed list, under the provider's own names.

    The provider repeats `metadata` in its call record. `headers` are sent to the supervisor's phone, so only
    `X-` names, `User-to-User` (RFC 7433) and printable ASCII values are allowed.
    """

    ringing_timeout: RingSeconds | UnsetType = UNSET
    max_call_duration: CallSeconds | UnsetType = UNSET
    record_audio: bool | UnsetType = UNSET
    wait_until_answered: bool | UnsetType = UNSET
    hide_phone_number: bool | UnsetType = UNSET
    dtmf: bool | DialledDigits | UnsetType = UNSET
    """A boolean: whether the provider reports the keys that the supervisor presses. Text: digits to send."""
    media_encryption: Literal["enable", "disable", "SRTP"] | UnsetType = UNSET
    """The provider's page for this request has `SRTP`, its server SDK has the two others."""
    include_headers: Literal["ALL", "SIP_X_HEADERS", "NONE"] | HeaderNames | UnsetType = UNSET
    headers: SipHeaders | UnsetType = UNSET
    metadata: CallMetadata | UnsetType = UNSET


DEFAULT_DISPLAY_NAME = "Supervisor"


class SIPDestination(Struct, frozen=True, forbid_unknown_fields=True):
    """The supervisor: `sip_call_to` is dialled through the provider's routing rule.

    Either these three are given, or `name`: they then come from the directory of the deployment.
    """

    routing_rule_id: ProviderId | UnsetType = UNSET
    sip_call_to: SipAddress | UnsetType = UNSET
    sip_call_from: SipAddress | UnsetType = UNSET
    participant_display_name: PrintableName = DEFAULT_DISPLAY_NAME
    extra_options: SIPOptions = field(default_factory=SIPOptions)
    name: Token | UnsetType = UNSET
    """A destination of the directory. No number then stands in the request, nor in the streams."""


class RescueByDial(SIPDestination, frozen=True, forbid_unknown_fields=True, tag="dial", tag_field="by"):
    """A rescue: dial this number once into the primary room, where the caller is."""


class RescueByAgent(Struct, frozen=True, forbid_unknown_fields=True, tag="agent", tag_field="by"):
    """A rescue: have the provider dispatch this agent once into the primary room, where the caller is."""

    agent_id: ProviderId
    version_id: ProviderId | None = None
    """The deployed version of an agent that the provider runs. None: the provider's choice."""
    metadata: CallMetadata = field(default_factory=dict[str, str])
    """Passed on to the agent."""


Rescue = RescueByDial | RescueByAgent


class SpokenLines(Struct, frozen=True, forbid_unknown_fields=True):
    """The fixed sentences that callers and supervisors hear. The default apologies are in `outcomes.py`.

    The defaults are upstream's, where it has one. `language` takes the lines that are not set here from
    `line_languages.py`.
    """

    language: Annotated[
        LanguageCode | None, Meta(extra={"remedy": "use one of en es fr de pt it nl pl hi ja zh"})
    ] = None
    """The supervisor's language, as an ISO 639-1 code."""
    hold: SpokenLine = "Please hold while I connect you with a supervisor."
    greeting: SpokenLine = "Hi, I'm the AI assistant. Let me bring you up to speed on this call."
    question: SpokenLine = "Are you ready to take the call?"
    connecting: SpokenLine = "Connecting the caller now. Stand by."
    one_moment: SpokenLine = "One moment please, I am preparing the briefing."
    """For a supervisor who joins before the summary is ready."""
    understood: SpokenLine = "Understood. The caller will be kept with the primary agent."
    """Said after the supervisor declines."""
    confirm: SpokenLine = "Did I understand you right: shall I connect the caller to you now?"
    """Asked after a yes that only the model understood."""
    keys: SpokenLine = "Press 1 to accept, 2 to decline, or 3 to hear it again."
    """Said before the question if the supervisor may answer by key."""
    identify: SpokenLine = "Hello, am I speaking with a person who can take a call?"
    """Asked before anything is told, if it is not clear that a person answered."""
    identify_key: SpokenLine = "If you are a person, press 1."
    """Said before `identify` if the supervisor may answer by key."""
    screening: SpokenLine = (
        "This is an AI assistant. A caller asked for a supervisor, and I would like to connect them to you."
    )
    """Said to a call-screening robot, which asks who calls and why."""
    caller_left: SpokenLine = "The caller has hung up, so there is nothing to take over. Goodbye."
    """Said to the supervisor when the caller has left, before their leg ends."""
    called_off: SpokenLine = "The transfer was called off, so there is nothing to take over. Goodbye."
    """Said to the supervisor when the transfer was cancelled, before their leg ends."""
    time_over: SpokenLine = "I have no answer from you, so the caller stays with me. Goodbye."
    """Said to the supervisor when the time for the briefing is over, before their leg ends."""
    supervisor_left: SpokenLine = "The supervisor is no longer on the line; let me keep helping you."
    """Said to a caller whom the bridge guard brought back to the AI."""
    apologies: Annotated[
        dict[Outcome, SpokenLine],
        Meta(extra={"remedy": "use outcome words as keys and lines of 1 to 500 characters as values"}),
    ] = field(default_factory=dict[Outcome, SpokenLine])
    """Apologies by outcome. An outcome that is missing here uses `outcomes.APOLOGIES`."""


_ENGLISH = SpokenLines()


def in_their_language(lines: SpokenLines) -> SpokenLines:
    """Return `lines` with each line that has its English default in the language that they name."""
    translated = TRANSLATED.get(lines.language or "en", {})
    missing = {
        name: text for name, text in translated.items() if getattr(lines, name) == getattr(_ENGLISH, name)
    }
    return structs.replace(lines, **missing)


class WarmTransferConfig(Struct, frozen=True, forbid_unknown_fields=True):
    """Configuration of one transfer. Only `destination` is required."""

    destination: SIPDestination
    summary_prompt: PromptText | None = None
    summarize_by: Literal["summarizer", "session"] = "summarizer"
    """Which model writes the summary: the summarizer's, or the primary session's own."""
    brief_by: Literal["briefing", "session"] = "briefing"
    """Which process briefs the supervisor: a briefing worker, or that of the primary session."""
    summary_timeout_s: CommandSeconds = 8.0
    supervisor_join_timeout_s: WaitSeconds = 120.0
    briefing_timeout_s: WaitSeconds = 180.0
    on_briefing_timeout: Literal["cancel", "proceed"] = "cancel"
    """`proceed` is upstream's behaviour: the caller is moved to a supervisor who did not say yes."""
    caller_arrival_timeout_s: Annotated[
        float, Meta(ge=1.0, le=60.0, extra={"remedy": "give seconds from 1 to 60"})
    ] = 15.0
    command_timeout_s: CommandSeconds = 10.0
    """Time in which an actor must reply to a command before it counts as absent."""
    pacing: Literal["overlap", "sequential"] = "overlap"
    """`sequential` keeps upstream's strict order. `overlap` makes the caller wait least."""
    record: bool = False
    """Record the supervisor and the caller in the consultation room, from the moment each joins."""
    bridge_guard_s: GuardSeconds | None = None
    """How long the AI stays after completion, for a caller whom the supervisor leaves alone. 0: not at all.

    A coordinator writes `DEFAULT_BRIDGE_GUARD_S` into a request without it. None is left only in records of
    versions without the bridge guard, which also complete without a leg check.
    """
    lines: SpokenLines = field(default_factory=SpokenLines)
    """The fixed sentences. A request may give the code of a language alone: `"lines": "de"`."""
    accept_by: Literal["voice", "either", "key"] | None = None
    """How a supervisor accepts: in words or by key. None: either, where the provider reports keys.

    A coordinator writes `dtmf` into a request whose supervisor may press keys, and "voice" into one whose
    `dtmf` says that the call reports none.
    """
    notice_s: NoticeSeconds | None = None
    """How long the supervisor's leg stays up for a notice, such as `lines.caller_left`. 0: no notice.

    A coordinator writes `DEFAULT_NOTICE_S` into a request without it. None is left only in records of
    versions without notices.
    """
    rescue: Annotated[
        RescueByDial | RescueByAgent | UnsetType | None,
        Meta(
            extra={
                "remedy": 'give an object with "by": "dial" and the fields of a destination, '
                'or with "by": "agent" and agent_id'
            }
        ),
    ] = UNSET
    """What is done for a caller whose session is lost. None: nothing, and the evidence says so.

    The coordinator writes None into a request without it. UNSET is left only in records of older versions.
    """


class WarmTransferRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Published on `warmxfer.<id>.request`. You choose the id: the same id twice is one transfer."""

    room_id: Token
    """The room in which the AI agent and the caller talk now."""
    config: WarmTransferConfig
    session: Token | None = None
    """The name under which the primary session was attached. Default: the room id."""
    caller_call_id: ProviderId | None = None
    """The caller's SIP call, if known. It saves a look-up at the provider."""
    caller_participant_id: ProviderId | None = None
    """The caller's participant id in `room_id`, if known."""

    @property
    def session_name(self) -> str:
        return self.session or self.room_id


def _with_keys(config: WarmTransferConfig) -> WarmTransferConfig:
    """Return `config` with `dtmf` and `accept_by` in agreement: a call reports keys only with `dtmf`.

    A destination by name keeps the options of its directory entry.
    """
    destination = config.destination
    options = destination.extra_options
    if config.accept_by is None and options.dtmf is not UNSET and options.dtmf is not True:
        return structs.replace(config, accept_by="voice")
    if config.accept_by == "voice" or options.dtmf is not UNSET or destination.name is not UNSET:
        return config
    options = structs.replace(options, dtmf=True)
    return structs.replace(config, destination=structs.replace(destination, extra_options=options))


def with_defaults(request: WarmTransferRequest) -> WarmTransferRequest:
    """Return `request` with each default whose absence in a record means an older version's behaviour."""
    guard_s, notice_s, rescue = (
        request.config.bridge_guard_s,
        request.config.notice_s,
        request.config.rescue,
    )
    config = structs.replace(
        _with_keys(request.config),
        bridge_guard_s=DEFAULT_BRIDGE_GUARD_S if guard_s is None else guard_s,
        notice_s=DEFAULT_NOTICE_S if notice_s is None else notice_s,
        rescue=None if rescue is UNSET else rescue,
        lines=in_their_language(request.config.lines),
    )
    return structs.replace(request, config=config)


class CancelRequest(Struct, frozen=True, forbid_unknown_fields=True):
    """Published on `warmxfer.<id>.cancel`. The caller returns to the AI."""

    reason: ReasonText = "cancelled by request"


class PhaseChanged(Struct, frozen=True, tag=snake_case, tag_field="type"):
    """Published on `warmxfer.<id>.phase`, in order of `seq` (from 1, no gaps). Drop a repeated `seq`."""

    phase: WarmTransferPhase
    data: Facts
    timestamp: float
    """Epoch seconds by the broker's clock."""
    consultation_room_id: Id | None
    seq: int


class WarmTransferResult(Struct, frozen=True, tag=snake_case, tag_field="type"):
    """Published once on `warmxfer.<id>.result`, when no part of the transfer is pending."""

    success: bool
    phase: WarmTransferPhase
    outcome: Outcome
    consultation_room_id: Id | None
    supervisor_call_id: Id | None
    switched_call_id: Id | None
    summary: SummaryText
    error: Sentence | None = None
    detail: Sentence | None = None
    consultation_session_id: Id | None = None
    supervisor_participant_id: Id | None = None
    caller_participant_id: Id | None = None
    briefing_agent_participant_id: Id | None = None
    evidence: Evidence = field(default_factory=dict[str, EvidenceValue])


class NoticeKind(StrEnum):
    """What a notice is about. A later version may add kinds."""

    ID_IN_USE = "id_in_use"
    """A request was refused: its transfer id already belongs to another request."""
    CALLER_RETURNED = "caller_returned"
    """The supervisor left the caller alone right after completion; the caller is back with the AI."""
    CALLER_RESCUED = "caller_rescued"
    """As before, and the session is lost; the provider accepted the rescue."""
    CALLER_ALONE = "caller_alone"
    """The supervisor left the caller alone right after completion, and no return or session was confirmed.

    With `searching` in its data the return is still repeated, and a later notice says how it ended.
    """


class TransferNotice(Struct, frozen=True, tag=snake_case, tag_field="type"):
    """Published on `warmxfer.<id>.notice`: a fact about a transfer that is neither a phase nor its result."""

    notice: NoticeKind
    detail: Sentence
    """One sentence for people."""
    data: Facts
    """Facts for programs. No phone number, no transcript."""
    timestamp: float
    """Epoch seconds by the broker's clock."""
