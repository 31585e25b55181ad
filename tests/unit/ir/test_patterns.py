"""Many patterns looked for at once are found where each is by itself, however many they are and whatever the text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recipelang.ir.patterns import BadPattern, PatternSet, compiled_pattern, known_pattern, quoted
from recipelang.runtime.disclosures import PERSONAL, SECRET

FORMS = [form.pattern for form in (*PERSONAL[1:], *SECRET)]
TOGETHER = PatternSet(FORMS)
PIECES = st.sampled_from(
    [
        "4111 1111 1111 1111",
        "+49 170 1234567",
        "password: ",
        "hunter2!",
        "sk-",
        "a" * 20,
        "::1",
        "10.0.0.7",
        "DE89",
        "0532",
        "-",
        " ",
        "\n",
        "é",
        "密码：",
        "eyJ",
        ".",
    ]
)


@given(st.lists(st.one_of(PIECES, st.text(st.characters(codec="utf-8"), max_size=8)), max_size=12).map("".join))
def test_a_set_finds_what_each_pattern_finds(text: str) -> None:
    assert TOGETHER.found_in(text) == [at for at, pattern in enumerate(FORMS) if known_pattern(pattern).search(text)]


@given(
    st.lists(st.text(st.characters(codec="utf-8"), min_size=1, max_size=6), max_size=8),
    st.text(st.characters(codec="utf-8")),
)
def test_a_quoted_text_is_found_as_it_stands(phrases: list[str], text: str) -> None:
    found = PatternSet([quoted(phrase) for phrase in phrases]).found_in(text)
    assert found == [at for at, phrase in enumerate(phrases) if phrase in text]


def test_more_patterns_than_one_automaton_holds_are_all_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recipelang.ir.patterns._MEMORY", 2**14)
    patterns = [f"{number}{'x' * 40}" for number in range(200)]
    assert PatternSet(patterns).found_in(f"a {patterns[121]} came") == [1, 21, 121]


def test_a_pattern_that_is_too_big_by_itself_counts_as_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("recipelang.ir.patterns._MEMORY", 2**14)
    assert PatternSet(["a", r"\pL{1,50}b", "c"]).found_in("xx c") == [1, 2]


def test_only_what_somebody_else_wrote_has_a_greatest_length() -> None:
    with pytest.raises(BadPattern, match="longer than"):
        compiled_pattern("a" * 1_001)
    assert known_pattern("a" * 1_001).search("b") is None
