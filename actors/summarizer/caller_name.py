"""The name that a caller gives, in any script. Pure.

Invariant: a name is a piece of the text, as it was said.
"""

from __future__ import annotations

from typing import Final

import regex

from ..common.spoken_check import is_small_talk
from ..common.unicode_text import sentences
from .call_facts import asks

MAX_NAME: Final = 40

_NAME_AFTER: Final = (
    # English, German, Dutch, Swedish, Danish, Norwegian, Finnish
    r"[Mm]y name is|[Mm]y name's|(?:[Tt]his is|I am|I'm|[Ii]t's)(?= \p{Lu})",
    r"[Mm]ein [Nn]ame ist|[Ii]ch heiße|[Mm]ijn naam is|[Ii]k heet|[Mm]itt namn är|[Jj]ag heter|[Mm]it navn er"
    r"|[Jj]eg (?:hedder|heter)|[Nn]imeni on|[Mm]inun nimeni on",
    # "I am" and "this is" in languages in which other words after it begin with a small letter
    r"(?:[Ss]oy|[Hh]abla|[Ii]ci|[Cc]'est|[Jj]e suis|[Ss]ono|[Ss]ou(?: [oa])?|[Tt]u|[Mm]ówi|[Ээ]то"
    r"|[Hh]ier (?:ist|spricht)|[Mm]et)"
    r"(?= (?:(?:el|la|der|die|de) (?:Sra?|Dra?|Señora?|Don|Doña|Herr|Frau|heer|mevrouw)\.? )?\p{Lu}\p{Ll})",
    # French, Spanish, Portuguese, Italian, Romanian
    r"[Jj]e m'appelle|[Mm]on nom est|[Mm]e llamo|[Mm]i nombre es|[Mm]e chamo|[Mm]eu nome é"
    r"|[Mm]i chiamo|[Ii]l mio nome è|[Mm]ă numesc|[Nn]umele meu (?:este|e)",
    # Polish, Czech, Slovak, Russian, Ukrainian, Hungarian, Greek, Turkish
    r"[Nn]azywam się|[Mm]am na imię|[Jj]menuji se|[Vv]olám sa|[Мм]еня зовут|[Мм]оє ім'я"
    r"|[Мм]ене звати|[Аа]з се казвам|[Aa] nevem|[Μμ]ε λένε|[Οο]νομάζομαι|(?:[Bb]enim )?[Aa]dım|[İi]smim",
    # Arabic, Persian, Urdu, Hebrew
    r"(?:أنا )?[اإ]سمي(?: هو)?|معك|اسم من|نام من|من(?= \p{L}+ هستم)|میرا نام|קוראים לי|שמי|השם שלי",
    # Hindi, Marathi, Nepali, Bengali, Gujarati, Punjabi, Tamil, Telugu, Kannada, Malayalam
    r"मेरा नाम|माझे नाव|मेरो नाम|আমার নাম|મારું નામ|ਮੇਰਾ ਨਾਮ|ਮੇਰਾ ਨਾਂ|என் பெயர்|எனது பெயர்|నా పేరు|ನನ್ನ ಹೆಸರು|എന്റെ പേര്",
    # Vietnamese, Indonesian, Malay, Tagalog, Swahili
    r"[Tt]ôi tên là|[Tt]ên tôi là|[Nn]ama saya(?: adalah)?|[Aa]ng pangalan ko ay|[Jj]ina langu ni",
)
_TITLE: Final = (
    r"(?:(?:el |la |le |der |die |o |a |il |the )?(?:Dr|Dra|Dott|Prof|Mr|Mrs|Ms|Miss|Sr|Sra|Srta|Señora?|"
    r"Senhora?|Don|Doña|Herr|Frau|Mme|Mlle|M|Monsieur|Madame|Signora?|Sig|Pan|Pani|Mevrouw|Meneer)\.? )?"
)
"""Stands between an introduction and the name."""
_GREETING: Final = (
    r"[Hh]ello|[Hh]i|[Hh]ey|[Gg]ood (?:[Mm]orning|[Aa]fternoon|[Ee]vening)|[Hh]allo"
    r"|[Gg]uten (?:Tag|Morgen|Abend)|[Mm]oin|[Gg]rüß Gott|[Bb]onjour|[Bb]onsoir|[Aa]llô|[Hh]ola"
    r"|[Bb]uen[oa]s(?: (?:días|tardes|noches))?|[Oo]lá|[Bb]om dia|[Bb]oa (?:tarde|noite)"
    r"|[Bb]uongiorno|[Bb]uonasera|[Ss]alve|[Gg]oede(?:morgen|middag|navond)"
    r"|[Dd]zień dobry|[Dd]obry wieczór|[Зз]дравствуйте|[Дд]обрый (?:день|вечер)|[Дд]оброе утро|[Дд]обрий день"
    r"|हेलो|हैलो|नमस्ते|नमस्कार"
)
_NO_FULL_NAME: Final = rf"(?:{_GREETING}|Herr|Frau|Mrs?|Ms|Monsieur|Madame|Señora?|Signora?|Senhora?|Pani?)\b"
"""After a greeting it begins the name of who is greeted."""
_NAME_SPACED = regex.compile(
    rf"(?<![\p{{L}}\p{{M}}])(?:{'|'.join(_NAME_AFTER)})\s+"
    rf"{_TITLE}(?P<name>[\p{{L}}\p{{M}}][\p{{L}}\p{{M}}\u200c\u200d'’-]*"
    r"(?:(?: \p{Lu}[\p{L}\p{M}'’.-]*)(?<=[\p{L}\p{M}]|St\.)){0,2}"
    r"(?:(?<=\p{Arab})(?: \p{Arab}[\p{Arab}\p{M}]*){1,2}(?=[.,،؟!]|$))?)"
)
_NAME_GREETED = regex.compile(
    rf"^(?:{_GREETING})[,،!.]?\s+(?:{_TITLE}(?P<name>(?!{_NO_FULL_NAME})"
    r"\p{Lu}[\p{Ll}'’-]+(?: \p{Lu}[\p{L}'’-]+){1,2})"
    r"|मैं (?P<name>[\p{Deva}\p{M}]+ [\p{Deva}\p{M}]+))\s*(?:[.;।]|$)",
)
"""A greeting and a full name: "Bonjour, Solange Mbaye.\""""
_NAME_HERE = regex.compile(
    rf"(?<!\p{{L}}){_TITLE}(?P<name>\p{{Lu}}[\p{{Ll}}'’-]+(?: \p{{Lu}}[\p{{L}}'’-]+| St\.){{1,3}})"
    r" (?:here|speaking|am Apparat|à l'appareil)(?!\p{L})"
)
_SURNAMES: Final = (
    "王李张張刘劉陈陳杨楊黄黃赵趙吴吳周徐孙孫马馬朱胡郭何高林罗羅郑鄭梁谢謝宋唐许許韩韓冯馮邓鄧曹彭曾肖蕭田董袁潘于蒋蔣蔡余杜叶葉程苏蘇魏吕呂丁"
    "任沈姚卢盧姜崔钟鍾谭譚陆陸汪范金石廖贾賈夏韦韋付方白邹鄒孟熊秦邱江尹薛闫阎閻段雷侯龙龍史陶黎贺賀顾顧毛郝龚龔邵万萬钱錢严嚴覃武戴莫孔向汤湯"
)
"""First characters of Chinese names: "我是" (I am) stands before anything else too."""
_NAME_HAN = regex.compile(
    r"(?:我|敝|免贵|免貴)?姓(?P<family>\p{Han})[，,、 ]+(?:叫)?(?P<name>(?P=family)\p{Han}{1,2})"
    r"(?=[,，。、!！?？\s的]|$)"
    r"|(?:我叫(?![了过過你您他她它不没沒])|我的名字(?:叫|是)|我姓|(?:我|这里|這裡)是(?=["
    + _SURNAMES
    + r"]\p{Han}{1,3}[,，。、!！?？\s]))(?P<name>\p{Han}{1,4}?)(?=[,，。、!！?？\s的]|$)"
    r"|(?:私は|わたしは|僕は|名前は)?(?P<name>[\p{Han}\p{Kana}ー]{1,10}?)(?:と申します|といいます|と言います)"
    r"|(?:私は|わたしは|僕は|名前は)(?P<name>[\p{Han}\p{Kana}ー]{1,8})です"
    r"|(?:제 이름은|저는|제가)\s*(?P<name>\p{Hang}{2,4}?)(?:입니다|이에요|예요|이라고|라고)"
    r"|(?:ผม|ดิฉัน|ฉัน|หนู)ชื่อ\s?(?P<name>\p{Thai}{2,20}?)(?=\s|ครับ|ค่ะ|คะ|$)"
    r"|(?:मेरा नाम|माझे नाव)\s+(?P<name>[\p{Deva}]+(?: [\p{Deva}]+){0,2}?)\s+(?:है|हूँ|हूं|आहे)"
)
_PATTERNS: Final = (
    (_NAME_HAN, ()),
    (_NAME_SPACED, ()),
    (_NAME_HERE, (" here", " speaking", " am Apparat", " à l'appareil")),
    (_NAME_GREETED, ()),
)
"""How a name is given, in the order of the search, and what each one cannot be without."""
_NOT_NAMES: Final = frozenset(
    {"The", "A", "An", "Not", "Just", "So", "Really", "Very", "Still", "Calling", "Here", "Sorry", "Back"}
)
MAX_NAME_WORDS: Final = 4
_ASKED_NAME = regex.compile(
    r"(?<!\p{L})(?:who(?:'s| is) this|who(?:'s| is| am i) (?:calling|speaking)|mit wem spreche"
    r"|wer (?:spricht|ist am apparat)|(?:con|com) qui[eé]n (?:hablo|tengo)|qui[eé]n (?:habla|llama)"
    r"|(?:à|a) qui ai|qui est à l'appareil|con chi parlo|chi parla|com quem (?:eu )?(?:falo|estou)|quem fala"
    r"|met wie (?:spreek|heb)|z kim (?:rozmawiam|mam)|your (?:full |first |last )?name|(?:vor|nach)?name"
    r"|(?:su|tu|el) nombre|votre nom|(?:seu|o) nome|(?:suo|il) nome|uw naam|je naam|nazwisko|imię)(?!\p{L})"
    r"|с кем я|ваше имя|как вас зовут|お名前|姓名|名字|贵姓|貴姓|怎么称呼|怎麼稱呼|성함|이름이"
    r"|नाम|اسمك|الاسم|اسم حضرتك|নাম|שמך|השם שלך",
    regex.IGNORECASE,
)
"""An agent who asks for the name."""
_BEFORE_NAME = regex.compile(
    r"^(?:(?:yes|sure|con|mit|avec|com|met|z|it's|this is|i'm|ja|ich bin|sí|soy|oui|c'est|je suis|sim|sou"
    r"|sì|sono|tak|да|はい|是|我是|हाँ|जी|نعم|أنا)[\s,，、]++)++",
    regex.IGNORECASE,
)
"""What stands before the name in an answer."""
_AFTER_NAME = regex.compile(r"(?:です|でございます|と申します|といいます|입니다|이에요|예요)$")
"""What stands behind the name in an answer, in scripts without spaces."""
_REQUEST = regex.compile(
    r"(?<!\p{L})(?:please|bitte|por favor|s'il vous|per favore|alstublieft|proszę|пожалуйста|कृपया)(?!\p{L})"
    r"|お願い|ください|请|請|부탁|من فضلك",
    regex.IGNORECASE,
)
"""A request that is no question: "Your name, please.\""""
_NAME_ENDINGS: Final = frozenset({"है", "हूँ", "हूं", "ہے", "هستم", "است", "আছে", "ஆகும்"})


