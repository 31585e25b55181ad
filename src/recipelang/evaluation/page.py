"""A report as one page of HTML that needs nothing else: the tables, and two pictures drawn in SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape
from itertools import pairwise

from recipelang.evaluation.mixing import best_mixes
from recipelang.evaluation.reporting import Table, footnotes, tables
from recipelang.evaluation.summing import Report, Summary
from recipelang.statistics import quantile

WIDTH, HEIGHT = 760, 380
LEFT, RIGHT, TOP, BOTTOM = 60, 20, 20, 46
LABEL, LINE = 120, 12
"""What a label takes, in pixels."""
COLOURS = ("#2563a8", "#b4442c", "#2e7d4f", "#8a5aa8", "#a8781e", "#3a8f96", "#9c3d6e", "#5b6770")
_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 980px; margin: 2em auto; padding: 0 1em; color: #1c2126; background: #fff }
table { border-collapse: collapse; width: 100%; font-size: 13px; display: block; overflow-x: auto }
th, td { text-align: left; padding: 4px 10px; border-bottom: 1px solid #dde1e5; white-space: nowrap }
svg { width: 100%; height: auto } svg text { font: 11px system-ui, sans-serif; fill: #444c54 }
.grid { stroke: #e6e9ec } .note { color: #5b6770; font-size: 13px }
"""

_NOTHING = (
    f'<text x="{WIDTH / 2:g}" y="{HEIGHT / 2:g}" text-anchor="middle">no run that was graded cost anything</text>'
)


def page(report: Report) -> str:
    pictures = [_frontier(report), _latency(report)]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">',
            f"<title>{escape(report.title)}</title><style>{_STYLE}</style></head>",
            f"<body><h1>{escape(report.title)}</h1>",
            *(picture for picture in pictures if picture),
            *map(_table, tables(report)),
            *(f'<p class="note">{escape(note)}</p>' for note in footnotes(report)),
            "</body></html>\n",
        ]
    )


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(cell)}</th>" for cell in table.head)
    rows = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in table.rows)
    return f"<h2>{escape(table.title)}</h2><table><tr>{head}</tr>{rows}</table>"


def _frontier(report: Report) -> str:
    """Cost against accuracy; a line joins those that none is both cheaper and better than, another mixes single models."""
    shown = [(s, s.cost.value) for s in report.summaries if s.cost is not None and s.cost.value > 0 and s.graded]
    if not shown:
        return ""
    across = _Logarithmic([cost for _, cost in shown], LEFT, WIDTH - RIGHT)
    lows, highs = [s.accuracy.low for s, _ in shown], [s.accuracy.high for s, _ in shown]
    up = _Linear(max(0.0, min(lows) - 0.02), min(1.0, max(highs) + 0.02), HEIGHT - BOTTOM, TOP)
    parts = [_axes([(at, f"${at:g}") for at in across.ticks], across, up, "dollars a run")]
    line = [(across(s.cost.value), up(s.accuracy.value)) for s in report.frontier if s.cost and s.cost.value > 0]
    parts += [_path(line, "#9aa4ad", "4 3"), *_mixes(shown, across, up)]
    placed: list[tuple[float, float]] = []
    for number, (summary, cost) in enumerate(shown):
        x, y = across(cost), up(summary.accuracy.value)
        colour = "#8b949c" if summary.single else COLOURS[number % len(COLOURS)]
        low, high = up(summary.accuracy.low), up(summary.accuracy.high)
        end = ' text-anchor="end"' if x > WIDTH * 0.75 else ""
        at = _free(placed, x - (LABEL if end else 0), y - 6)
        parts.append(
            f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{low:.1f}" y2="{high:.1f}" stroke="{colour}"/>'
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="4" fill="{colour}"><title>{escape(summary.name)}</title></circle>'
            f'<text x="{x + (-7 if end else 7):.1f}" y="{at:.1f}"{end}>{escape(summary.name[:40])}</text>'
        )
    return _picture("Accuracy and cost", parts)


def _mixes(shown: Sequence[tuple[Summary, float]], across: _Logarithmic, up: _Linear) -> list[str]:
    """What mixes of two single models bring: straight lines over dollars, which are curves where these are shown by powers."""
    points = {summary.name: (cost, summary.accuracy.value) for summary, cost in shown if summary.single}
    hull = [points[name] for name in best_mixes(points)]
    ways = [
        [(a + (b - a) * step / 40, low + (high - low) * step / 40) for step in range(41)]
        for (a, low), (b, high) in pairwise(hull)
    ]
    return [_path([(across(cost), up(share)) for cost, share in way], "#c9b27a", "2 3") for way in ways]


