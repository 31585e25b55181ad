"""What probably went wrong where the text stopped making sense, said in the author's terms."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from recipelang.diagnostics import Diagnostic, Edit, Fix, Label
from recipelang.diagnostics.catalogue import syntax as codes
from recipelang.diagnostics.suggesting import nearest
from recipelang.source import Source, Span
from recipelang.syntax.landmarks import OPAQUE_OR_BRACKET

DECLARATIONS = (
    "use", "backend", "model", "record", "contract", "role", "extern", "signal", "band", "boundary", "recipe", "private",
    "test", "expose",
)  # fmt: skip
STEPS = ("budget", "ask", "fanout", "cascade", "repeat", "perform", "choose", "call", "run", "let", "return")
FOREIGN = {
    "&&": "and", "||": "or", "!": "not ", "//": "#", "/*": "#", ";": "", "True": "true", "False": "false", "None": "none",
    "null": "none", "nil": "none", "elif": "else", ":=": "=", "===": "==",
}  # fmt: skip
"""What other languages write, and what this one writes instead."""
INSTEAD = {
    "for": "a loop is a step: `fanout xs = role(model = m) for m in models`",
    "while": "a loop has a bound: `repeat x = role(x) up to 3 times { start = ..., until = ... }`",
    "if": "a choice is a step: `choose x { when ... => ... otherwise => ... }`",
    "def": "a recipe is `recipe name(m: model) -> answer { ... }`",
    "function": "a recipe is `recipe name(m: model) -> answer { ... }`",
    "fn": "a recipe is `recipe name(m: model) -> answer { ... }`",
    "import": 'other files come in with `use std.fusion`, or `use "./team.recipe"`',
    "from": 'other files come in with `use std.fusion`, or `use "./team.recipe"`',
    "class": "a type of one's own is `record name { field: text }`",
    "struct": "a type of one's own is `record name { field: text }`",
    "type": "a type of one's own is `record name { field: text }`",
    "const": "a value of one's own is a step: `let x = ...`",
    "var": "a value of one's own is a step: `let x = ...`",
    "await": "steps wait by themselves for what they name: `ask x = role(model = m)`",
}
"""What other languages begin a declaration or a step with, and what stands for it here."""
HOW = {
    ":": "a name is followed by its type here, as in `draft: answer`",
    "(": "a role, a recipe and a call have parentheses, even with nothing in them: `solver()`",
}
CLOSING = {"{": "}", "(": ")", "[": "]"}
BRACKETS = "{}()[]"
_FOREIGN = re.compile("|".join(re.escape(word) for word in sorted(FOREIGN, key=len, reverse=True)))
_QUOTES = re.compile("['‘’“”`]")
_WORD = re.compile(r"[A-Za-z_]\w*")
_QUANTITY = re.compile(r"\$?\d[\w.%]*")
_A_NUMBER = re.compile(r"\$\d{1,15}(\.\d{1,15})?[kM]?|\d{1,15}(\.\d{1,15})?(%|ms|s|m|h|k|M)?")
_UNITS = {
    "sec": "s",
    "secs": "s",
    "seconds": "s",
    "second": "s",
    "min": "m",
    "mins": "m",
    "minutes": "m",
    "hours": "h",
    "K": "k",
}
_NAMELESS = re.compile(r"(?:->|:)\s*(?P<record>record)\s*\{\s*(?:\w+\s*)?\Z")


def explain(source: Source, at: tuple[int, int] | None, piece: tuple[int, int], expected: Sequence[str]) -> Diagnostic:
    """A word that may not stand where it does; `at` of none is the end of the declaration."""
    if at is None:
        return _unfinished(source, piece, expected)
    span = source.span(*at)
    return (
        _foreign(span)
        or _arrow(span, expected)
        or _doubled_equal(span)
        or _unfinished_before(span, piece, expected)
        or _nameless_record(span, piece)
        or _second_budget(span, piece)
        or _misspelled(span, expected)
        or _quantity(span)
        or _missing(span, expected)
        or _unexpected(span, piece, expected)
    )


def explain_character(source: Source, at: int, piece: tuple[int, int]) -> Diagnostic:
    """A character that begins no word of the language."""
    rest = source.text[at : piece[1]]
    foreign = _FOREIGN.match(rest)
    span = source.span(at, at + (len(foreign.group()) if foreign else 1))
    found = _foreign(span) or _quantity(span)
    if found is not None:
        return found
    if rest.startswith(('"', 'r"')):
        block = rest.removeprefix("r").startswith('"""')
        length = rest.index('"') + (3 if block else 1)
        return codes.UNCLOSED.at(
            source.span(at, at + length),
            f"this {'block text' if block else 'text'} is never closed",
            label="opened here",
            help='a text in `"` ends on its line; one over several lines stands between `"""` and `"""`',
        )
    if _QUOTES.match(rest):
        end = _QUOTES.search(rest, 1)
        whole = source.span(at, at + (end.end() if end and "\n" not in rest[: end.end()] else 1))
        inside = whole.text.strip("'‘’“”`")
        fix = Fix("use straight double quotes", (Edit(whole, f'"{inside}"'),)) if len(whole.text) > 1 else None
        return codes.QUOTES.at(whole, 'a text stands between `"` and `"`', help=f'write `"{inside}"`', fix=fix)
    word = _WORD.match(rest)
    if word and word.group() != word.group().lower():
        return _case(source.span(at, at + word.end()))
    character = rest[:1]
    name = f"`{character}`" if character.isprintable() else f"U+{ord(character):04X}"
    return codes.STRANGE_CHARACTER.at(span, f"{name} has no meaning here", help="remove it")


