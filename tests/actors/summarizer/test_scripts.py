"""Calls in many scripts are quoted with their matter, name, figures and open question."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from warmxfer.actors.summarizer.call_facts import amounts_in, asks, numbers_in
from warmxfer.actors.summarizer.caller_name import name_given_to, name_in
from warmxfer.actors.summarizer.extractive_summary import extract
from warmxfer.schemas import TranscriptTurn

CALLS: list[dict[str, Any]] = yaml.safe_load((Path(__file__).parent / "calls.yaml").read_text())


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call["name"])
def test_a_call_is_quoted_in_any_script(call: dict[str, Any]) -> None:
    turns = [
        TranscriptTurn("caller", line[2:]) if line.startswith("> ") else TranscriptTurn("agent", line)
        for line in call["call"]
    ]
    summary = extract(turns)
    missing = [part for part in call["has"] if part not in summary]
    assert not missing, summary
    assert not [part for part in call.get("hasnt", []) if part in summary], summary


@pytest.mark.parametrize(
    ("text", "amounts"),
    [
        ("It was $4.50 and 20 euros.", ["$4.50", "20 euros"]),
        ("一共三百元和598块", ["三百元", "598块"]),
        ("₹1,250 और 300 रुपये", ["₹1,250", "300 रुपये"]),
        ("٥٠ ريال و 20 درهم", ["٥٠ ريال", "20 درهم"]),
        ("1 250,00 € waren es", ["1 250,00 €"]),
        ("I need 20 eurocards", []),
    ],
)
def test_amounts_are_found_with_their_currency(text: str, amounts: list[str]) -> None:
    assert amounts_in(text) == amounts


def test_numbers_are_found_beside_letters_of_any_script() -> None:
    assert numbers_in("订单4417和A1234567") == ["4417", "A1234567"]
    assert numbers_in("رقم ٤٤١٧ في 12/05/2026") == ["٤٤١٧", "12/05/2026"]
    assert numbers_in("one 5 two") == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("Hi, Sam Bauer. I lost my card.", "Sam Bauer"),
        ("Dr. Amy St. John here.", "Amy St. John"),
        ("It's Dr. John Smith.", "John Smith"),
        ("Soy la Sra. Inés Gil.", "Inés Gil"),
        ("Buongiorno, Maria Rossi.", "Maria Rossi"),
        ("Добрый день, Пётр Иванов.", "Пётр Иванов"),
        ("我姓王，王小明。", "王小明"),
        ("هذا معك أحمد السيد، فاتورتي خطأ", "أحمد السيد"),
        ("नमस्ते, मैं रवि शर्मा। मेरा बिल", "रवि शर्मा"),
    ],
)
def test_a_name_is_found_behind_a_greeting_and_a_title(text: str, name: str) -> None:
    assert name_in(text) == name


@pytest.mark.parametrize(
    "text",
    [
        "Guten Tag, Herr Müller, ich rufe an.",
        "Hello. New York is cold.",
        "Hola, Buenas Tardes.",
        "I am still here.",
        "नमस्ते, मैं बहुत परेशान हूँ।",
    ],
)
def test_a_greeting_without_a_name_gives_none(text: str) -> None:
    assert name_in(text) is None


@pytest.mark.parametrize(
    "text", ["我是你们的客户，你好", "I am very angry.", "我叫了三次", "Das ist mein Name."]
)
def test_what_is_no_name_is_not_called_one(text: str) -> None:
    assert name_in(text) is None


@pytest.mark.parametrize(
    "text",
    ["可以退款吗", "返金できますか", "هل يمكنني استرداد المال", "क्या मुझे पैसे मिलेंगे", "can I have it back"],
)
def test_a_question_without_its_mark_is_one(text: str) -> None:
    assert asks(text)
    assert not asks("I want it back.")


@pytest.mark.parametrize(
    ("question", "answer", "name"),
    [
        ("What's your name, please?", "Tom Delgado.", "Tom Delgado"),
        ("Wie ist Ihr Nachname?", "Ja, ich bin Kern.", "Kern"),
        ("お名前をお願いできますか", "高橋美咲です。", "高橋美咲"),
        ("What's your name, please?", "Why do you ask?", None),
        ("What's your name, please?", "4417.", None),
        ("What's your name, please?", "I already told your colleague yesterday morning.", None),
        ("Your name, please.", "Ann Example.", "Ann Example"),
        ("¿Con quién hablo?", "Con Álvaro Gil.", "Álvaro Gil"),
        ("Mit wem spreche ich?", "Mit Kern.", "Kern"),
        ("Please hold.", "Tom Delgado.", None),
        ("What's your order?", "Tom Delgado.", None),
        ("I have your name.", "Tom Delgado.", None),
    ],
)
def test_a_short_answer_to_the_question_for_the_name_is_one(
    question: str, answer: str, name: str | None
) -> None:
    assert name_given_to(question, answer) == name
