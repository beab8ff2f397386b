"""Number words of English, German, French and Spanish, as the digits that they stand for. Pure.

A card number is read out in digits or in pairs: "four one one one", "forty-one eleven". So the words from 0
to 99 are here, each with its digits.
"""

from __future__ import annotations

from typing import Final

_ENGLISH_UNITS: Final = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
_ENGLISH_TEENS: Final = [
    "ten",
    "eleven",
    "twelve",
    "thirteen",
    "fourteen",
    "fifteen",
    "sixteen",
    "seventeen",
    "eighteen",
    "nineteen",
]
_ENGLISH_TENS: Final = ["twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"]
_GERMAN_UNITS: Final = ["null", "eins", "zwei", "drei", "vier", "fünf", "sechs", "sieben", "acht", "neun"]
_GERMAN_TEENS: Final = [
    "zehn",
    "elf",
    "zwölf",
    "dreizehn",
    "vierzehn",
    "fünfzehn",
    "sechzehn",
    "siebzehn",
    "achtzehn",
    "neunzehn",
]
_GERMAN_TENS: Final = ["zwanzig", "dreißig", "vierzig", "fünfzig", "sechzig", "siebzig", "achtzig", "neunzig"]
_FRENCH_UNITS: Final = ["zéro", "un", "deux", "trois", "quatre", "cinq", "six", "sept", "huit", "neuf"]
_FRENCH_TEENS: Final = ["dix", "onze", "douze", "treize", "quatorze", "quinze", "seize"]
_FRENCH_TENS: Final = ["vingt", "trente", "quarante", "cinquante", "soixante"]
_SWISS_TENS: Final = {70: ("septante",), 80: ("huitante", "octante"), 90: ("nonante",)}
_SPANISH_UNITS: Final = ["cero", "uno", "dos", "tres", "cuatro", "cinco", "seis", "siete", "ocho", "nueve"]
_SPANISH_TEENS: Final = [
    "diez",
    "once",
    "doce",
    "trece",
    "catorce",
    "quince",
    "dieciséis",
    "diecisiete",
    "dieciocho",
    "diecinueve",
]
_SPANISH_TWENTIES: Final = [
    "veinte",
    "veintiuno",
    "veintidós",
    "veintitrés",
    "veinticuatro",
    "veinticinco",
    "veintiséis",
    "veintisiete",
    "veintiocho",
    "veintinueve",
]
_SPANISH_TENS: Final = ["treinta", "cuarenta", "cincuenta", "sesenta", "setenta", "ochenta", "noventa"]
_OTHER_FORMS: Final = {
    "oh": "0", "o": "0", "nought": "0", "naught": "0", "nil": "0", "fourty": "40", "niner": "9",
    "zwo": "2", "ein": "1", "eine": "1", "fuenf": "5", "zwoelf": "12", "fuenfzehn": "15", "dreissig": "30",
    "fuenfzig": "50", "une": "1", "zero": "0", "un": "1", "una": "1", "dieciseis": "16", "veintidos": "22",
    "veintitres": "23", "veintiseis": "26", "veintiun": "21", "veintiún": "21",
}  # fmt: skip
"""Spoken and misspelt forms, such as a speech recognition writes."""

SCALES: Final = frozenset(
    [
        "hundred",
        "thousand",
        "million",
        "hundert",
        "tausend",
        "cent",
        "cents",
        "mille",
        "cien",
        "ciento",
        "cientos",
        "mil",
        "millón",
    ]
)
"""Words that multiply what stands before them. They add no digit to a number that is read out."""
REPEATS: Final = {
    "double": 2, "triple": 3, "treble": 3, "doppel": 2, "doppelt": 2, "dreifach": 3, "zweimal": 2,
    "dreimal": 3, "doble": 2,
}  # fmt: skip
"""Words before a digit that is said once and meant more often."""
FILLERS: Final = frozenset(
    [
        "and",
        "dash",
        "hyphen",
        "space",
        "slash",
        "dot",
        "then",
        "again",
        "uh",
        "um",
        "er",
        "und",
        "strich",
        "dann",
        "äh",
        "ähm",
        "et",
        "tiret",
        "puis",
        "euh",
        "y",
        "guion",
        "guión",
        "luego",
        "eh",
    ]
)
"""Words between the parts of one number."""


def _english(number: int) -> list[str]:
    tens, unit = divmod(number, 10)
    if number < 10:
        return [_ENGLISH_UNITS[number]]
    if number < 20:
        return [_ENGLISH_TEENS[unit]]
    return [_ENGLISH_TENS[tens - 2] + (f" {_ENGLISH_UNITS[unit]}" if unit else "")]


def _german(number: int) -> list[str]:
    tens, unit = divmod(number, 10)
    if number < 10:
        return [_GERMAN_UNITS[number]]
    if number < 20:
        return [_GERMAN_TEENS[unit]]
    if not unit:
        return [_GERMAN_TENS[tens - 2]]
    said = "ein" if unit == 1 else _GERMAN_UNITS[unit]
    return [f"{said}und{_GERMAN_TENS[tens - 2]}", f"{said} und {_GERMAN_TENS[tens - 2]}"]


def _french(number: int) -> list[str]:
    if number < 10:
        return [_FRENCH_UNITS[number]]
    if number < 17:
        return [_FRENCH_TEENS[number - 10]]
    if number < 20:
        return [f"dix {_FRENCH_UNITS[number - 10]}"]
    tens, unit = divmod(number, 10)
    regional = [f"{each} {_FRENCH_UNITS[unit]}" if unit else each for each in _SWISS_TENS.get(tens * 10, ())]
    if tens == 8 or tens == 9:
        return ["quatre vingt" + (f" {_french(number - 80)[0]}" if number > 80 else ""), *regional]
    base = _FRENCH_TENS[min(tens, 6) - 2]
    rest = number - min(tens, 6) * 10
    if not rest:
        return [base]
    words = _french(rest)[0]
    return [f"{base} {words}", f"{base} et {words}", *regional]


def _spanish(number: int) -> list[str]:
    tens, unit = divmod(number, 10)
    if number < 10:
        return [_SPANISH_UNITS[number]]
    if number < 20:
        return [_SPANISH_TEENS[unit]]
    if number < 30:
        return [_SPANISH_TWENTIES[unit]]
    return [_SPANISH_TENS[tens - 3] + (f" y {_SPANISH_UNITS[unit]}" if unit else "")]


def _phrases() -> dict[tuple[str, ...], str]:
    found: dict[tuple[str, ...], str] = {}
    for number in range(100):
        for said in (*_english(number), *_german(number), *_french(number), *_spanish(number)):
            found.setdefault(tuple(said.split()), str(number))
    found |= {(word,): digits for word, digits in _OTHER_FORMS.items()}
    return {tuple(word.casefold() for word in words): digits for words, digits in found.items()}


PHRASES: Final = _phrases()
"""Digits by the words that say them, as `str.casefold` writes them."""
LONGEST_PHRASE: Final = max(len(words) for words in PHRASES)
FIRST_WORDS: Final = frozenset(words[0] for words in PHRASES)
NUMBER_WORDS: Final = FIRST_WORDS | SCALES | FILLERS | frozenset(REPEATS)
"""Words that may be a part of a number. No other word is looked at further."""
