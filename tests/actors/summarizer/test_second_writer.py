"""Calls by a second writer: what the extract without a model keeps of each, in their own words."""

from __future__ import annotations

import tomllib
from collections import Counter
from pathlib import Path
from typing import Any

from warmxfer.actors.summarizer.extractive_summary import extract
from warmxfer.schemas import TranscriptTurn

CALLS: list[dict[str, Any]] = tomllib.loads(
    (Path(__file__).parents[2] / "summaries" / "transcripts_second.toml").read_text(encoding="utf-8")
)["transcript"]
KINDS = {"matter_contains": 0.9, "amounts": 1.0, "numbers": 1.0, "names": 0.95, "last_open_question": 1.0}
"""The part of each kind that must be in the extracts."""


def test_the_extract_keeps_matter_amounts_numbers_names_and_the_open_question() -> None:
    all_parts, kept, missing = Counter[str](), Counter[str](), list[str]()
    for call in CALLS:
        summary = extract([TranscriptTurn(turn["speaker"], turn["text"]) for turn in call["turns"]])
        for kind in KINDS:
            listed = call.get(kind, [])
            parts = [listed] if isinstance(listed, str) else listed
            for part in filter(None, parts):
                all_parts[kind] += 1
                kept[kind] += part in summary
                missing += [] if part in summary else [f"{call['language']} {kind}: {part}"]
    shares = {kind: kept[kind] / all_parts[kind] for kind in KINDS}
    print(shares)
    assert not {kind: share for kind, share in shares.items() if share < KINDS[kind]}, missing
