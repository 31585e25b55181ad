"""How a text is made: patterns, densities, demands, and the form that it asks for; lexical, in several languages."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.ir.patterns import compiled_pattern, known_pattern, pattern_set
from recipelang.runtime.looking.texts import ends_of, shortened
from recipelang.runtime.values import Request, encodable


def regex(pattern: str, of: str) -> bool:
    return compiled_pattern(pattern).search(encodable(of)) is not None


def occurrences(pattern: str, of: str) -> int:
    return sum(1 for _ in occurrences_found(pattern, of))


def messages(what: Request, role: str = "any") -> int:
    return sum(role in ("any", message.role) for message in what.messages)


def regex_found(pattern: str, of: str) -> Iterator[str]:
    found = compiled_pattern(pattern).search(encodable(of))
    if found is not None:
        yield found.group(0)


def occurrences_found(pattern: str, of: str) -> Iterator[str]:
    return (match.group(0) for match in compiled_pattern(pattern).finditer(encodable(of)))


# ---------------------------------------------------------------- densities

_DENSITIES: dict[str, str] = {
    "code": r"(?m)(?s:```.*?(?:```|\z))|^ {4,}\S.*$|\b(?:def|class|function|return|import|const|void|elif|SELECT|printf|public static)\b|[A-Za-z_]\w*\([^()\n]*\)[;{:]?|[{};]|=>|==|!=|&&|\|\|",
    "maths": r"(?s:\$\$.*?\$\$)|\$[^$\n]+\$|\\[a-zA-Z]+(?:\{[^{}\n]*\})*|[∀∃∈∉⊂⊆∪∩∑∏∫√∞≤≥≠≈±×÷→⇒∂∇πθλ]|\b\w{1,3} ?[\^=<>+*/] ?-?[\w(]+|\b(?:prove|theorem|lemma|integral|derivative|equation|polynomial|matrix|modulo|probability)\b",
    "lists": r"(?m)^[ \t]*(?:[-*•+]|[0-9]{1,3}[.)]|\([a-z0-9]\)|[A-J][.):])[ \t]+.*$",
    "numbers": r"[0-9]+(?:[.,:/][0-9]+)*%?",
}


def density(what: str, of: str) -> float:
    text = ends_of(of)
    return min(1.0, sum(map(len, _dense(what, text))) / len(text)) if text else 0.0


def density_found(what: str, of: str) -> Iterator[str]:
    return (shortened(found) for found in _dense(what, ends_of(of)))


def _dense(what: str, text: str) -> Iterator[str]:
    return (match.group(0) for match in known_pattern(_DENSITIES[what]).finditer(encodable(text)))


# ------------------------------------------------------------------ demands

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
    return sum(1 for _ in constraints_found(of))


def constraints_found(of: str) -> Iterator[str]:
    return (match.group(0) for match in known_pattern(_CONSTRAINT).finditer(encodable(of)))


_GIVE = r"(?:\b(?:return|output|respond|reply|answer|give|produce|emit|extract|convert|gib|liefere|antworte|ausgabe|réponds|renvoie|donne|devuelve|responde|restituisci|rispondi|retorne|responda|geef)\b|zwróć|выведи|верни|ответь)"
_AS = r"(?:\b(?:in|into|as|als|en|em|im|au|dans|w)|в)"


def _asked_as(form: str, asian: str) -> str:
    """Asked for by its name: what gives it, what it is put into, and that it is to be nothing else."""
    return (
        rf"(?i){_GIVE}[^.?\n]{{0,40}}\b{form}\b|"
        rf"{_AS} (?:(?:an?|the|valid|pure|strict|eine[rmn]?|une?|form(?:at)?o?|viele|the form of|виде|формате)\s+){{0,3}}{form}\b|"
        rf"\b(?:only|just|valid|nur|solo|seulement|só|только) {form}\b|\b{form}[- ]?(?:only|output|format)\b|"
        rf"(?:以|用|按|为){form}|{form} ?(?:格式|形式|形式で|형식)" + (f"|{asian}" if asian else "")
    )


_FORMS: tuple[tuple[str, str], ...] = (
    ("json", _asked_as("json", r"\bjson (?:object|array)\b")),
    ("yaml", _asked_as("yaml", "")),
    ("xml", _asked_as("xml", "")),
    ("csv", _asked_as("csv", "")),
    (
        "table",
        _asked_as(
            "(?:(?:markdown )?table|tabelle|tableau|tabla|tabella|tabela|tabell)",
            r"\bmarkdown table\b|\bmach\b[^.\n]{0,16}\btabelle\b|\b(?:make|draw|fais|haz|fai|faz)\b[^.\n]{0,16}\b(?:table|tableau|tabla|tabella|tabela)\b|(?:в виде|в|составь) таблиц[еуы]|表格|表にまとめ|表で(?:示|まと)",
        ),
    ),
    (
        "letter",
        r"(?i)\b(?:only|just)?[^.\n]{0,20}\bthe letter\b|answer: ?\[?[a-j]\b|(?m)^\(?[A-D][).:] .*\n(?s:.*)^\(?D[).:] ",
    ),
    (
        "code",
        (
            r"(?i)(?:\b(?:write|implement|complete|fix|schreibe?|implementiere|implémente|escribe|implementa|scrivi|escreva|napisz|schrijf)|écris)\b[^.\n]{0,40}\b(?:function|program|script|class|code|query|funktion|programm|skript|fonction|programme|función|programa|funzione|programma|função|funkcję|functie)\b|"
            r"(?:写|编写|实现)[^。\n]{0,20}(?:函数|程序|代码|脚本)|(?:関数|プログラム|コード|スクリプト)[^。\n]{0,12}(?:書いて|作って|作成|実装)|(?:напиши|реализуй)[^.\n]{0,24}(?:функци|программ|скрипт|код)|(?:함수|프로그램|코드)[^.\n]{0,12}(?:작성|짜)"
        ),
    ),
    (
        "list",
        r"(?i)\b(?:bullets?|bullet points?|bulleted|numbered list|list of|stichpunkte[n]?|aufzählung)\b|(?m)^\W*(?:list|liste|nenne|enumera|перечисли)\b|\b(?:als|as|en|sous forme de|fais|mach|haz|faz|fai|in)\b[^.\n]{0,12}\b(?:liste|lista|list)\b|列表|列出|箇条書き|목록",
    ),
    (
        "number",
        r"(?i)\b(?:only|just)\b[^.\n]{0,12}\bnumber\b|\b(?:how many|compute|calculate|evaluate|wie ?viele?|berechne|combien|calcule[rz]?|cuánt[oa]s?|calcula|quant[ei]|calcola|quant[oa]s|ile)\b|сколько|вычисли|多少|几个|计算|いくつ|計算",
    ),
)
_FORM_PATTERNS = tuple(pattern for _, pattern in _FORMS)


def demanded_form(of: str) -> str:
    found = pattern_set(_FORM_PATTERNS).found_in(encodable(of))
    return _FORMS[found[0]][0] if found else "free"


def demanded_form_found(of: str) -> Iterator[str]:
    text = encodable(of)
    for at in pattern_set(_FORM_PATTERNS).found_in(text)[:1]:
        found = known_pattern(_FORM_PATTERNS[at]).search(text)
        if found is not None:
            yield shortened(found.group(0))
