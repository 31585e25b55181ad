"""How right the standard signals and functions are on labelled texts, by words alone and with the extra `signals`.

`python tests/labelled_signals.py` prints the table of docs/signals.md; with names of signals it also prints each mistake, and with
`--pack DIR` how often `domain` says the category of recorded questions such as those of MMLU-Pro.
"""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from recipelang.compilation import compile_text
from recipelang.ir.expressions import SignalReference
from recipelang.ir.labels import DOMAINS, ENCODERS, FORMS, LANGUAGES, MEANING, WORDS
from recipelang.ir.plan import Plan
from recipelang.runtime.expressions import compile_expression
from recipelang.runtime.looking import domain, encoder, tongues
from recipelang.runtime.values import Message, Request

LABELLED = Path(__file__).parent / "corpus" / "signals"
EXPRESSIONS = {
    "again": "again",
    "attack": "attack",
    "brief": "brief",
    "dissatisfied": "dissatisfied",
    "domain": "field",
    "facts": "facts",
    "form": "demanded_form()",
    "hard": "workload != light",
    "language": "language()",
    "reasoning": "reasoning",
    "risk": "risk >= 0.7",
    "sensitive": "sensitive",
    "strict_form": "strict_form",
}
"""What is measured by the texts of each file."""
CASES = {"domain": DOMAINS, "form": FORMS, "language": LANGUAGES}
BEFORE = (Message("user", "Explain vector clocks."), Message("assistant", "They order events by counting them."))
"""What was said before, for texts that answer an answer."""


@dataclass(frozen=True)
class Measured:
    """Of one signal the labelled texts, each with what it should be and what it is said to be."""

    name: str
    told: tuple[tuple[str, str, str], ...]  # text, label, what the signal says

    @property
    def is_condition(self) -> bool:
        return {label for _, label, _ in self.told} <= {"yes", "no"}

    @property
    def precision(self) -> float:
        found = [label for _, label, said in self.told if said == "yes"]
        return sum(label == "yes" for label in found) / len(found) if found else 0.0

    @property
    def recall(self) -> float:
        there = [said for _, label, said in self.told if label == "yes"]
        return sum(said == "yes" for said in there) / len(there)

    @property
    def accuracy(self) -> float:
        return sum(label == said for _, label, said in self.told) / len(self.told)

    @property
    def mistakes(self) -> list[tuple[str, str, str]]:
        return [each for each in self.told if each[1] != each[2]]


@lru_cache(maxsize=1)
def _plan() -> Plan:
    compilation = compile_text(_policy())
    assert compilation.plan is not None, compilation.diagnostics
    return compilation.plan


def measured(name: str, *, unseen: bool) -> Measured:
    """The texts that the signals were written with or, `unseen`, those that were written later."""
    reads = _reading(name)
    return Measured(name, tuple((text, label, reads(text)) for label, text in _labelled(name, unseen)))


def false_alarms(name: str, texts: Sequence[str]) -> list[str]:
    """Those of some texts for which a condition holds."""
    reads = _reading(name)
    return [text for text in texts if reads(text) == "yes"]


def others_than(name: str) -> list[str]:
    """The texts of all other signals."""
    others = [other for other in EXPRESSIONS if other != name]
    return [text for other in others for unseen in (True, False) for _, text in _labelled(other, unseen)]


def _before(name: str, text: str) -> tuple[Message, ...]:
    """What was said before a text: where the signal hangs on that, what the text names or a plain question."""
    asked, arrow, _ = text.rpartition(" => ")
    if arrow:
        return (Message("user", asked), Message("assistant", "So it is."))
    return BEFORE if name == "dissatisfied" else ()


def _reading(name: str) -> Callable[[str], str]:
    """What a signal says of a text, which answers an answer where the signal looks for that."""
    read = compile_expression(SignalReference(f"measured_{name}"), _plan())

    def said(text: str) -> str:
        value = read({"request": Request((*_before(name, text), Message("user", text.rpartition(" => ")[2])))})
        return ("yes" if value else "no") if isinstance(value, bool) else str(value)

    return said


@contextmanager
def without_the_extra() -> Iterator[None]:
    """As on a machine without the encoder and the language model; what is loaded stays so, for it takes a second."""
    doors = (encoder.loaded, tongues.classifier)
    bare: Any = lru_cache(lambda: None)  # Any: it stands in for both
    encoder.loaded = tongues.classifier = bare
    try:
        yield
    finally:
        encoder.loaded, tongues.classifier = doors


def _labelled(name: str, unseen: bool) -> Iterator[tuple[str, str]]:
    written_with, _, later = (LABELLED / f"{name}.txt").read_text(encoding="utf-8").partition("\n## unseen")
    for line in (later if unseen else written_with).splitlines():
        label, bar, text = line.partition(" | ")
        if bar:
            yield label, text.replace("\\n", "\n")


def _policy() -> str:
    kinds = {name: f"enum({', '.join(cases)})" for name, cases in CASES.items()}
    signals = [
        f"signal measured_{name}: {kinds.get(name, 'bool')} = {expression}" for name, expression in EXPRESSIONS.items()
    ]
    return "use std.signals\n" + "\n".join(signals)


def field_accuracy(pack: Path, by: str) -> tuple[float, int]:
    """Of how many questions of a pack `domain` says their category, and how many there are."""
    with gzip.open(pack / "questions.jsonl.gz", "rt", encoding="utf-8") as lines:
        questions = [json.loads(line) for line in lines]
    asked = random.Random(1).sample(questions, min(1_000, len(questions)))
    renamed = {"math": "maths", "computer science": "computer_science"}
    right = sum(domain(each["prompt"], by) == renamed.get(each["category"], each["category"]) for each in asked)
    return right / len(asked), len(asked)


def main(arguments: list[str]) -> None:
    if arguments[:1] == ["--pack"]:
        for by in (WORDS, ENCODERS[MEANING]):
            share, number = field_accuracy(Path(arguments[1]), by)
            print(f"{by}: the field of {share:.1%} of {number} questions")
    else:
        _print_table(arguments)


def _print_table(shown: list[str]) -> None:
    print(
        "| signal | unseen texts | by words | with the extra | texts it was written with | by words | with the extra |"
    )
    print("|---|---|---|---|---|---|---|")
    for name in EXPRESSIONS:
        row = []
        for unseen in (True, False):
            with without_the_extra():
                words = measured(name, unseen=unseen)
            extra = measured(name, unseen=unseen)
            row += [str(len(words.told)), _figures(words), _figures(extra)]
            for how, each in (("words", words), ("extra", extra)) if name in shown else ():
                for text, label, said in each.mistakes:
                    print(f"    {'unseen' if unseen else 'seen'}, {how}: {label} -> {said}: {text}")
        print(f"| `{name}` | {' | '.join(row)} |")


def _figures(of: Measured) -> str:
    return f"{of.precision:.2f}, {of.recall:.2f}" if of.is_condition else f"{of.accuracy:.2f} right"


if __name__ == "__main__":
    main(sys.argv[1:])
