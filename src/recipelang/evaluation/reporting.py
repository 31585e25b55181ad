"""A report in words: tables that a terminal, Markdown and a page of HTML show alike."""

from __future__ import annotations

from collections.abc import Sequence

from recipelang.evaluation.mixing import Mixed
from recipelang.evaluation.summing import Comparison, Report, Summary
from recipelang.quick import dataclass
from recipelang.statistics import Interval


@dataclass(frozen=True, slots=True)
class Table:
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[str]]


def tables(report: Report) -> list[Table]:
    """All there is to tell, in order."""
    found = [Table("What each brings and costs", _HEAD, [_row(summary) for summary in report.summaries])]
    if report.comparisons:
        baseline = report.comparisons[0].baseline
        rows = [_compared(comparison) for comparison in report.comparisons]
        found.append(Table(f"Against {baseline}, on the same items", _COMPARED, rows))
    if report.mixtures:
        rows = [_mixed(mixed) for mixed in report.mixtures]
        found.append(Table("Against two single models asked at random, at the same cost", _MIXED, rows))
    if report.oracle is not None:
        oracle = report.oracle
        row = [f"{_percent(oracle.right / max(1, oracle.n))} of {oracle.n}", money(oracle.cost)]
        found.append(
            Table("Oracle: always the right single model", ["accuracy", "$ a run, the cheapest right one"], [row])
        )
    if report.slices:
        rows = [[value, *_row(summary)] for value, many in report.slices.items() for summary in many]
        found.append(Table(f"By {report.slice}", [str(report.slice), *_HEAD], rows))
    if report.judges:
        rows = [
            [j.one, j.other, str(j.n), _percent(j.agreed / max(1, j.n)), "–" if j.kappa is None else f"{j.kappa:.2f}"]
            for j in report.judges
        ]
        found.append(Table("How far judges agree", ["judge", "judge", "items", "agree", "kappa"], rows))
    return found


def markdown(report: Report) -> str:
    parts = [f"# {report.title}"]
    for table in tables(report):
        lines = [_line(table.head), _line(["---"] * len(table.head)), *map(_line, table.rows)]
        parts.append("\n".join([f"## {table.title}", "", *lines]))
    return "\n\n".join([*parts, *footnotes(report)]) + "\n"


def footnotes(report: Report) -> list[str]:
    return [
        *report.notes,
        "Intervals are of 95 %: Wilson's for accuracy, Bonett and Price's for differences, p by McNemar's exact test.",
    ]


_HEAD = ["", "accuracy", "95 %", "right", "$ a run", "calls", "tokens", "p50", "p90"]
_MIXED = ["", "the mix", "items", "its accuracy", "difference", "95 %"]
_COMPARED = ["", "items", "difference", "95 %", "p", "cost", "95 %"]


def _row(summary: Summary) -> list[str]:
    accuracy = summary.accuracy
    right = f"{summary.right}/{summary.graded}"
    if summary.runs > summary.graded:
        right += f", {summary.runs - summary.graded} ungraded"
    if summary.failed:
        right += f", {summary.failed} failed"
    latency = ["–", "–"] if summary.latency is None else [f"{summary.latency[at]:.2f} s" for at in (0.5, 0.9)]
    return [
        summary.name,
        _percent(accuracy.value) if summary.graded else "–",
        _between(accuracy) if summary.graded else "–",
        right,
        money(None if summary.cost is None else summary.cost.value),
        f"{summary.calls:.2f}",
        _tokens(summary),
        *latency,
    ]


def _compared(comparison: Comparison) -> list[str]:
    pairs, cost = comparison.pairs, comparison.cost
    difference = pairs.difference
    return [
        comparison.name,
        str(pairs.n),
        f"{difference.value * 100:+.1f} points",
        f"{difference.low * 100:+.1f} to {difference.high * 100:+.1f}",
        f"{pairs.p:.2g}" if pairs.p else "< 1e-12",
        "–" if cost is None else f"×{cost.value:.3g}",
        "–" if cost is None else f"{cost.low:.3g} to {cost.high:.3g}",
    ]


def _mixed(mixed: Mixed) -> list[str]:
    whole = "alone" if mixed.share == 1 else f"{mixed.share * 100:.0f} % of the time, else {mixed.cheaper}"
    low, high = mixed.difference.low * 100, mixed.difference.high * 100
    return [
        mixed.name,
        f"{mixed.dearer} {whole}",
        str(mixed.n),
        _percent(mixed.accuracy),
        f"{mixed.difference.value * 100:+.1f} points",
        f"{low:+.1f} to {high:+.1f}",
    ]


def _tokens(summary: Summary) -> str:
    if summary.prompt_tokens is None or summary.completion_tokens is None:
        return "unknown"
    return f"{summary.prompt_tokens + summary.completion_tokens:,.0f}"


def _percent(value: float) -> str:
    return f"{value * 100:.1f} %"


def _between(interval: Interval) -> str:
    return f"{interval.low * 100:.1f} to {interval.high * 100:.1f}"


def money(cost: float | None) -> str:
    return "unknown" if cost is None else f"{cost:.4g}" if cost >= 1 or not cost else f"{cost:.3g}"


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"
