"""Reports of tests: for a person, as JSON, and as the JUnit XML that build servers read."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from difflib import unified_diff

from recipelang.diagnostics.rendering import excerpt
from recipelang.quick import dataclass
from recipelang.recipetests.coverage import Coverage
from recipelang.recipetests.results import Problem, TestResult, Unmet
from recipelang.recipetests.telling import told, used
from recipelang.recipetests.writing import quoted
from recipelang.runtime.values import Json
from recipelang.source import Span

_GREEN, _RED, _BOLD, _RESET = "\x1b[32m", "\x1b[1;31m", "\x1b[1m", "\x1b[0m"
_INDENT = "  "
LONGEST_LABEL = 60
"""Characters that stand under an expectation; more are put below it."""


@dataclass(frozen=True, slots=True)
class FileResults:
    """The tests of one file."""

    file: str
    results: Sequence[TestResult]
    coverage: Coverage

    @property
    def failed(self) -> Sequence[TestResult]:
        return [result for result in self.results if not result.passed]


# ------------------------------------------------------------ for a person


def lines(found: FileResults, *, color: bool = False) -> Iterator[str]:
    """A line for each test of a file."""
    yield _painted(found.file, _BOLD, color)
    for result in found.results:
        word = _painted("ok    ", _GREEN, color) if result.passed else _painted("FAILED", _RED, color)
        yield f"{_INDENT}{word}  {result.name}"


def failure(result: TestResult, *, color: bool = False) -> str:
    """All there is to know of a test that failed: what does not hold, and how the run went."""
    parts = [_painted(f"FAILED: {result.name}", _RED, color)]
    parts += [_problem(problem, color) for problem in result.problems]
    parts += [_unmet(unmet, color) for unmet in result.unmet]
    run = "\n".join(_INDENT + line for line in told(result.trace))
    parts.append(f"the run: {used(result.spend)}\n{run}".rstrip())
    return "\n\n".join(parts) + "\n"


def summary(files: Sequence[FileResults]) -> str:
    """`5 tests: 4 passed, 1 failed`."""
    total, failed = sum(len(found.results) for found in files), sum(len(found.failed) for found in files)
    tests = "1 test" if total == 1 else f"{total} tests"
    if not failed:
        return f"{tests}: {'it' if total == 1 else 'all'} passed"
    return f"{tests}: {total - failed} passed, {failed} failed"


def covered(coverage: Coverage) -> str:
    """How much of the tested recipes was reached, and what was not, with its place."""
    head = f"coverage: {share(coverage)} of the steps, arms and fallbacks ({coverage.reached} of {len(coverage.parts)})"
    missed = [f"{_INDENT}not reached: {part.title}, {_place(part.span)}" for part in coverage.missed]
    return "\n".join([head, *missed])


def share(coverage: Coverage) -> str:
    """The percentage, rounded down: it is 100% only where nothing was missed."""
    return f"{int(coverage.percent)}%"


def _place(span: Span) -> str:
    return f"{span.source.name}:{span.position.line}"


def _problem(problem: Problem, color: bool) -> str:
    text = f"{problem.message}\n{excerpt(problem.span, problem.label, color=color)}"
    return f"{text}\n{_INDENT}= help: {problem.help}" if problem.help else text


def _unmet(unmet: Unmet, color: bool) -> str:
    """The expectation with the values that it saw: beside it where they are short, else below."""
    if unmet.differing is not None:
        return f"{excerpt(unmet.span, color=color)}\n\n{difference(*unmet.differing)}"
    why = because(unmet)
    shown = excerpt(unmet.span, why, color=color)
    if len(why) > LONGEST_LABEL:
        shown = "\n".join([excerpt(unmet.span, color=color), *(f"{_INDENT}= {value}" for value in _values(unmet))])
    return shown


def because(unmet: Unmet) -> str:
    """Why an expectation does not hold: `calls is 5`."""
    if unmet.why:
        return unmet.why
    return ", ".join(_values(unmet)) or "this does not hold"


def _values(unmet: Unmet) -> list[str]:
    return [f"{part.written} is {part.value}" for part in unmet.shown]


def difference(wanted: str, got: str) -> str:
    """Where two texts part: line by line, or for short ones with a mark under the first character that differs."""
    if "\n" not in wanted + got:
        one, other = quoted(wanted), quoted(got)
        at = next((i for i, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
        return f"{_INDENT}wanted  {one}\n{_INDENT}got     {other}\n{_INDENT}        {' ' * at}^"
    found = list(unified_diff(wanted.splitlines(), got.splitlines(), "wanted", "got", lineterm="", n=2))
    return "\n".join(_INDENT + line for line in found) or f"{_INDENT}they differ in how they end"


def _painted(text: str, tone: str, color: bool) -> str:
    return f"{tone}{text}{_RESET}" if color else text


# ------------------------------------------------------------- for programs


def as_json(files: Sequence[FileResults], coverage: Coverage) -> dict[str, Json]:
    """The document of `--format json`."""
    return {
        "tests": [_test(found.file, result) for found in files for result in found.results],
        "passed": sum(len(found.results) - len(found.failed) for found in files),
        "failed": sum(len(found.failed) for found in files),
        "coverage": {
            "percent": round(coverage.percent, 2),
            "reached": coverage.reached,
            "parts": len(coverage.parts),
            "missed": [
                {"recipe": part.recipe, "step": part.step, "what": part.what, **_location(part.span)}
                for part in coverage.missed
            ],
        },
    }


def _test(file: str, result: TestResult) -> dict[str, Json]:
    return {
        "name": result.name,
        "file": file,
        "line": result.test.node.name.span.position.line,
        "passed": result.passed,
        "problems": [
            {"message": problem.message, "why": problem.label, "help": problem.help, **_location(problem.span)}
            for problem in result.problems
        ],
        "unmet": [
            {
                "expectation": unmet.span.text,
                "why": because(unmet),
                "values": {part.written: part.value for part in unmet.shown},
                **_location(unmet.span),
            }
            for unmet in result.unmet
        ],
        "failure": None if result.failure is None else result.failure.kind.value,
        "spend": {**result.spend.as_json(), "tokens": result.spend.tokens},
        "events": list(told(result.trace)),
    }


def _location(span: Span) -> dict[str, Json]:
    return {"file": span.source.name, "line": span.position.line, "column": span.position.column}


def junit(files: Sequence[FileResults]) -> str:
    """The tests as JUnit XML: a suite for each file; the time is what a test really took, in seconds."""
    from xml.etree.ElementTree import Element, SubElement, indent, tostring  # deferred: start-up cost

    root = Element("testsuites", _counts(files, "recipelang"))
    for found in files:
        suite = SubElement(root, "testsuite", _counts([found], found.file))
        for result in found.results:
            line = str(result.test.node.name.span.position.line)
            about = {"classname": found.file, "name": _xml(result.name), "file": found.file, "line": line}
            case = SubElement(suite, "testcase", {**about, "time": f"{result.wall:.3f}"})
            if not result.passed:
                node = SubElement(case, "failure", {"message": _xml(_first(result))})
                node.text = _xml(failure(result))
    indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _counts(files: Sequence[FileResults], name: str) -> dict[str, str]:
    results = [result for found in files for result in found.results]
    failed = sum(not result.passed for result in results)
    took = sum(result.wall for result in results)
    return {
        "name": _xml(name),
        "tests": str(len(results)),
        "failures": str(failed),
        "errors": "0",
        "time": f"{took:.3f}",
    }


def _first(result: TestResult) -> str:
    if result.problems:
        return result.problems[0].message
    return f"{' '.join(result.unmet[0].span.text.split())}: {because(result.unmet[0])}"


def _xml(text: str) -> str:
    """The text without what XML can't hold."""
    return "".join(
        c if c in "\t\n\r" or 32 <= ord(c) < 0xD800 or 0xE000 <= ord(c) < 0xFFFE or ord(c) > 0xFFFF else "·"
        for c in text
    )
