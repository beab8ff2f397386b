"""Chat models: the port, and one file for each API that is known.

port.py    what an actor asks of a model, and where the model is
openai.py  the OpenAI-compatible API, spoken by nearly every vendor and by local servers
prompt_data.py  untrusted text in a prompt, and the question for a summary of a transcript
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
    """The model of these settings; None when none is set up."""
    return OpenAIModel(settings) if settings else None
