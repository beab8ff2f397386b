"""Constrained field types of the messages. Each limit is written once.

Every text, list and object of a message has a length. Two kinds of types say it:

- What users write has a pattern or a range. `extra["remedy"]` ends the sentence for a user whose value is
  rejected (`validation.py`).
- What warmxfer writes has a `max_length` alone: `Id`, `Word`, `Line`, `Sentence` and the types after them.
  Its writer cuts or refuses a foreign text where it comes in, at a limit that is lower or equal. So a longer
  text in a message is not from warmxfer, and the message is refused. A log record is read without these
  limits (`lenient.py`): a record is the only copy of a transfer's state.

`extra["pii"]` marks a value that must never reach a log line or a subject.

Test: `tests/schemas/test_lengths.py` finds every struct that is decoded, and each field without a length.
"""

from __future__ import annotations

import re
from typing import Annotated, Any

from msgspec import Meta

_WORD_BREAK = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

TOKEN_PATTERN = r"^[A-Za-z0-9_-]{1,64}\Z"
"""Transfer ids, session names and room ids: they may stand between two dots of a subject."""

Token = Annotated[
    str,
    Meta(
        pattern=TOKEN_PATTERN,
        extra={"remedy": "use 1 to 64 of A-Z a-z 0-9 _ -"},
    ),
]

# Allows the parameters of a SIP URI (RFC 3261, 19.1.1) that change how an address is reached, and not which.
# `maddr` is not allowed: it would send the call to a host that the dial policy did not check.
# Upper case in scheme and parameters is changed to lower case first (`sip_address.py`).
SIP_ADDRESS_PATTERN = (
    r"^(\+[1-9][0-9]{6,14}"
    r"|sips?:[A-Za-z0-9._+-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(:[0-9]{1,5})?"
    r"(;(transport=(udp|tcp|tls|sctp|ws|wss)|user=(phone|ip))){0,2})\Z"
)

SipAddress = Annotated[
    str,
    Meta(
        pattern=SIP_ADDRESS_PATTERN,
        extra={
            "pii": True,
            "remedy": "write a number as E.164 (+14155550123) or a SIP URI (sip:dana@example.com)",
        },
    ),
]

PrintableName = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x1f\x7f-\x9f\u2028\u2029]{1,128}\Z",
        extra={"remedy": "use 1 to 128 printable characters on one line"},
    ),
]

SipHeaders = Annotated[
    dict[
        Annotated[str, Meta(pattern=r"^([Xx]-[A-Za-z0-9-]{1,62}|[Uu]ser-[Tt]o-[Uu]ser)\Z")],
        Annotated[str, Meta(pattern=r"^[\x20-\x7e]{0,512}\Z")],
    ],
    Meta(
        max_length=10,
        extra={
            "remedy": "use at most 10 headers named X-... or User-to-User, each value up to 512 printable "
            "ASCII characters without line breaks"
        },
    ),
]

CallMetadata = Annotated[
    dict[
        Annotated[str, Meta(pattern=r"^[A-Za-z0-9_.-]{1,64}\Z")],
        Annotated[str, Meta(pattern=r"^[^\x00-\x1f\x7f]{0,256}\Z")],
    ],
    Meta(
        max_length=20,
        extra={"remedy": "use at most 20 printable strings of up to 256 characters"},
    ),
]

DialledDigits = Annotated[
    str,
    Meta(pattern=r"^[0-9A-Da-d*#wW,]{1,64}\Z", extra={"remedy": "use 1 to 64 of 0-9 A-D * # w ,"}),
]

HeaderNames = Annotated[
    list[Annotated[str, Meta(pattern=r"^[A-Za-z0-9-]{1,64}\Z")]],
    Meta(max_length=20, extra={"remedy": "use ALL, NONE, SIP_X_HEADERS or a list of at most 20 names"}),
]

RingSeconds = Annotated[int, Meta(ge=1, le=600, extra={"remedy": "give whole seconds from 1 to 600"})]
CallSeconds = Annotated[int, Meta(ge=10, le=86_400, extra={"remedy": "give whole seconds from 10 to 86400"})]

LINE_MAX_CHARS = 500

SpokenLine = Annotated[
    str,
    Meta(
        pattern=r"^[^\x00-\x08\x0b-\x1f\x7f]{1,500}\Z",
        extra={"remedy": "use 1 to 500 characters of plain text"},
    ),
]

PROMPT_MAX_CHARS = 8_000

