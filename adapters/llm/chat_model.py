"""A chat model, as our actors use one: messages in, one bounded reply out. No vendor's words.

    Retry       busy, slow, away, or it answered with nonsense: the same question may be answered later
    Refused     the set-up is wrong, or the model will not, or said more than was asked for

Whoever asks says how long it can wait and how much it can take; there is no default for either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from warmxfer.schemas import InvalidRequest, parse_http_url

BASE_URL: Final = "WARMXFER_LLM_BASE_URL"
API_KEY: Final = "WARMXFER_LLM_API_KEY"
MODEL: Final = "WARMXFER_LLM_MODEL"


class Message(Struct, frozen=True):
    """One message of a chat. What a caller or a supervisor said goes into "user", never into "system"."""

    role: Literal["system", "user", "assistant"]
    content: str


class Tool(Struct, frozen=True):
    """Something the model may ask for; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolCall(Struct, frozen=True):
    """What it asked for. A wish, not a deed: whoever reads it decides."""

    name: str
    arguments: dict[str, Any]


class Reply(Struct, frozen=True):
    """The whole answer: text, and the first tool it called, if any."""

    text: str
    call: ToolCall | None = None


class ChatModel(Protocol):
    """Any model that chats."""

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        """Answer within `deadline_s` in at most `max_chars`; raises `Retry` and `Refused`."""
        ...

    async def aclose(self) -> None:
        """Let go of connections."""
        ...


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Where the model is. The key is a secret: it is kept out of `repr` and never logged."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ModelSettings | None:
        """The model in `env`, or None when there is none; raises `Refused` for half a set-up."""
        base_url = env.get(BASE_URL, "").strip()
        if not base_url:
            return None
        address = parse_http_url(base_url)
        if address is None or address.username is not None:
            raise InvalidRequest(
                f"{BASE_URL} is no address; write https://host/v1, the key apart", field=BASE_URL
            )
        model = env.get(MODEL, "").strip()
        if not model:
            raise InvalidRequest(
                f"{MODEL} is empty while {BASE_URL} is set; name the model to use", field=MODEL
            )
        return cls(base_url.rstrip("/"), model, env.get(API_KEY, "").strip())
