"""Chat models: one protocol, and one file for each API.

chat_model.py      the protocol `ChatModel`, its messages, and the model's settings
openai.py          the OpenAI-compatible API of most vendors and of local servers, over HTTP
response_body.py   the JSON values of a response: events, JSON lines or one document
completion.py      the answer in these values, and how it ended
tool_calls.py      tool calls, whole or in pieces
reasoning.py       a model's reasoning inside its text
server_errors.py   what a failed request means, and which setting to check
prompt_data.py     untrusted text in a prompt, and the prompt for a summary of a transcript
"""

from __future__ import annotations

from .chat_model import (
    API_KEY,
    BASE_URL,
    MODEL,
    ChatModel,
    Message,
    ModelSettings,
    Reply,
    StreamReading,
    Tool,
    ToolCall,
)
from .openai import OpenAIModel
from .prompt_data import as_data, summarize_transcript
from .reasoning import without_reasoning
from .server_errors import why_failed
from .tool_calls import ToolCalls

__all__ = [
    "API_KEY",
    "BASE_URL",
    "MODEL",
    "ChatModel",
    "Message",
    "ModelSettings",
    "OpenAIModel",
    "Reply",
    "StreamReading",
    "Tool",
    "ToolCall",
    "ToolCalls",
    "as_data",
    "open_model",
    "summarize_transcript",
    "why_failed",
    "without_reasoning",
]


def open_model(settings: ModelSettings | None) -> ChatModel | None:
    """Return the model of these settings; None if no model is configured."""
    return OpenAIModel(settings) if settings else None
