"""The languages that the rules know: one file each, of phrases and signs. No code.

`ELSEWHERE_YES` holds the plain yes of other languages. It counts as the second yes that a supervisor is asked
for, and as a reply that rules and model agree on.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from .chinese import CHINESE
from .dutch import DUTCH
from .english import ENGLISH
from .french import FRENCH
from .german import GERMAN
from .hindi import HINDI
from .italian import ITALIAN
from .japanese import JAPANESE
from .language import Language
from .polish import POLISH
from .portuguese import PORTUGUESE
from .spanish import SPANISH

__all__ = ["ELSEWHERE_YES", "LANGUAGES", "Language"]

_ALL: Final = (
    ENGLISH, GERMAN, SPANISH, FRENCH, PORTUGUESE, ITALIAN, DUTCH, POLISH, HINDI, JAPANESE, CHINESE,
)  # fmt: skip
LANGUAGES: Final[Mapping[str, Language]] = MappingProxyType({each.code: each for each in _ALL})
"""By ISO 639-1 code."""

ELSEWHERE_YES: Final = frozenset(
    """
    да; да да; конечно; да конечно; хорошо; давайте; да давайте; соединяйте; да соединяйте; готов; готова; я готов; я готова;
    так; звичайно; добре; з'єднуйте; vâng; dạ; dạ vâng; được; vâng được; đồng ý; sẵn sàng; tôi sẵn sàng; tôi đã sẵn sàng; vâng tôi đã sẵn sàng;
    نعم; نعم نعم; أجل; ايوه; أيوه; أيوا; تمام; حاضر; طبعا; بالتأكيد; موافق; نعم تفضل; جاهز; أنا جاهز; نعم أنا جاهز; כן; בטח; בסדר; כן בבקשה; بله; آره; باشه; حتما;
    네; 예; 네 좋아요; 네 연결해 주세요; 연결해 주세요; 물론이죠; 준비됐습니다; 네 준비됐습니다; evet; evet lütfen; tabii; tabii ki; tamam; olur; hazırım; evet hazırım; bağlayın; evet bağlayın;
    ναι; ναι ναι; βεβαίως; εντάξει; φυσικά; έτοιμος; έτοιμη; ano; jo ano; jasně; dobře; ano prosím; áno; igen; igen kérem; persze; rendben; da; da sigur; desigur; bine; gata; ya; ya siap; baik; siap; boleh; tentu; ya silakan;
    oo; opo; sige; oo sige; kyllä; joo; kyllä kiitos; selvä; valmis; olen valmis; jah; jah palun; jā; taip; ja tack; ja takk; ja tak; visst; absolut; självklart; gjerne; selvfølgelig; ja visst; javisst; ja det er greit; jep;
    ใช่; ได้; ครับ; ค่ะ; ได้ครับ; ได้ค่ะ; ใช่ครับ; ใช่ค่ะ; โอเค; হ্যাঁ; হ্যাঁ জি; জি হ্যাঁ; ঠিক আছে; ஆம்; ஆமாம்; சரி; అవును; సరే; ಹೌದು; ಸರಿ; അതെ; ശരി; હા; હા જી; ਹਾਂ; ਹਾਂ ਜੀ; ہاں; جی ہاں; جی; ٹھیک ہے; ndiyo; ndio; sawa; yebo; bəli
    """.replace("\n", " ").split(";")
)
"""One reply each, as written; `rules.py` compares cleaned texts."""
