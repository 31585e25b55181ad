"""The standard signals are as right on labelled texts as docs/signals.md says, in several languages."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path

import pytest

from labelled_signals import EXPRESSIONS, LABELLED, Measured, false_alarms, measured, others_than, without_the_extra
from recipelang.runtime.looking import encoder, tongues

PAGE = Path(__file__).parents[3] / "docs" / "signals.md"


def told(name: str) -> list[str]:
    """The row of a signal in the table of the page."""
    start = f"| `{name}` | "
    return next(
        line.removeprefix(start).removesuffix(" |").split(" | ")
        for line in PAGE.read_text(encoding="utf-8").splitlines()
        if line.startswith(start)
    )


def figures(of: Measured) -> Iterator[float]:
    if of.is_condition:
        yield from (of.precision, of.recall)
    else:
        yield of.accuracy


def as_told(cell: str) -> list[float]:
    return [float(figure) for figure in cell.removesuffix(" right").split(", ")]


@pytest.mark.parametrize("unseen", [True, False], ids=["unseen", "written with"])
@pytest.mark.parametrize("name", EXPRESSIONS)
def test_a_signal_is_as_right_as_the_page_says(name: str, unseen: bool) -> None:
    row = told(name)[:3] if unseen else told(name)[3:]
    with without_the_extra():
        by_words = measured(name, unseen=unseen)
    assert str(len(by_words.told)) == row[0]
    assert list(figures(by_words)) == pytest.approx(as_told(row[1]), abs=0.006), by_words.mistakes
    if encoder.loaded() is not None and tongues.classifier() is not None:
        extra = measured(name, unseen=unseen)
        assert list(figures(extra)) == pytest.approx(as_told(row[2]), abs=0.006), extra.mistakes


def test_each_labelled_file_belongs_to_a_signal_and_has_both_kinds_of_texts() -> None:
    assert {path.stem for path in LABELLED.glob("*.txt")} == set(EXPRESSIONS)
    for name in EXPRESSIONS:
        labels = {label for _, label, _ in measured(name, unseen=True).told}
        assert len(labels) > 1


@pytest.mark.parametrize(("name", "most"), [("attack", 0.01), ("dissatisfied", 0.03), ("sensitive", 0.0)])
@pytest.mark.parametrize("bare", [False, True], ids=["as installed", "by words"])
def test_ordinary_questions_raise_hardly_any_alarm(name: str, most: float, bare: bool) -> None:
    texts = others_than(name)[::4]
    with without_the_extra() if bare else nullcontext():
        alarms = false_alarms(name, texts)
    assert len(alarms) <= most * len(texts), alarms
