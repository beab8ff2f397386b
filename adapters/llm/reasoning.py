"""Separates a model's reasoning from its answer, where both are in one text. Pure."""

from __future__ import annotations

import re
from typing import Final

_NAMES: Final = (
    r"(?:seed:)?(?:think|thinks|thinking|thought|thoughts|reason|reasoning|reflection|analysis|scratchpad"
    r"|inner_monologue)"
)
_TAG = re.compile(
    rf"(?P<open><\s*{_NAMES}\b[^<>]*>|\[{_NAMES}\]|◁{_NAMES}▷|<\|(?:begin_of_)?{_NAMES}\|>)"
    rf"|(?P<close><\s*/\s*{_NAMES}\s*>|\[/{_NAMES}\]|◁/{_NAMES}▷|<\|(?:end_of_|/){_NAMES}\|>)",
    re.IGNORECASE,
)
_CHANNELS: Final = "<|channel|>"
_FINAL_CHANNEL = re.compile(
    r"<\|channel\|>\s*final\b[^<]*<\|message\|>(?P<text>.*?)(?:<\|\w+\|>|\Z)", re.DOTALL
)
_BARE_CHANNELS = re.compile(r"\A\s*analysis(?=[A-Z])(?:.*assistantfinal)?", re.DOTALL)
"""Channels whose marks the server has removed: "analysisWe need to …assistantfinalAnn was …"."""
_BARE_FINAL: Final = "assistantfinal"
_WRAPPED = re.compile(
    r"\s*<(?P<name>answer|response|output|final|final_answer|summary|briefing|solution)>(?P<text>.*)</(?P=name)>\s*",
    re.DOTALL | re.IGNORECASE,
)
_SOLUTION = re.compile(r"<\|(?:begin|end)_of_solution\|>")


def without_reasoning(text: str) -> str:
    """Return the answer in `text`.

    - A tag that closes reasoning without an opening one ends reasoning that began with the text.
    - An opening tag without a closing one begins reasoning that never ended, so no answer follows.
    """
    if _CHANNELS in text:
        final = _FINAL_CHANNEL.findall(text)
        return final[-1].strip() if final else ""
    if bare := _BARE_CHANNELS.match(text):
        return text[bare.end() :].strip() if bare[0].endswith(_BARE_FINAL) else ""
    text = text.removeprefix(_BARE_FINAL)
    answer: list[str] = []
    at, reasons = 0, False
    for tag in _TAG.finditer(text):
        if tag["close"]:
            answer = answer if reasons else []
        elif not reasons:
            answer.append(text[at : tag.start()])
        reasons, at = tag["close"] is None, tag.end()
    if not reasons:
        answer.append(text[at:])
    visible = _SOLUTION.sub("", "".join(answer))
    wrapped = _WRAPPED.fullmatch(visible)
    return wrapped["text"].strip() if wrapped else visible


def begins_with_reasoning(text: str) -> bool:
    """Return whether `text` begins with an opening tag, or with a channel that is not the answer's."""
    first = text.lstrip()[:40]
    tag = _TAG.match(first)
    is_channel = first.startswith(_CHANNELS) or _BARE_CHANNELS.match(first) is not None
    return bool(tag and tag["open"]) or is_channel