def _case(span: Span) -> Diagnostic:
    snake = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", span.text).lower()
    return codes.NAME_CASE.at(
        span, "names are in snake_case", help=f"write `{snake}`", fix=Fix("in snake_case", (Edit(span, snake),))
    )


def _foreign(span: Span) -> Diagnostic | None:
    match = _FOREIGN.match(span.source.text, span.start)
    if match is None or (match.group()[-1].isalnum() and match.end() - match.start() < len(span.text)):
        return None
    written = match.group()
    meant = FOREIGN[written]
    whole = span.source.span(match.start(), match.end())
    if not meant:
        return codes.FOREIGN.at(
            whole,
            f"`{written}` has no meaning here",
            help="remove it: a line needs no end",
            fix=Fix("remove it", (Edit(whole, ""),)),
        )
    return codes.FOREIGN.at(
        whole,
        f"`{written}` has no meaning here",
        help=f"write `{meant.strip()}`",
        fix=Fix(f"write `{meant.strip()}`", (Edit(whole, meant),)),
    )


def _misspelled(span: Span, expected: Sequence[str]) -> Diagnostic | None:
    """A word where a declaration or a step begins."""
    if not _WORD.fullmatch(span.text) or "a name" in expected:
        return None
    for words, what in ((DECLARATIONS, "declaration"), (STEPS, "step")):
        if f"`{words[-1]}`" in expected and "`or`" not in expected:
            near = nearest(span.text.lower(), words)
            listed = ", ".join(f"`{word}`" for word in words)
            return codes.UNKNOWN_KEYWORD.at(
                span,
                f"there is no {what} `{span.text}`",
                help=f"did you mean `{near}`?" if near else INSTEAD.get(span.text, f"here may stand {listed}"),
                fix=Fix(f"use `{near}`", (Edit(span, near),)) if near else None,
            )
    return None


def _instead(span: Span, wanted: str) -> Diagnostic:
    """One sign or word in the place of another."""
    found = f"expected `{wanted}`, found `{span.text}`"
    return codes.EXPECTED.at(span, found, help=f"write `{wanted}`", fix=Fix(f"write `{wanted}`", (Edit(span, wanted),)))


def _arrow(span: Span, expected: Sequence[str]) -> Diagnostic | None:
    """The arrow before what is returned and that of an arm, each in the other's place or spelled `:`."""
    if "`->`" in expected and span.text in ("=>", ":"):
        return _instead(span, "->")
    return _thin_arrow(span)


def _doubled_equal(span: Span) -> Diagnostic | None:
    """`==` where a value is given: the first `=` is read, the second is one too many."""
    text, start = span.source.text, span.start
    return _instead(span.source.span(start - 1, start + 1), "=") if text[start - 1 : start + 1] == "==" else None


