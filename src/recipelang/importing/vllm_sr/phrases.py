"""Signals that go by words: phrases, patterns, phrases that are ranked, languages and events."""

from __future__ import annotations

import re

from recipelang.importing.conditions import NEVER, Condition, all_of, any_of, compared, negated
from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.ranking import FORMS, enough, stems
from recipelang.importing.vllm_sr.signals import Signals, inline
from recipelang.importing.writing import pattern, texts
from recipelang.ir.labels import LANGUAGES
from recipelang.ir.patterns import BadPattern, compiled_pattern

LONGEST_ROW = 800
"""Characters of words in one pattern."""
URGENT = ("urgent", "immediate", "asap", "deadline", "time-sensitive", "now", "critical window")
_SPECIAL = re.compile(r"[\\^$.|()\[\]{}*+?]")


def keywords(signals: Signals, part: Part) -> None:
    method, cased = part.get("method").text("words").lower(), part.get("case_sensitive").flag()
    how = ", within = true" if method == "regex" else _fuzzy(part, method)
    if method == "bm25":
        signals.give(part, "keyword", _ranked(part))
        return
    phrases: list[str] = []
    patterns: list[Condition] = []
    for each in part.get("keywords").items():
        word = each.text()
        if method == "regex" and (cased or _SPECIAL.search(word)):
            patterns.append(found(each, word if cased else any_case(word)))
        elif cased:
            patterns.append(found(each, whole(word)))
        elif word:
            phrases.append(word)
    together = [*(phrases_found([phrase], how) for phrase in phrases), *patterns]
    signals.give(part, "keyword", _joined(part, together, any_of([phrases_found(phrases, how), *patterns])))


def _joined(part: Part, each: list[Condition], one: Condition) -> Condition:
    """Whether all of some phrases are there, or one, or none."""
    operator = part.get("operator").text("OR").upper()
    if operator not in ("AND", "OR", "NOR", "NOT"):
        part.get("operator").lose("`AND`, `OR` and `NOR` are known; it counts as `OR`")
    return all_of(each) if operator == "AND" else negated(one) if operator in ("NOR", "NOT") else one


def _ranked(part: Part) -> Condition:
    """Phrases that are ranked: one of its words is enough for a phrase, where no other phrases have it as well."""
    words = part.get("keywords").texts()
    spaced = [word for word in words if stems(word) or word.isascii()]
    scored = [found for _, found in enough(spaced, part.get("bm25_threshold").number(0.1) or 0.1)]
    whole = phrases_found([word for word in words if word not in spaced], "")
    one = any_of([*_any_form(part, [stem for found in scored for stem in found]), whole])
    each = [any_of(_any_form(part, found)) for found in scored] + ([whole] if whole != NEVER else [])
    return _joined(part, each, one)


def _any_form(part: Part, words: list[str]) -> list[Condition]:
    """Whether one of some stems is there, in any of its forms; as many patterns as are not too long."""
    rows: list[list[str]] = [[]]
    for word in dict.fromkeys(words):
        if sum(len(each) + 1 for each in rows[-1]) + len(word) > LONGEST_ROW:
            rows.append([])
        rows[-1].append(word)
    return [found(part.get("keywords"), rf"(?i)\b(?:{'|'.join(row)}){FORMS}\b") for row in rows if row]


def phrases_found(phrases: list[str], how: str) -> Condition:
    return Condition(f"keywords({texts(phrases)}{how})") if phrases else NEVER


def found(part: Part, spelled: str, call: str = "regex", of: str = "") -> Condition:
    """Whether a pattern is found; never, where it is none, and that is said."""
    try:
        compiled_pattern(spelled)
    except BadPattern as problem:
        part.lose(f"it is no pattern in RE2's syntax: {problem}")
        return NEVER
    return Condition(f"{call}({pattern(spelled)}{f', of = {of}' if of else ''})")


def _fuzzy(part: Part, method: str) -> str:
    """How many characters may be mistyped in a phrase, as an argument."""
    said = {
        "ngram": "words are found, within longer ones as well, and such as have one character mistyped",
        "bm25": "a word of a phrase is enough, in any of its forms, where its rank would be",
    }
    if method not in ("words", "regex", "exact", "keyword", "fuzzy"):
        part.get("method").change(said.get(method, "whole words are found"))
    edits = 1 if method == "ngram" else 0
    if part.get("fuzzy_match").flag() or method == "fuzzy":
        asked = part.get("fuzzy_threshold").number(2)
        edits = min(2, max(1, int(asked)))
        if asked != edits:
            part.get("fuzzy_threshold").change(f"{edits} mistyped characters are let pass")
    return (f", fuzzy = {edits}" if edits else "") + (", within = true" if method == "ngram" else "")


def whole(word: str) -> str:
    """A phrase as whole words, in its own case; of writings without blanks anywhere."""
    quoted = re.sub(r"([\\^$.|()\[\]{}*+?])", r"\\\1", word)
    before = r"\b" if re.match(r"[A-Za-z0-9_]", word) else ""
    after = r"\b" if re.search(r"[A-Za-z0-9_]$", word) else ""
    return f"{before}{quoted}{after}"


def any_case(value: str) -> str:
    return value if value.startswith("(?i)") else f"(?i){value}"


def language(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    code = own.lower().partition("-")[0].partition("_")[0]
    if part.get("threshold").number() > 0:
        part.get("threshold").change("a language is told or not, however sure it is")
    if code not in LANGUAGES or code == "other":
        part.lose("this language is not told from others here")
        return
    inline(part)
    signals.conditions[("language", own)] = compared("language()", "==", code)


def events(signals: Signals, part: Part) -> None:
    words = [word for key in ("event_types", "severities", "action_codes") for word in part.get(key).texts()]
    words += URGENT if part.get("temporal").flag() else ()
    signals.give(part, "event", phrases_found(words, ""))
