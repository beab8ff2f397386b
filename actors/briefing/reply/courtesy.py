"""Words that end a talk as well as they begin one: "that's okay, thanks". Pure.

A weak yes beside thanks is a polite refusal to many people. So it is no plain yes, and the question is asked
again.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Final

from . import phrases

_WEAK: Final = """
    ok; okay; okey; alright; all right; fine; good; great; perfect; cool; lovely; anytime; any time;
    whenever;
    (?:i'm|i am|it's|it is|that's|that is|that) (?:okay|ok|all right|alright|fine|good|great|perfect);
    (?:sounds|looks) (?:good|great|fine|okay|perfect); no (?:worries|problems?|trouble|need|doubt);
    not a problem; (?:i've |i have |i |we've )?got (?:it|this|that); i'm here; i am here;
    that's (?:enough|it|all|clear); gut; prima; super;
    (?:das |es )?(?:ist|passt|geht|klar|alles)(?: (?:gut|okay|ok|klar|schon|so|in ordnung|prima|mir))?;
    in ordnung; schon gut; kein (?:problem|thema); (?:das )?macht nichts; gern; gerne;
    alles (?:gut|bestens|klar); vale; bien; bueno; listo; lista; ya; (?:así |ya )?está bien(?: así)?;
    de acuerdo; no hay (?:ningún )?problema; no pasa nada; sin problema; perfecto; tranquil[oa];
    no (?:se|te) preocupe?s?; todo bien; ya está; bon; bien; très bien; d'accord; d'acc; ça va(?: aller)?;
    ça ira; c'est (?:bon|parfait|d'accord)(?: comme ça)?; parfait;
    (?:il n'y a )?pas de (?:problème|soucis?); aucun (?:problème|souci); tout va bien; entendu; nickel;
    (?:tá |está |ta )?tudo (?:bem|bom|certo); (?:tá|está|ta) (?:bom|bem|certo|ok)(?: assim)?; bem; certo;
    beleza; perfeito; ótimo; (?:não tem |não há |sem |nenhum )problemas?; tranquilo;
    va (?:bene|benissimo)(?: così)?; bene; benissimo; tutto bene; nessun problema; (?:non c'è )?problema;
    perfetto; a posto(?: così)?; goed(?: zo| hoor)?; prima(?: zo| hoor)?; best; top;
    (?:het |dat )?is goed(?: zo)?; dat is (?:prima|oké); geen (?:enkel )?(?:probleem|punt); komt goed;
    in orde; dobrze; dobra; w porządku; nie ma (?:sprawy|problemu); świetnie; spoko; może być; zgoda;
    ठीक(?: है)?(?: जी)?; कोई (?:बात|दिक्कत|समस्या|परेशानी) नहीं; अच्छा; सही है; theek(?: hai)?(?: ji)?;
    thik(?: hai)?; koi (?:baat|dikkat|problem) nahin?; accha; achha; (?:私は|もう|今は)?大丈夫(?:です)?;
    (?:もう)?いいです; (?:もう)?結構です; 問題(?:ない|ありません|ないです); (?:我)?没事(?:的|了)?; 没关系;
    没问题; 好(?:的|了|啊|吧)?; 行(?:了|吧)?(?:行了)?; 可以(?:了)?; 够了; 知道了
"""
"""A yes in words that also say that nothing is needed."""

_THANKS: Final = """
    (?:many )?thanks(?: a lot| so much| very much| anyway| again)?;
    thank you(?: very much| so much| anyway| again)?; cheers; ta; danke(?: schön| sehr| dir| ihnen| gern)?;
    vielen dank; besten dank; (?:muchas |mil )?gracias; merci(?: beaucoup| bien)?; (?:muito )?obrigad[oa];
    valeu; grazie(?: mille)?; (?:heel erg |hartelijk )?bedankt; dank (?:je|u)(?: wel)?; dankjewel; dankuwel;
    (?:bardzo )?dziękuję(?: bardzo)?; dzięki; (?:बहुत )?(?:धन्यवाद|शुक्रिया);
    (?:bahut )?(?:dhanyavaa?d|shukriya); (?:どうも)?ありがとう(?:ございます|ございました)?; どうも;
    (?:谢谢|謝謝|多谢)(?:你|您|了)?
"""
"""Thanks, in the languages that ship."""

_ALONE: Final = """
    (?:that's|it's|that is|it is) (?:okay|ok|all right|alright);
    大丈夫(?:です)?; いい(?:です)?; だいじょうぶ(?:です)?; ça va; c'est bon; koi baat nahin?; कोई बात नहीं;
    没事(?:的)?; 没关系; 沒事; 沒關係
"""
"""A yes that says alone that nothing is needed: "it's nothing"."""


def _any_of(listed: str) -> str:
    return "|".join(" ".join(each.split()) for each in listed.split(";") if each.strip())


@cache
def _end() -> re.Pattern[str]:
    """Return the pattern; it is compiled at first use, because that takes time."""
    weak, thanks, gap = f"(?:{_any_of(_WEAK)})", f"(?:{_any_of(_THANKS)})", r"(?: \| | )"
    return phrases.pattern(
        f"{weak}(?:{gap}{weak})?{gap}{thanks}(?:{gap}{thanks})?;{thanks}{gap}{weak}(?:{gap}{thanks})?;"
        f"{_any_of(_ALONE)}",
        whole=True,
    )


def ends_talk(cleaned: str) -> bool:
    """Return whether `cleaned` is nothing but words that may end the talk."""
    return _end().fullmatch(cleaned) is not None
