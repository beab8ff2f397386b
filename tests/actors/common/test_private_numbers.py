"""Private numbers in what was said are masked, in digits and in words. Other numbers stay."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from warmxfer.actors.common.number_words import PHRASES
from warmxfer.actors.common.private_numbers import mask, mask_turns
from warmxfer.schemas import TranscriptTurn

CARD = "4111111111111111"
MAX_CPU_S = 5.0
"""CPU time for 100 kB. It takes a tenth of it; a quadratic expression takes a minute."""


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        (f"My card is {CARD}.", "My card is xxxx11."),
        ("My card is 4111 1111 1111 1111, exp 10/27", "My card is xxxx11, exp 10/27"),
        ("4111-1111-1111-1111", "xxxx11"),
        ("4111. 1111. 1111. 1111.", "xxxx11."),
        ("4 1 1 1, 1 1 1 1, 1 1 1 1 and 1 1 1 1", "xxxx11"),
        ("Amex 3782 822463 10005 it is", "Amex xxxx05 it is"),
        ("4\u200b111\u206011111111\u202e1111", "xxxx11"),
        ("４１１１１１１１１１１１１１１１", "xxxx11"),
        ("١٢٣٤٥٦٧٨٩٠١٢", "xxxx12"),
        ("account 123456789 please", "account xxxx89 please"),
        ("my social is 123-45-6789", "my social is xxxx89"),
        ("IBAN GB29 NWBK 6016 1331 9268 19 please", "IBAN xxxx19 please"),
        ("it is DE89370400440532013000", "it is xxxx00"),
        ("it is de89 3704 0044 0532 0130 00, yes", "it is xxxx00, yes"),
        ("four one one one, one one one one, one one one one, one one one one", "xxxx11"),
        ("Forty-one eleven eleven eleven eleven eleven eleven eleven.", "xxxx11."),
        ("four double one one uh then 1111 and eleven eleven, one, one one one", "xxxx11"),
        ("oh eight hundred, five five five, oh one nine nine", "xxxx99"),
        ("einundvierzig elf elf elf elf elf elf elf ist meine Karte", "xxxx11 ist meine Karte"),
        ("neununddreissig acht acht acht acht acht acht acht acht", "xxxx88"),
        ("ze\u0301ro un deux trois quatre cinq six sept huit ze\u0301ro", "xxxx80"),
        ("vier eins eins eins äh eins zwo eins eins eins", "xxxx11"),
        ("quarante et un onze onze onze onze onze onze onze", "xxxx11"),
        ("quatre-vingt-dix-sept, soixante-douze, dix-huit, trente, zéro un", "xxxx01"),
        ("cuarenta y uno once once once once once once once", "xxxx11"),
        ("cuatro uno uno uno, veintidós, treinta y tres, siete ocho", "xxxx78"),
        ("the CVC is 123", "the CVC is xxxx"),
        ("c v v two is four five six", "c v v two is xxxx"),
        ("the security code: one two three", "the security code: xxxx"),
        ("the three digits on the back are four five six", "the three digits on the back are xxxx"),
        ("123 is my security code", "xxxx is my security code"),
        ("the code on the back is 739", "the code on the back is xxxx"),
        ("739 is the number on the back", "xxxx is the number on the back"),
        ("on the back of my card it says seven three nine", "on the back of my card it says xxxx"),
        ("the code that is on the reverse: 7 3 9", "the code that is on the reverse: xxxx"),
        ("der Code auf der Rückseite ist sieben drei neun", "der Code auf der Rückseite ist xxxx"),
        ("le code au dos est 739", "le code au dos est xxxx"),
        ("el código del reverso es siete tres nueve", "el código del reverso es xxxx"),
        ("my PIN is 4 4 1 7", "my PIN is xxxx"),
        ("mein Sicherheitscode ist eins zwei drei", "mein Sicherheitscode ist xxxx"),
        ("die Prüfziffer lautet 123", "die Prüfziffer lautet xxxx"),
        ("le cryptogramme est un deux trois", "le cryptogramme est xxxx"),
        ("mi código de seguridad es uno dos tres", "mi código de seguridad es xxxx"),
        ("the C V C is 1 2 3", "the C V C is xxxx"),
        ("my passcode is 4417, thanks", "my passcode is xxxx, thanks"),
        ("THE VERIFICATION NUMBER IS 1234", "THE VERIFICATION NUMBER IS xxxx"),
        ("the card code is 123", "the card code is xxxx"),
        ("the digits from the front are 1234", "the digits from the front are xxxx"),
        ("one two three is the one at the rear", "xxxx is the one at the rear"),
        ("los dígitos al dorso son 123", "los dígitos al dorso son xxxx"),
        ("die Geheimzahl ist 4417", "die Geheimzahl ist xxxx"),
        ("le code secret est 4417", "le code secret est xxxx"),
        ("la clave es 4417", "la clave es xxxx"),
    ],
)
def test_a_private_number_is_masked(said: str, shown: str) -> None:
    assert mask(said) == shown


@pytest.mark.parametrize(
    "said",
    [
        "My order is 4417 and I was charged 49 dollars and ninety nine cents twice",
        "It was on November 29 2026 at 10:51",
        "nineteen ninety seven was a good year, twenty twenty six too",
        "two thousand three hundred forty five dollars and sixty seven cents",
        "1,250,000 dollars",
        "call me once or twice, one or two times",
        "mille neuf cent quatre-vingt-dix-sept euros",
        "dos mil trescientos cuarenta y cinco pesos",
        "zweitausend, also einundzwanzig Stück",
        "booking 770145, gate 12, seat 4 C",
        "spin it 1234 times",
        "the code of the coupon is 2026",
        "",
        "ありがとう、注文は四千四百十七です",
    ],
)
def test_another_number_stays(said: str) -> None:
    assert mask(said) == said


def test_a_number_over_several_turns_of_one_speaker_is_masked() -> None:
    turns = [
        TranscriptTurn("caller", "It is 4111 1111"),
        TranscriptTurn("agent", "Go on, please."),
        TranscriptTurn("caller", "1111"),
        TranscriptTurn("agent", "And then?"),
        TranscriptTurn("caller", "1111. Order 4417."),
    ]
    assert [each.text for each in mask_turns(turns)] == [
        "It is xxxx",
        "Go on, please.",
        "xxxx",
        "And then?",
        "xxxx11. Order 4417.",
    ]
    assert [each.role for each in mask_turns(turns)] == [each.role for each in turns]


def test_the_digits_of_two_speakers_are_not_one_number() -> None:
    turns = [
        TranscriptTurn("caller", "4417"),
        TranscriptTurn("agent", "770145"),
        TranscriptTurn("caller", "ok"),
    ]
    assert mask_turns(turns) == turns


@given(st.text(alphabet="0123456789 -.,", max_size=60), st.text(max_size=20), st.text(max_size=20))
def test_no_long_number_is_left(middle: str, before: str, after: str) -> None:
    shown = mask(f"{before}{CARD}{middle}{after}")
    assert not re.search(r"[0-9]{9}", shown)


def test_a_masked_code_takes_no_other_number_with_it() -> None:
    assert mask("the security code is xxxx. Order 4417.") == "the security code is xxxx. Order 4417."
    assert mask("order 4417 please, 123 is my CVC") == "order 4417 please, xxxx is my CVC"
    assert mask("order 4417 please, xxxx is my CVC") == "order 4417 please, xxxx is my CVC"


@given(st.text(max_size=200))
def test_any_text_is_masked_once(text: str) -> None:
    assert mask(mask(text)) == mask(text)


@given(st.lists(st.sampled_from(sorted(PHRASES)), min_size=9, max_size=20))
def test_nine_number_words_are_masked(phrases: list[tuple[str, ...]]) -> None:
    said = ", ".join(" ".join(words) for words in phrases)
    assert re.fullmatch(r"xxxx[0-9]{2}", mask(f"{said}."[:-1]))


@pytest.mark.parametrize(
    "text",
    [
        "1 ",
        "one ",
        "double ",
        "a1",
        "cvc ",
        "cvc 123 ",
        "AB12 ",
        "cv",
        " ",
        "GB29A",
        "and ",
        "quatre vingt dix ",
        "9x",
    ],
)
def test_hostile_text_takes_linear_time(text: str) -> None:
    hostile = (text * 100_000)[:100_000]
    started_s = time.process_time()
    mask(hostile)
    mask_turns([TranscriptTurn("caller", hostile[:500])] * 200)
    assert time.process_time() - started_s < MAX_CPU_S
