"""Every code is explained by a program that makes the mistake, and the same one mended."""

from __future__ import annotations

import pytest

from recipelang.compilation import compile_text
from recipelang.diagnostics import Code, Diagnostic, Severity
from recipelang.diagnostics.catalogue import all_codes
from recipelang.diagnostics.rendering import render

CODES = list(all_codes().values())
COUNTS_ONLY = "E0112"
"""Says how many mistakes are not shown, after those that are."""


def id_of(code: Code) -> str:
    return code.id


def diagnostics(code: Code, text: str) -> list[Diagnostic]:
    return compile_text(text, "sample.recipe", dict(code.files)).diagnostics


@pytest.mark.parametrize("code", CODES, ids=id_of)
def test_the_wrong_sample_makes_just_this_mistake(code: Code) -> None:
    found = [diagnostic.code.id for diagnostic in diagnostics(code, code.wrong)]
    if code.id == COUNTS_ONLY:
        assert found == ["E0101"] * 50 + [COUNTS_ONLY]
    else:
        assert found == [code.id]


@pytest.mark.parametrize("code", CODES, ids=id_of)
def test_the_right_sample_makes_none(code: Code) -> None:
    assert render(diagnostics(code, code.right)) == ""


@pytest.mark.parametrize("code", CODES, ids=id_of)
def test_a_code_says_in_a_sentence_why_it_is_one(code: Code) -> None:
    assert code.why.endswith(".")
    assert code.title[:1] == code.title[:1].lower()
    assert not code.title.endswith(".")


@pytest.mark.parametrize("code", CODES, ids=id_of)
def test_the_letter_of_a_code_is_its_severity(code: Code) -> None:
    assert code.id[0] == {Severity.ERROR: "E", Severity.WARNING: "W"}[code.severity]


def test_every_code_that_a_module_declares_is_found_under_its_own_id() -> None:
    assert [code.id for code in CODES] == sorted({code.id for code in CODES})
    assert len({code.title for code in CODES}) == len(CODES)