def _unfinished_before(span: Span, piece: tuple[int, int], expected: Sequence[str]) -> Diagnostic | None:
    """A step that begins in the middle of what stands before it: its first word was taken for a name."""
    text = span.source.text
    line = text[text.rfind("\n", 0, span.start) + 1 : span.start]
    keyword = line.strip()
    if keyword not in STEPS or "a name" in expected or not (_WORD.fullmatch(span.text) or span.text == "{"):
        return None
    word = span.source.span(span.start - len(line.lstrip()), span.start - len(line.lstrip()) + len(keyword))
    opened = _opened(span.source, piece[0], word.start)
    if len(opened) > 1:
        opening = span.source.span(opened[-1], opened[-1] + 1)
        label = Label(word, "a step can't stand in it")
        return codes.UNCLOSED.at(
            opening, f"this `{opening.text}` is never closed", label="opened here", labels=(label,)
        )
    end = len(text[: word.start].rstrip())
    label = Label(word, "the next one begins here")
    place = span.source.span(max(piece[0], end - 1), end)
    help = "a step says what is done, as in `ask x = role(model = m)`"
    return codes.EXPECTED.at(place, "this step ends too early", labels=(label,), help=help)


def _nameless_record(span: Span, piece: tuple[int, int]) -> Diagnostic | None:
    """`record { ... }` in the place of a type; only what a function of the host gives may be described so."""
    text = span.source.text
    match = _NAMELESS.search(text, piece[0], span.end) or _NAMELESS.search(text, piece[0], span.start)
    if match is None or text.startswith("extern", piece[0]):
        return None
    return codes.EXPECTED.at(
        span.source.span(match.start("record"), match.end("record")),
        "a record is named here",
        help="declare it, `record found { ... }`, and write `found`; only an `extern` may describe what it gives in place",
    )


def _thin_arrow(span: Span) -> Diagnostic | None:
    """`when ... ->`, which reads as a minus and a greater-than."""
    text, start = span.source.text, span.start
    line = text[text.rfind("\n", 0, start) + 1 : start]
    if span.text != ">" or not re.fullmatch(r"\s*(when\b.*|otherwise\s*)-", line):
        return None
    arrow = span.source.span(start - 1, span.end)
    return _instead(arrow, "=>")


def _second_budget(span: Span, piece: tuple[int, int]) -> Diagnostic | None:
    first = re.compile(r"\bbudget\b").search(span.source.text, piece[0], span.start)
    if span.text != "budget" or first is None:
        return None
    return codes.UNKNOWN_KEYWORD.at(
        span,
        "a recipe has one `budget`",
        labels=(Label(span.source.span(*first.span()), "the first is here"),),
        help="write all of it into one block",
    )


def _quantity(span: Span) -> Diagnostic | None:
    match = _QUANTITY.match(span.source.text, span.start)
    if match is None or _A_NUMBER.fullmatch(match.group()):
        return None
    whole = span.source.span(match.start(), match.end())
    if re.search(r"\d{16}", match.group()):
        return codes.BAD_NUMBER.at(
            whole, "this number is too long", label="it has at most 15 digits, as in `999999999M`"
        )
    parts = re.fullmatch(r"(\d+(?:\.\d+)?)([A-Za-z]+)", match.group())
    unit = _UNITS.get(parts.group(2)) if parts else None
    fix = Fix("with its unit", (Edit(whole, f"{parts.group(1)}{unit}"),)) if parts and unit else None
    return codes.BAD_NUMBER.at(
        whole,
        f"`{match.group()}` is not a number",
        help="numbers are `42`, `4k`, `1M`, `0.72`, `80%`, times `500ms`, `30s`, `2m`, `1h`, amounts `$0.05`",
        fix=fix,
    )


def _missing(span: Span, expected: Sequence[str]) -> Diagnostic | None:
    """One word is missing, or another stands in its place."""
    if "`=`" in expected and span.text in (":", "=="):
        return _instead(span, "=")
    if "`=>`" in expected and span.text in (":", "->", "="):
        return _instead(span, "=>")
    if "`otherwise`" in expected and span.text in ("else", "default"):
        return _instead(span, "otherwise")
    if span.text in ("<", "<=", ">", ">=", "==", "!=", "in") and "`and`" in expected:
        return codes.CHAINED.at(
            span, "comparisons can't be chained", help="join two of them with `and`: `a < b and b < c`"
        )
    if len(expected) == 1 and expected[0].startswith("`"):
        return _one_expected(span, expected[0].strip("`"))
    return None