def name_in(text: str) -> str | None:
    """Return the name by which the speaker introduces themselves; None if there is none."""
    for pattern, needed in _PATTERNS:
        if needed and not any(each in text for each in needed):
            continue
        for found in pattern.finditer(text):
            name = found["name"].strip()
            words = [word for word in name.split() if word not in _NAME_ENDINGS]
            if words and words[0] not in _NOT_NAMES and len(name) <= MAX_NAME:
                return " ".join(words)
    return None


def name_given_to(question: str, answer: str) -> str | None:
    """Return the name that `answer` gives to a `question` about it; None if there is none.

    Only a short first sentence is one, with letters, without a digit and without a question.
    """
    # Most answers are longer than a name, and that is the cheapest to find out.
    first = next(iter(sentences(answer)), "")
    name = _BEFORE_NAME.sub("", first).strip(" .,!。，、！।۔،")
    name = _AFTER_NAME.sub("", name)
    if len(name) > MAX_NAME or len(name.split()) > MAX_NAME_WORDS:
        return None
    wanted = asks(question) or _REQUEST.search(question) is not None
    if not wanted or _ASKED_NAME.search(question) is None:
        return None
    if asks(first) or not regex.search(r"\p{L}", name) or regex.search(r"\p{Nd}", name):
        return None
    return None if is_small_talk(name) else name
