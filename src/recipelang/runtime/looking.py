"""Looking at texts: phrases, forms, languages and likeness, each in time that grows with the text; knows no model.

Everything here is lexical: it sees how a text is written, not what it means, and says so in its documentation.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache

from recipelang.ir.patterns import compiled_pattern
from recipelang.runtime.members import text_of
from recipelang.runtime.values import Answer, Request, encodable

Texts = tuple[str, ...]
LOOKED_AT = 8_000
"""Characters of a text that likeness, language and densities look at: its first half and its last."""
_WORD = re.compile(r"\w+")
_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\uff66-\uff9f"
_UNSPACED_ONE = re.compile(f"[{_UNSPACED}]")
_UNIT = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")


def folded(text: str) -> str:
    """A text as it is looked at: one case, one form of each character, one blank between words."""
    if not text.isascii():
        text = unicodedata.normalize("NFKC", encodable(text)).replace("’", "'")
    return " ".join(text.casefold().split())


# ------------------------------------------------------------------ phrases


def keywords(phrases: Texts, of: str, fuzzy: int = 0) -> bool:
    return next(_phrases_in(phrases, of, fuzzy), None) is not None


def keywords_found(phrases: Texts, of: str, fuzzy: int = 0) -> Iterator[str]:
    return _phrases_in(phrases, of, fuzzy)


def frequency(phrases: Texts, of: str) -> float:
    text = folded(of)
    units = len(_UNIT.findall(text))
    found = sum(1 for phrase in phrases for _ in _places(folded(phrase), text))
    return min(1.0, found / units) if units else 0.0


def frequency_found(phrases: Texts, of: str) -> Iterator[str]:
    return _phrases_in(phrases, of, 0)


def ordered(phrases: Texts, of: str) -> bool:
    text, at = folded(of), 0
    for phrase in phrases:
        place = next(_places(folded(phrase), text, at), None)
        if place is None:
            return False
        at = place + len(folded(phrase))
    return bool(phrases)


def ordered_found(phrases: Texts, of: str) -> Texts:
    return phrases if ordered(phrases, of) else ()


def _phrases_in(phrases: Iterable[str], of: str, fuzzy: int) -> Iterator[str]:
    text = folded(of)
    words = _WORD.findall(text) if fuzzy > 0 else []
    for phrase in phrases:
        wanted = folded(phrase)
        if next(_places(wanted, text), None) is not None or (
            fuzzy > 0 and _nearly(_WORD.findall(wanted), words, fuzzy)
        ):
            yield phrase


def _places(phrase: str, text: str, at: int = 0) -> Iterator[int]:
    """Where a phrase stands in a text as whole words; of writings without blanks, anywhere."""
    if not phrase:
        return
    while (at := text.find(phrase, at)) >= 0:
        end = at + len(phrase)
        if not _goes_on(text[at - 1 : at], phrase[0]) and not _goes_on(phrase[-1], text[end : end + 1]):
            yield at
        at += 1


def _goes_on(before: str, after: str) -> bool:
    """Whether two characters are of one word."""
    both = before + after
    return len(both) == 2 and all(c.isalnum() or c == "_" for c in both) and not _UNSPACED_ONE.search(both)


def _nearly(wanted: Sequence[str], words: Sequence[str], edits: int) -> bool:
    """Whether words stand there that so many edits make the wanted ones."""
    if not wanted:
        return False
    for at in range(len(words) - len(wanted) + 1):
        left = edits
        for one, other in zip(wanted, words[at : at + len(wanted)], strict=True):
            left -= _edits(one, other, left)
            if left < 0:
                break
        else:
            return True
    return False


def _edits(one: str, other: str, most: int) -> int:
    """How many edits make one word the other, or `most` and one where they are more."""
    if abs(len(one) - len(other)) > most or len(one) > 40:
        return 0 if one == other else most + 1
    row = list(range(len(other) + 1))
    for i, c in enumerate(one, 1):
        before, row[0] = row[0], i
        for j, d in enumerate(other, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (c != d))
        if min(row) > most:
            return most + 1
    return min(row[-1], most + 1)


# -------------------------------------------------------------------- forms


def regex(pattern: str, of: str) -> bool:
    return compiled_pattern(pattern).search(encodable(of)) is not None


def regex_found(pattern: str, of: str) -> Iterator[str]:
    found = compiled_pattern(pattern).search(encodable(of))
    if found is not None:
        yield found.group(0)


_DENSITIES: dict[str, str] = {
    "code": r"(?m)(?s:```.*?(?:```|\z))|^ {4,}\S.*$|\b(?:def|class|function|return|import|const|void|elif|SELECT|printf|public static)\b|[A-Za-z_]\w*\([^()\n]*\)[;{:]?|[{};]|=>|==|!=|&&|\|\|",
    "maths": r"(?s:\$\$.*?\$\$)|\$[^$\n]+\$|\\[a-zA-Z]+(?:\{[^{}\n]*\})*|[∀∃∈∉⊂⊆∪∩∑∏∫√∞≤≥≠≈±×÷→⇒∂∇πθλ]|\b\w{1,3} ?[\^=<>+*/] ?-?[\w(]+|\b(?:prove|theorem|lemma|integral|derivative|equation|polynomial|matrix|modulo|probability)\b",
    "lists": r"(?m)^[ \t]*(?:[-*•+]|[0-9]{1,3}[.)]|\([a-z0-9]\)|[A-J][.):])[ \t]+.*$",
    "numbers": r"[0-9]+(?:[.,:/][0-9]+)*%?",
}


def density(what: str, of: str) -> float:
    text = _ends_of(of)
    dense = sum(len(match.group(0)) for match in compiled_pattern(_DENSITIES[what]).finditer(encodable(text)))
    return min(1.0, dense / len(text)) if text else 0.0


_COUNT = r"(?:[0-9]+|one|two|three|four|five|six|seven|eight|nine|ten|twelve|twenty|a single|ein(?:e[nrsm]?)?|zwei|drei|vier|fünf|un|une|deux|trois|quatre|cinq|uno|una|dos|tres|cuatro|cinco|[一二三四五六七八九十两])"
_CONSTRAINT = (
    r"(?i)\b(?:exactly|precisely|at (?:most|least)|no (?:more|fewer|less|longer) than|up to|under|within|fewer than|less than|"
    r"genau|höchstens|mindestens|maximal|exactement|au (?:plus|moins)|exactamente|como máximo|al menos|a lo sumo)\s+"
    + _COUNT
    + r"\b|\b(?:must(?: not)?|do not|don't|without|never|only|avoid|darf nicht|muss|ohne|doit|sans|debe|sin)\b|"
    r"(?:不超过|不要|至少|恰好|必须|只能|以内|ちょうど|以内|必ず)|\bin "
    + _COUNT
    + r" (?:words?|sentences?|lines?|paragraphs?|bullets?|steps?)\b"
)


def constraints(of: str) -> int:
    return sum(1 for _ in compiled_pattern(_CONSTRAINT).finditer(encodable(of)))


def constraints_found(of: str) -> Iterator[str]:
    return (match.group(0) for match in compiled_pattern(_CONSTRAINT).finditer(encodable(of)))


_ASKED = r"(?:\b(?:in|as|als|en|au format|im|into|return|output|respond with|reply with|give me|valid|only)\b[^.\n]{0,24}|格式|输出|以)"
_FORMS: tuple[tuple[str, str], ...] = (
    ("json", r"(?i)" + _ASKED + r"\bjson\b|\bjson (?:object|array|format|only)\b|json"),
    ("yaml", r"(?i)" + _ASKED + r"\byaml\b|\byaml (?:format|only)\b"),
    ("xml", r"(?i)" + _ASKED + r"\bxml\b|\bxml (?:format|only)\b"),
    ("csv", r"(?i)" + _ASKED + r"\bcsv\b|\bcsv (?:format|only|file)\b"),
    ("table", r"(?i)" + _ASKED + r"\b(?:table|tabelle|tableau|tabla)\b|\bmarkdown table\b|表格"),
    (
        "letter",
        r"(?i)\b(?:only|just)?[^.\n]{0,20}\bthe letter\b|answer: ?\[?[a-j]\b|(?m)^\(?[A-D][).:] .*\n(?s:.*)^\(?D[).:] ",
    ),
    ("list", r"(?i)\b(?:bullets?|bullet points?|bulleted|numbered list|list of|stichpunkte|liste|lista)\b|列表"),
    (
        "code",
        r"(?i)\b(?:write|implement|complete|fix|schreibe|écris|escribe)\b[^.\n]{0,40}\b(?:function|program|script|class|code|query|funktion|fonction|función)\b|(?:写|编写)[^。\n]{0,20}(?:函数|程序|代码)",
    ),
    ("number", r"(?i)\b(?:only|just)\b[^.\n]{0,12}\bnumber\b|\b(?:how many|compute|calculate|evaluate)\b"),
)


def demanded_form(of: str) -> str:
    return next((form for form, pattern in _FORMS if compiled_pattern(pattern).search(encodable(of))), "free")


def demanded_form_found(of: str) -> Iterator[str]:
    found = (compiled_pattern(pattern).search(encodable(of)) for _, pattern in _FORMS)
    first = next((match for match in found if match is not None), None)
    if first is not None:
        yield first.group(0)


_ATTACKS = (
    r"(?i)\b(?:ignore|disregard|forget|override|bypass)\b[^.\n]{0,40}\b(?:previous|prior|above|earlier|all|your|the|safety|system)\b[^.\n]{0,24}\b(?:instructions?|rules?|prompts?|polic(?:y|ies)|guidelines?|restrictions?|filters?)\b",
    r"(?i)\b(?:reveal|print|show|leak|repeat|output|exfiltrate)\b[^.\n]{0,32}\b(?:system prompt|hidden (?:prompt|instructions?)|initial instructions?|credentials|developer message)\b",
    r"(?i)\b(?:you are now|act as|pretend to be|enter|enable)\b[^.\n]{0,32}\b(?:DAN|jailbroken|developer mode|no restrictions|unrestricted|without (?:any )?(?:rules|restrictions|filters))\b",
    r"(?i)<\|?(?:im_start|system|endoftext)\|?>|\[/?(?:INST|SYS)\]|</?system>",
    r"忽略[^。\n]{0,12}(?:指令|指示|规则)|(?:泄露|显示|输出)[^。\n]{0,8}系统提示|绕过[^。\n]{0,8}(?:安全|限制)|指示を無視|システムプロンプト[^。\n]{0,8}(?:表示|開示)|認証情報を流出",
    r"(?i)\bignor(?:a|e|er|ez|iere|ieren)\b[^.\n]{0,24}\b(?:instrucciones|instructions|anweisungen)\b|\bvorherige anweisungen ignorieren\b|\b(?:extraer|exfiltrer)\b[^.\n]{0,16}\b(?:credenciales|identifiants)\b",
)


def injection(what: Request | Answer | str) -> bool:
    return next(injection_found(what), None) is not None


def injection_found(what: Request | Answer | str) -> Iterator[str]:
    for text in _told(what):
        plain = encodable(" ".join(text.split()))
        for pattern in _ATTACKS:
            found = compiled_pattern(pattern).search(plain)
            if found is not None:
                yield found.group(0)


def _told(what: Request | Answer | str) -> Iterator[str]:
    """What users, tools and models said: a system's own words are its own affair."""
    if isinstance(what, Request):
        yield from (text_of(message) for message in what.messages if message.role not in ("system", "developer"))
    else:
        yield what.text if isinstance(what, Answer) else what