PromptText = Annotated[
    str,
    Meta(min_length=1, max_length=PROMPT_MAX_CHARS, extra={"remedy": "use 1 to 8000 characters"}),
]

SUMMARY_MAX_CHARS = 4_000
SummaryText = Annotated[str, Meta(max_length=SUMMARY_MAX_CHARS, extra={"pii": True})]

REASON_MAX_CHARS = 500

ReasonText = Annotated[
    str,
    Meta(max_length=REASON_MAX_CHARS, extra={"pii": True, "remedy": "use at most 500 characters"}),
]

WaitSeconds = Annotated[
    float,
    Meta(ge=1.0, le=3_600.0, extra={"remedy": "give seconds from 1 to 3600"}),
]

CommandSeconds = Annotated[
    float,
    Meta(ge=0.5, le=60.0, extra={"remedy": "give seconds from 0.5 to 60"}),
]

GuardSeconds = Annotated[
    float,
    Meta(ge=0.0, le=300.0, extra={"remedy": "give seconds from 0 to 300"}),
]

NoticeSeconds = Annotated[
    float,
    Meta(ge=0.0, le=6.0, extra={"remedy": "give seconds from 0 to 6"}),
]

ProviderId = Annotated[
    str,
    Meta(
        pattern=r"^[\x21-\x7e]{1,128}\Z",
        extra={"remedy": "use 1 to 128 printable ASCII characters without spaces"},
    ),
]

# ── what warmxfer writes ─────────────────────────────────────────────────────────────────────────

ID_MAX_CHARS = 256
Id = Annotated[str, Meta(max_length=ID_MAX_CHARS)]
"""Id of a room, a leg, a participant, a session, a transfer, a command or a process.

`provider_id` takes no longer text than `PROVIDER_ID_MAX_CHARS` from a provider or a room.
"""
PROVIDER_ID_MAX_CHARS = 128

WORD_MAX_CHARS = 64
Word = Annotated[str, Meta(max_length=WORD_MAX_CHARS)]
"""Word of an enumeration, type of a message, or name of a fact. The words of a newer version are as short."""

Line = Annotated[str, Meta(max_length=LINE_MAX_CHARS)]
"""Line that is spoken, in a command. The request has checked its characters."""

SENTENCE_MAX_CHARS = 1_000
Sentence = Annotated[str, Meta(max_length=SENTENCE_MAX_CHARS)]
"""Sentence for people: why a transfer ended, how a command failed, what a record tells."""

LongText = Annotated[str, Meta(max_length=PROMPT_MAX_CHARS)]
"""Prompt of a request, in a command or a query. Error text of the broker."""

SubjectText = Annotated[str, Meta(max_length=256)]
"""Subject of a message."""

TOKEN_TEXT_MAX_CHARS = 8_192
TokenText = Annotated[str, Meta(max_length=TOKEN_TEXT_MAX_CHARS)]
"""Room token. HTTP servers take no longer header."""

URL_MAX_CHARS = 2_048
Url = Annotated[str, Meta(max_length=URL_MAX_CHARS)]

FACTS_MAX = 100
Facts = Annotated[dict[Word, Any], Meta(max_length=FACTS_MAX)]
"""Facts of a phase or a notice, by name. Each value has the length of the field that it comes from."""

ANSWER_MAX_BYTES = 16 * 1024
ProviderAnswer = Annotated[dict[Id, Any], Meta(max_length=FACTS_MAX)]
"""Answer of the provider, as it came. One with more than `ANSWER_MAX_BYTES` keeps only its ids."""

EvidenceValue = Sentence | int | float | bool | None
Evidence = Annotated[dict[Word, EvidenceValue], Meta(max_length=FACTS_MAX)]
"""How the outcome of a transfer is known, by name."""

LIST_MAX = 1_000
"""Entries of a list in a reply or a record."""


def provider_id(text: object) -> str | None:
    """Return an id as a provider or a room gave it; None if it is no text that JSON can have, or too long."""
    if not isinstance(text, str) or len(text) > PROVIDER_ID_MAX_CHARS:
        return None
    try:
        text.encode()
    except UnicodeEncodeError:  # Python reads half a surrogate pair from JSON, and no encoder writes it.
        return None
    return text


def snake_case(name: str) -> str:
    """Return the message tag of a class: `DialSupervisor` -> `dial_supervisor`."""
    return _WORD_BREAK.sub("_", name).lower()
