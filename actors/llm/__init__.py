"""Chat models: the port, and one file for each API that is known.

port.py    what an actor asks of a model, and where the model is
openai.py  the OpenAI-compatible API, spoken by nearly every vendor and by local servers
"""

from __future__ import annotations

from .openai import OpenAIModel
from .port import API_KEY, BASE_URL, MODEL, ChatModel, Message, ModelSettings, Reply, Tool, ToolCall

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
    "open_model",
]


def open_model(settings: ModelSettings | None) -> ChatModel | None:
    """The model of these settings; None when none is set up."""
    return OpenAIModel(settings) if settings else None
