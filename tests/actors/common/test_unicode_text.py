"""Sentences and lengths in the scripts of the world."""

from __future__ import annotations

import time

import pytest

from warmxfer.actors.common.unicode_text import (
    cut,
    is_question,
    length,
    sentences,
    without_format_characters,
    word_count,
)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Ann was charged. She wants it back!", ["Ann was charged.", "She wants it back!"]),
        ("你好。我叫王小明。什么时候退款？谢谢", ["你好。", "我叫王小明。", "什么时候退款？", "谢谢"]),
        ("「返金してください。」と言いました。", ["「返金してください。」", "と言いました。"]),
        ("안녕하세요. 환불해 주세요.", ["안녕하세요.", "환불해 주세요."]),
        ("मेरा नाम रवि है। पैसे कब मिलेंगे?", ["मेरा नाम रवि है।", "पैसे कब मिलेंगे?"]),
        ("আমার নাম রহিম। টাকা কবে পাব?", ["আমার নাম রহিম।", "টাকা কবে পাব?"]),
        ("اسمي أحمد. متى يعود المال؟ شكرا", ["اسمي أحمد.", "متى يعود المال؟", "شكرا"]),
        ("میرا نام علی ہے۔ رقم کب ملے گی؟", ["میرا نام علی ہے۔", "رقم کب ملے گی؟"]),
        ("ስሜ አበበ ነው። ገንዘቤ መቼ ይመለሳል፧", ["ስሜ አበበ ነው።", "ገንዘቤ መቼ ይመለሳል፧"]),
        ("I paid $4.50 to www.example.com today. Why?", ["I paid $4.50 to www.example.com today.", "Why?"]),
        ("The U.S. office is closed. Call back.", ["The U.S. office is closed.", "Call back."]),
        ("First line\nsecond line", ["First line", "second line"]),
        ("Wait... what?", ["Wait...", "what?"]),
        ("", []),
        (" \n ", []),
    ],
)
def test_sentences_end_where_unicode_says(text: str, expected: list[str]) -> None:
    assert sentences(text) == expected


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("I was charged twice.", 4),
        ("don't", 1),
        ("我被扣了两次款", 4),
        ("返金してください", 4),
        ("Order 4417 被扣款", 4),
        ("मुझे पैसे वापस चाहिए", 4),
        ("أريد المال الآن", 3),
        ("ขอเงินคืน", 4),
        ("", 0),
    ],
)
def test_words_are_counted_in_scripts_without_spaces_too(text: str, words: int) -> None:
    assert word_count(text) == words


def test_a_length_is_what_a_reader_sees() -> None:
    assert length("नमस्ते") == 3
    assert length("👩\u200d👩\u200d👧") == 1


def test_a_text_is_cut_between_words_and_never_inside_a_character() -> None:
    assert cut("one two three", 9) == "one two …"
    assert cut("你好你好你好", 4) == "你好你好 …"
    assert cut("short", 9) == "short"
    family = "👩\u200d👩\u200d👧"
    assert cut(family * 3, 7) == f"{family} …"
    assert cut("नमस्ते " * 30, 20).removesuffix(" …") in "नमस्ते " * 30


@pytest.mark.parametrize(
    "text", ["why?", "为什么？", "متى؟", "ինչու՞", "πότε;", "መቼ፧", 'he asked "why?"', "なぜ？」"]
)
def test_a_question_has_the_mark_of_any_script(text: str) -> None:
    assert is_question(text)
    assert not is_question(text + " Yes.")


def test_joiners_stay_and_other_format_characters_go() -> None:
    assert without_format_characters("a\u200b\u202eb\ufeff\ufffd") == "ab"
    assert without_format_characters("می\u200cخواهم") == "می\u200cخواهم"


@pytest.mark.parametrize(
    "text", ["." * 20_000, "a. " * 7_000, "?" * 20_000, "A." * 10_000, "(" * 20_000, "。」" * 10_000]
)
def test_a_hostile_text_takes_no_time(text: str) -> None:
    started_at = time.process_time()
    sentences(text), word_count(text), is_question(text), cut(text, 280)
    assert time.process_time() - started_at < 1
