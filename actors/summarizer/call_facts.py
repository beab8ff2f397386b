"""Amounts, numbers and questions in what a caller said, in any script. Pure.

Invariant: everything found is a piece of the text, as it was said.
"""

from __future__ import annotations

from typing import Final

import regex

from ..common.unicode_text import is_question, sentences

_CURRENCY: Final = (
    r"(?:dollars?|bucks|cents?|euros?|pounds?|pence|quid|francs?|franken|kronor|kroner?|złot\w*|zł|korun\w*|kč|forint\w*|lei|lira(?:s|sı)?"
    r"|rubles?|rupees?|yen|yuan|pesos?|reais|real|dinars?|dirhams?|riyals?|shillings?|naira|rand|baht|won|dong|rupiah|ringgit"
    r"|usd|eur|gbp|chf|inr|jpy|cny|rmb|sek|nok|dkk|pln|czk|huf|try|brl|mxn|aed|sar|rs)(?![\p{L}])"
    r"|руб\w*|коп\w*|грн|гривен\w*|гривн\w*|евро|долл\w*|元|圆|圓|块|塊|人民币|人民幣|円|원|유로|달러|美元|欧元|歐元|港币|ドル|ユーロ"
    r"|ريال|درهم|دينار|جنيه|ليرة|دولار|يورو|تومان|روبية|روپے|روپیہ|שקל(?:ים)?|ש\"ח|דולר|रुपये|रुपए|रुपया|रु|डॉलर|টাকা|ரூபாய்|రూపాయలు|રૂપિયા|ರೂಪಾಯಿ|രൂപ|บาท|đồng"
)
_DIGITS: Final = r"(?<!\p{Nd})\p{Nd}{1,30}+(?:[.,٫٬'’\u00a0\u202f ]\p{Nd}{2,3}(?!\p{Nd})){0,6}"
_HAN_DIGITS: Final = "零〇一二三四五六七八九十百千万萬亿億两兩"
_HAN_NUMBER: Final = rf"(?<![{_HAN_DIGITS}])[{_HAN_DIGITS}]{{1,30}}+"
"""Numbers begin where digits begin, and have an end: so a long run of digits is read once."""
_AMOUNT = regex.compile(
    rf"\p{{Sc}}\s?{_DIGITS}|(?:{_DIGITS}|{_HAN_NUMBER})\s?(?:\p{{Sc}}|{_CURRENCY})", regex.IGNORECASE
)
_NUMBER = regex.compile(
    r"[零〇一二三四五六七八九]{4,}|(?<![\p{Latin}\p{Lu}\p{Nd}])(?:\p{Lu}{1,4}-)?[\p{Lu}\p{Nd}]*\p{Nd}[\p{Lu}\p{Nd}]*(?:[-/.,:]?\p{Nd}+)*|\p{Nd}{2,}(?:-\p{Nd}+)*"
)
MIN_NUMBER_DIGITS: Final = 2
_DIGIT = regex.compile(rf"[\p{{Nd}}{_HAN_DIGITS}]")
"""Each amount and each number has one. To look for it takes a tenth of the time."""

# Questions that speech recognition writes without a mark, by how they end or begin. One expression for each
# place: together they are three times as slow.
_ASKS_FIRST = regex.compile(
    r"(?:هل|متى|كيف|لماذا|كم|أين|آیا|چرا|کی|کیا|क्या|कब|कैसे|क्यों|कितन\w*|কি|কখন|কীভাবে|কেন|האם|מתי|איך|למה)\s"
    r"|(?:czy|kiedy|dlaczego)\s"
    r"|(?:can|could|will|would|may) (?:i|you|we|they|somebody|someone)\b"
    r"|(?:when|why|how|what|where) (?:do|does|did|is|are|can|could|will|would|much|many|long)\b",
    regex.IGNORECASE,
)
_ASKS_LAST = regex.compile(
    r"\s(?:mı|mi|mu|mü|mısınız|misiniz|musunuz|müsünüz)[.\s]*$|\s(?:ли)\s", regex.IGNORECASE
)
_ASKS_LAST_NOT_ASCII = tuple(
    regex.compile(pattern, regex.IGNORECASE)
    for pattern in (
        r"(?:吗|嗎|呢|么|麼|ですか|ますか|でしょうか|ませんか|까요|나요|습니까|ㅂ니까|는지요"
        r"|ไหม|มั้ย|หรือเปล่า|หรือไม่|ไหมครับ|ไหมคะ)[。.\s]*$",
        r"(?:không|chưa)[.\s]*$",
        r"(?:क्या|কি|கள்|ா)\s*\?$",
    )
)


def amounts_in(text: str) -> list[str]:
    """Return the amounts of money, as they were said."""
    if _DIGIT.search(text) is None:
        return []
    return [found[0].strip() for found in _AMOUNT.finditer(text)]


def numbers_in(text: str) -> list[str]:
    """Return the numbers that may be references, such as an order or a date, as they were said."""
    if _DIGIT.search(text) is None:
        return []
    numbers = (found[0].strip(".,:-/") for found in _NUMBER.finditer(text))
    return [number for number in numbers if sum(map(str.isdigit, number)) >= MIN_NUMBER_DIGITS]


def last_question(text: str) -> str | None:
    """Return the last sentence of `text` that asks something."""
    return next((each for each in reversed(sentences(text)) if asks(each)), None)


def asks(sentence: str) -> bool:
    """Return whether the sentence asks something, with or without a question mark."""
    if is_question(sentence) or _ASKS_FIRST.match(sentence) or _ASKS_LAST.search(sentence):
        return True
    return not sentence.isascii() and any(each.search(sentence) for each in _ASKS_LAST_NOT_ASCII)
