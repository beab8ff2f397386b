"""Chat models: one protocol, and one file for each API.

chat_model.py   the protocol `ChatModel`, its messages, and the model's settings
openai.py       the OpenAI-compatible API of most vendors and of local servers
prompt_data.py  untrusted text in a prompt, and the prompt for a summary of a transcript
"""

from __future__ import annotations

from .chat_model import API_KEY, BASE_URL, MODEL, ChatModel, Message, ModelSettings, Reply, Tool, ToolCall
from .openai import OpenAIModel
from .prompt_data import as_data, summarize_transcript

__all__ = [
    "API_KEY",
    "BASE_URL",
    "MODEL",
    "ChatModel",
    "Message",
    "ModelSettings",
    "OpenAIModel",
    "Reply",
    "Tool",
    "ToolCall",
    "as_data",
    "open_model",
    "summarize_transcript",
]


def open_model(settings: ModelSettings | None) -> ChatModel | None:
    """Return the model of these settings; None if no model is configured."""
    return OpenAIModel(settings) if settings else None