# ----------------------------------------------------------------- language

_SCRIPTS: tuple[tuple[str, re.Pattern[str]], ...] = (
    ("ja", re.compile("[\u3040-\u30ff\uff66-\uff9f]")),
    ("ko", re.compile("[\u1100-\u11ff\uac00-\ud7af]")),
    ("zh", re.compile("[\u3400-\u4dbf\u4e00-\u9fff]")),
    ("ru", re.compile("[\u0400-\u04ff]")),
    ("ar", re.compile("[\u0600-\u06ff]")),
    ("hi", re.compile("[\u0900-\u097f]")),
)
_COMMON: dict[str, frozenset[str]] = {
    language: frozenset(words.split())
    for language, words in {
        "en": "the of and to is in that it for what how are this with you was be as on at from by an which do does why who when explain write please not or can i my a",
        "de": "der die das und ist nicht ein eine einen den dem des zu mit für auf von wie was warum ich sie es im bitte kurz auch sich aber oder zwischen einem einer erkläre werden",
        "fr": "le la les des un une est et en que qui pour dans du au avec ce cette pas comment quoi sur plus entre puis je vous il elle ou ne se ses sa son qu'est-ce de",
        "es": "el la los las una es y en que para con por del al cómo qué esta este como pero no se su sus un más entre sobre luego lo ni o de",
        "it": "il lo gli una è e che per con del della di non come cosa questo questa sono tra più anche nel alla le un ma",
        "pt": "o os as uma é e em que para com por do da dos das não como mais um ao na no você isso entre sobre são de",
        "nl": "de het een en is van dat niet voor met op te zijn wat hoe waarom ik je maar ook bij naar tussen deze",
        "pl": "i w na z jest nie to że się do jak co dla o czy po jest są przez oraz między",
        "tr": "ve bir bu için ile ne nasıl mı mi da de çok olarak gibi daha neden arasında nedir",
    }.items()
}  # fmt: skip
_MARKS: dict[str, str] = {"de": "äöüß", "fr": "çèêëîôûœ", "es": "ñ¿¡áíóú", "it": "ìòù", "pt": "ãõâ", "pl": "ąćęłńśźż", "tr": "ğış"}  # fmt: skip
LANGUAGES = (*sorted({*_COMMON, *(language for language, _ in _SCRIPTS)}), "other")


