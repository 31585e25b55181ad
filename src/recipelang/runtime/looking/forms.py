"""How a text is made: patterns, densities, demands, and the form that it asks for; lexical, in several languages."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.ir.patterns import compiled_pattern, pattern_set
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
    return (match.group(0) for match in compiled_pattern(_DENSITIES[what]).finditer(encodable(text)))


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
_FORM_PATTERNS = tuple(pattern for _, pattern in _FORMS)


def demanded_form(of: str) -> str:
    found = pattern_set(_FORM_PATTERNS).found_in(encodable(of))
    return _FORMS[found[0]][0] if found else "free"


def demanded_form_found(of: str) -> Iterator[str]:
    text = encodable(of)
    for at in pattern_set(_FORM_PATTERNS).found_in(text)[:1]:
        found = compiled_pattern(_FORM_PATTERNS[at]).search(text)
        if found is not None:
            yield shortened(found.group(0))