def picture(report: Report) -> str:
    """Accuracy and cost as a picture of its own."""
    inside = _frontier(report) or _picture("Accuracy and cost", [_NOTHING])
    style = "<style>text { font: 11px system-ui, sans-serif; fill: #444c54 } .grid { stroke: #e6e9ec }</style>"
    ground = f'<rect width="{WIDTH}" height="{HEIGHT}" fill="#fff"/>'
    opening, _, rest = inside[inside.index("<svg ") :].partition(">")
    return f'{opening} xmlns="http://www.w3.org/2000/svg">{style}{ground}{rest}\n'


def _free(placed: list[tuple[float, float]], x: float, y: float) -> float:
    """The nearest height below at which a label that begins at `x` covers no other."""
    while any(abs(x - other) < LABEL and abs(y - height) < LINE for other, height in placed):
        y += LINE / 2
    placed.append((x, y))
    return y


def _latency(report: Report) -> str:
    """For each contestant, which share of its runs was done within so many seconds."""
    shown = [summary for summary in report.summaries if summary.latency is not None]
    if not shown:
        return ""
    longest = max(quantile(summary.seconds, 0.99) for summary in shown)
    shortest = max(min(min(summary.seconds) for summary in shown), longest / 1000)
    across = _Logarithmic([shortest, longest], LEFT, WIDTH - RIGHT)
    up = _Linear(0.0, 1.0, HEIGHT - BOTTOM, TOP)
    parts = [_axes([(at, f"{at:g} s") for at in across.ticks], across, up, "seconds until the answer was there")]
    for number, summary in enumerate(shown):
        colour = COLOURS[number % len(COLOURS)]
        shares = [step / 50 for step in range(50)] + [0.99]
        parts.append(_path([(across(max(shortest, quantile(summary.seconds, at))), up(at)) for at in shares], colour))
        parts.append(
            f'<text x="{LEFT + 10}" y="{TOP + 14 + 14 * number}" style="fill:{colour}">{escape(summary.name)}</text>'
        )
    return _picture("Latency: the share of runs that were done", parts)


class _Linear:
    def __init__(self, low: float, high: float, start: float, end: float) -> None:
        self.low, self.high, self._start, self._end = low, high, start, end

    def __call__(self, value: float) -> float:
        return self._start + (value - self.low) / ((self.high - self.low) or 1.0) * (self._end - self._start)


class _Logarithmic:
    def __init__(self, values: Sequence[float], start: float, end: float) -> None:
        self._low, self._high = math.log10(min(values)) - 0.1, math.log10(max(values)) + 0.1
        self._scale = _Linear(self._low, self._high, start, end)

    def __call__(self, value: float) -> float:
        return self._scale(math.log10(value))

    @property
    def ticks(self) -> list[float]:
        powers = range(math.floor(self._low), math.ceil(self._high) + 1)
        steps = (1,) if self._high - self._low > 2 else (1, 2, 5)
        all_ticks = [step * 10.0**power for power in powers for step in steps]
        return [tick for tick in all_ticks if self._low <= math.log10(tick) <= self._high]


def _axes(across: Sequence[tuple[float, str]], x: _Logarithmic, y: _Linear, label: str) -> str:
    steps = [y.low + (y.high - y.low) * part / 5 for part in range(6)]
    lines = [
        f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y(at):.1f}" y2="{y(at):.1f}"/>'
        f'<text x="{LEFT - 8}" y="{y(at) + 4:.1f}" text-anchor="end">{at * 100:.0f} %</text>'
        for at in steps
    ]
    ticks = [
        f'<line class="grid" x1="{x(at):.1f}" x2="{x(at):.1f}" y1="{TOP}" y2="{HEIGHT - BOTTOM}"/>'
        f'<text x="{x(at):.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{text}</text>'
        for at, text in across
    ]
    middle = (LEFT + WIDTH - RIGHT) / 2
    return "".join([*lines, *ticks, f'<text x="{middle}" y="{HEIGHT - 8}" text-anchor="middle">{label}</text>'])


def _path(points: Sequence[tuple[float, float]], colour: str, dashes: str = "") -> str:
    told = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dashed = f' stroke-dasharray="{dashes}"' if dashes else ""
    return f'<polyline points="{told}" fill="none" stroke="{colour}" stroke-width="1.5"{dashed}/>'


def _picture(title: str, parts: Sequence[str]) -> str:
    inside = "".join(parts)
    return f'<h2>{escape(title)}</h2><svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)}">{inside}</svg>'