def language(of: str) -> str:
    text = _ends_of(of).lower()
    letters = sum(c.isalpha() for c in text)
    for name, script in _SCRIPTS:
        share = len(script.findall(text)) / letters if letters else 0
        if share > (0.1 if name == "ja" else 0.3):
            return name
    words = re.findall(r"[^\W\d_]+(?:['-][^\W\d_]+)*", text)
    scores = {name: float(sum(word in common for word in words)) for name, common in _COMMON.items()}
    for name, marks in _MARKS.items():
        scores[name] += 0.6 * sum(text.count(mark) for mark in marks)
    best = max(scores, key=lambda name: scores[name])
    return best if scores[best] > 0 else "other"


# ----------------------------------------------------------------- likeness


def similar(examples: Texts, of: str) -> float:
    return _nearest(examples, _grams(_ends_of(of)))


def _nearest(examples: Texts, grams: frozenset[str]) -> float:
    return max((_likeness(grams, _grams_of_example(str(example))) for example in examples), default=0.0)


def similar_found(examples: Texts, of: str) -> Texts:
    grams = _grams(_ends_of(of))
    ranked = sorted(examples, key=lambda example: -_likeness(grams, _grams_of_example(str(example))))
    return tuple(ranked[:1]) if ranked and similar(examples, of) > 0 else ()