def _one_expected(span: Span, wanted: str) -> Diagnostic:
    """Only one thing may stand here: it is misspelled, or missing, and then most likely at the end of the line before."""
    found = f"expected `{wanted}`, found `{_short(span.text)}`"
    if nearest(span.text, [wanted]) == wanted:
        fix = Fix(f"write `{wanted}`", (Edit(span, wanted),))
        return codes.EXPECTED.at(span, found, help=f"write `{wanted}`", fix=fix)
    before = span.source.text[: span.start]
    end = len(before.rstrip())
    if "\n" in before[end:] and "#" not in before[before.rfind("\n", 0, end) + 1 : end]:
        return codes.EXPECTED.at(
            span.source.span(end - 1, end), f"expected `{wanted}` after this", help=HOW.get(wanted, "")
        )
    return codes.EXPECTED.at(span, found, help=HOW.get(wanted, f"put `{wanted}` before it"))


def _unexpected(span: Span, piece: tuple[int, int], expected: Sequence[str]) -> Diagnostic:
    opening = _innermost(span.source, piece[0], span.start)
    if span.text in CLOSING.values():
        rest = _next_closing(span.source, span.end, piece[1])
        if opening is None or rest == CLOSING[opening.text] != span.text:
            return codes.STRAY.at(span, f"this `{span.text}` closes nothing", help="remove it")
        if CLOSING[opening.text] != span.text:
            return _unclosed(opening, span)
    elif opening is not None and opening.text != "{":
        if _next_closing(span.source, span.start, piece[1]) != CLOSING[opening.text]:
            return _unclosed(opening, span)
        if "`,`" in expected and (_WORD.fullmatch(span.text) or span.text[0] in '"$0123456789'):
            return codes.EXPECTED.at(span, f"expected `,` before `{_short(span.text)}`")
    reserved = "a name" in expected and _WORD.fullmatch(span.text)
    if reserved:
        return codes.EXPECTED.at(
            span,
            f"`{span.text}` can't be a name here",
            label="it is a word of the language",
            help="call it something else",
        )
    if _is_value(expected):
        return codes.EXPECTED.at(span, f"expected a value, found `{_short(span.text)}`")
    return codes.EXPECTED.at(span, f"`{_short(span.text)}` was not expected here", help=_expectation(expected))


def _unclosed(opening: Span, before: Span) -> Diagnostic:
    wanted = Label(before, f"`{CLOSING[opening.text]}` is wanted before this")
    return codes.UNCLOSED.at(opening, f"this `{opening.text}` is never closed", labels=(wanted,))


def _unfinished(source: Source, piece: tuple[int, int], expected: Sequence[str]) -> Diagnostic:
    end = len(source.text[: piece[1]].rstrip())
    opening = _innermost(source, piece[0], piece[1])
    if opening is not None:
        return codes.UNCLOSED.at(opening, f"this `{opening.text}` is never closed", label="opened here")
    return codes.EXPECTED.at(
        source.span(max(piece[0], end - 1), end), "the declaration ends too early", help=_expectation(expected)
    )


def _innermost(source: Source, start: int, end: int) -> Span | None:
    """The bracket that is open at `end`, if any."""
    opened = _opened(source, start, end)
    return source.span(opened[-1], opened[-1] + 1) if opened else None


def _opened(source: Source, start: int, end: int) -> list[int]:
    """The brackets that are open at `end`, the innermost last."""
    opened: list[int] = []
    for bracket in _brackets(source, start, end):
        if bracket.group() in CLOSING:
            opened.append(bracket.start())
        elif opened:
            opened.pop()
    return opened


def _next_closing(source: Source, start: int, end: int) -> str | None:
    """The first bracket that closes one from before `start`."""
    depth = 0
    for bracket in _brackets(source, start, end):
        depth += 1 if bracket.group() in CLOSING else -1
        if depth < 0:
            return bracket.group()
    return None


def _brackets(source: Source, start: int, end: int) -> Iterator[re.Match[str]]:
    """The brackets outside of texts and comments."""
    return (
        match
        for match in OPAQUE_OR_BRACKET.finditer(source.text, start, end)
        if len(match.group()) == 1 and match.group() in BRACKETS
    )


def _expectation(expected: Sequence[str]) -> str:
    words = [word for word in expected if word != "the end of the file"]
    if not 0 < len(words) <= 6:
        return "here should be a value" if _is_value(words) else ""
    return "here may stand " + (words[0] if len(words) == 1 else ", ".join(words[:-1]) + " or " + words[-1])


def _is_value(expected: Sequence[str]) -> bool:
    return "a number" in expected and "a text" in expected


def _short(text: str) -> str:
    line = text.split("\n", maxsplit=1)[0]
    return line if len(line) <= 30 else line[:29] + "…"
