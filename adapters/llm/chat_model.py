"""Protocol of a chat model, independent of a vendor: messages in, one bounded reply out.

    RetryableError  the model is busy, slow or unreachable, or its answer is invalid; a retry may succeed
    InvalidRequest  the settings are wrong, the model refuses, or its answer is longer than allowed

The caller of `reply` gives the deadline and the maximum length. There is no default for either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal, Protocol

from msgspec import Struct

from warmxfer.schemas import InvalidRequest, env_credential, is_private, parse_http_url

BASE_URL: Final = "WARMXFER_LLM_BASE_URL"
API_KEY: Final = "WARMXFER_LLM_API_KEY"
MODEL: Final = "WARMXFER_LLM_MODEL"


class Message(Struct, frozen=True):
    """One message of a chat. Words of a caller or a supervisor have the role "user", never "system"."""

    role: Literal["system", "user", "assistant"]
    content: str


class Tool(Struct, frozen=True):
    """A tool that the model may call; `parameters` is a JSON schema."""

    name: str
    description: str
    parameters: dict[str, Any]


class ToolCall(Struct, frozen=True):
    """A tool call of the model. Nothing is executed: the caller of `reply` decides what it means."""

    name: str
    arguments: dict[str, Any]


class StreamReading(Struct, frozen=True):
    """How an answer was read, for a user who tries a model server.

    `ended_by` is a finish reason, or `[DONE]`.
    """

    format: str
    chunks: int
    ended_by: str
    reasoning_chars: int


class Reply(Struct, frozen=True):
    """The model's whole answer: its text without reasoning, and its tool call, if any.

    A model that calls tools of different names has not decided: `call` is None.
    """

    text: str
    call: ToolCall | None = None
    reading: StreamReading | None = None


class ChatModel(Protocol):
    """A chat model."""

    async def reply(
        self, messages: Sequence[Message], *, tools: Sequence[Tool] = (), deadline_s: float, max_chars: int
    ) -> Reply:
        """Return the answer to `messages`, of at most `max_chars`, within `deadline_s`.

        Raises RetryableError and InvalidRequest, as the module says.
        """
        ...

    async def aclose(self) -> None:
        """Close all connections."""
        ...


@dataclass(frozen=True, slots=True)
class ModelSettings:
    """Address and name of the model. The key is a secret: `repr` and logs do not contain it."""

    base_url: str
    model: str
    api_key: str = field(default="", repr=False)

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> ModelSettings | None:
        """Return the settings in `env`; None if there is no address.

        Raises InvalidRequest if a setting is invalid or missing.
        """
        base_url = env.get(BASE_URL, "").strip()
        if not base_url:
            return None
        address = parse_http_url(base_url)
        if address is None or address.username is not None:
            raise InvalidRequest(
                f"{BASE_URL} is not a valid address; write https://host/v1 and put the key into {API_KEY}",
                field=BASE_URL,
            )
        if not is_private(address):
            raise InvalidRequest(
                f"{BASE_URL} would send {API_KEY} and the conversation in clear text; "
                "use https://host/v1, or http:// on this machine",
                field=BASE_URL,
            )
        model = env.get(MODEL, "").strip()
        if not model:
            raise InvalidRequest(
                f"{MODEL} is empty although {BASE_URL} is set; set it to the name of the model", field=MODEL
            )
        return cls(base_url.rstrip("/"), model, env_credential(env, API_KEY))
