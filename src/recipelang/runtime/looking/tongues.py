"""The language of a text: by a library that carries its model where it is installed, else by writing and common words."""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from recipelang.ir.labels import LANGUAGES
from recipelang.runtime.looking.texts import ends_of

LOOKED_AT = 1_000
"""Characters of a text that its language is told by."""
_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile("[\u3040-\u30ff\uff66-\uff9f]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
    ("el", re.compile("[\u0370-\u03ff]")),
    ("he", re.compile("[\u0590-\u05ff]")),
    ("th", re.compile("[\u0e00-\u0e7f]")),
)
_COMMON: dict[str, str] = {
    "en": "the of and to is in that it for what how are this with you was be as on at from by an which do does why who when explain write please not or can i my a me hello hi thanks give",
    "de": "der die das und ist nicht ein eine einen den dem des zu mit für auf von wie was warum ich sie es im bitte kurz auch sich aber oder zwischen einem einer erkläre werden danke hallo mir",
    "fr": "le la les des un une est et en que qui pour dans du au avec ce cette pas comment quoi sur plus entre puis je vous il elle ou ne se ses sa son qu'est-ce de bonjour merci quelle explique moi",
    "es": "el la los las una es y en que para con por del al cómo qué esta este como pero no se su sus un más entre sobre luego lo ni o de hola gracias escribe explica resume",
    "it": "il lo gli una è e che per con del della di non come cosa questo questa sono tra più anche nel alla le un ma ciao grazie scrivi spiega sono ore",
    "pt": "o os as uma é e em que para com por do da dos das não como mais um ao na no você isso entre sobre são de olá obrigado escreva explique",
    "nl": "de het een en is van dat niet voor met op te zijn wat hoe waarom ik je maar ook bij naar tussen deze schrijf bedankt",
    "pl": "i w na z jest nie to że się do jak co dla o czy po jest są przez oraz między która który napisz dlaczego",
    "tr": "ve bir bu için ile ne nasıl mı mi da de çok olarak gibi daha neden arasında nedir kaç",
}
_MARKS: dict[str, str] = {"de": "äöüß", "fr": "çèêëîôûœ", "es": "ñ¿¡áíóú", "it": "ìòù", "pt": "ãõâ", "pl": "ąćęłńśźż", "tr": "ğış"}  # fmt: skip
_SPEAKERS: dict[str, list[str]] = {}
"""Of each common word the languages that have it."""
for _language, _words in _COMMON.items():
    for _word in dict.fromkeys(_words.split()):
        _SPEAKERS.setdefault(_word, []).append(_language)
_A_WORD = re.compile(r"[^\W\d_]+(?:['-][^\W\d_]+)*")
_KNOWN = frozenset(LANGUAGES)
_ALIKE = {"nn": "no", "yue": "zh", "wuu": "zh"}
"""Languages that the library tells apart and we don't."""
_OTHERS = ("af", "am", "cy", "eo", "eu", "ga", "gl", "gu", "hy", "is", "ka", "kk", "km", "kn", "la", "lo", "mk", "ml", "mn", "my", "ne", "pa", "si", "sq", "sw", "tl", "uz", "zxx")  # fmt: skip
"""Those that it is to know besides, so that it does not take them for one of ours."""


def language(of: str) -> str:
    text = ends_of(of, LOOKED_AT)
    if not any(map(str.isalpha, text)):
        return "other"
    classify = classifier()
    return by_words(text) if classify is None else classify(text)


def told_by() -> str:
    """What the language of a text is told by on this machine."""
    return "common words" if classifier() is None else LIBRARY


LIBRARY = "py3langid"


@lru_cache(maxsize=1)
def classifier() -> Callable[[str], str] | None:
    try:
        from py3langid.langid import MODEL_FILE, LanguageIdentifier  # deferred: an extra, and start-up cost
    except ImportError:
        return None
    identifier = LanguageIdentifier.from_model_file(MODEL_FILE)
    identifier.set_languages([*(_KNOWN - {"other"}), *_ALIKE, *_OTHERS])

    def classify(text: str) -> str:
        code = str(identifier.classify(text)[0])
        code = _ALIKE.get(code, code)
        return code if code in _KNOWN else "other"

    return classify


def by_words(text: str) -> str:
    """The language by its writing and its most common words: of some dozen, and of a word or two often none."""
    text = text.lower()
    if not text.isascii():
        letters = sum(map(str.isalpha, text))
        for name, script in _SCRIPTS:
            share = len(script.findall(text)) / letters if letters else 0
            if share > (0.1 if name == "ja" else 0.3):
                return name
    scores = dict.fromkeys(_COMMON, 0.0)
    for word in _A_WORD.findall(text):
        for name in _SPEAKERS.get(word, ()):
            scores[name] += 1
    if not text.isascii():
        for name, marks in _MARKS.items():
            scores[name] += 0.6 * sum(text.count(mark) for mark in marks)
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0 else "other"