def contrast(hard: Texts, easy: Texts, of: str) -> float:
    grams = _grams(_ends_of(of))
    one, other = _nearest(hard, grams), _nearest(easy, grams)
    return min(1.0, max(0.0, 0.5 + 0.5 * (one - other) / max(one + other, _LITTLE)))


def contrast_found(hard: Texts, easy: Texts, of: str) -> Texts:
    return similar_found((*hard, *easy), of)


def reask(what: Request) -> float:
    """How like the user's last message is to the one before."""
    said = [text for message in what.messages if message.role == "user" and (text := text_of(message)).strip()]
    return _likeness(_grams(_ends_of(said[-1])), _grams(_ends_of(said[-2]))) if len(said) > 1 else 0.0


_LITTLE = 0.3
"""Likeness below which two contrasts say little."""


def _grams(text: str) -> frozenset[str]:
    """The words of a text and their triples of characters; of writings without blanks, the pairs."""
    found: set[str] = set()
    for word in set(_WORD.findall(folded(text))):
        padded = f" {word} "
        size = 2 if _UNSPACED_ONE.search(word) else 3
        found.update(padded[at : at + size] for at in range(len(padded) - size + 1))
        found.add(word)
    return frozenset(found)


_grams_of_example = lru_cache(maxsize=4_096)(_grams)


def _likeness(one: frozenset[str], other: frozenset[str]) -> float:
    """The cosine of two sets."""
    return len(one & other) / math.sqrt(len(one) * len(other)) if one and other else 0.0


def _ends_of(text: str) -> str:
    return text if len(text) <= LOOKED_AT else f"{text[: LOOKED_AT // 2]}\n{text[-LOOKED_AT // 2 :]}"
