"""Pictures of figures, as SVG: one small chart under the other, each with its intervals; knows nothing of runs."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from recipelang.quick import dataclass
from recipelang.statistics import Interval

WIDTH, HEIGHT, LEFT, TOP, GAP = 560, 130, 80, 34, 52
INK, FAINT, LINE = "#1f2933", "#9aa5b1", "#2563eb"


@dataclass(frozen=True, slots=True)
class Chart:
    """One quantity over the settings of a sweep, or over the shares of all runs."""

    title: str
    figures: Sequence[Interval]


def plotted(name: str, settings: Sequence[str], charts: Sequence[Chart]) -> str:
    """Charts over one axis, whose places are the settings in their order."""
    height = TOP + len(charts) * (HEIGHT + GAP)
    drawn = [line for row, chart in enumerate(charts) for line in _chart(chart, settings, TOP + row * (HEIGHT + GAP))]
    drawn.append(_text(LEFT + WIDTH / 2, height - 8, name, "middle"))
    style = 'font-family="system-ui, sans-serif" font-size="12"'
    whole = LEFT + WIDTH + 30
    head = f'<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="{height}" viewBox="0 0 {whole} {height}" {style}>'
    return "\n".join([head, f'<rect width="{whole}" height="{height}" fill="white"/>', *drawn, "</svg>"]) + "\n"


def _chart(chart: Chart, settings: Sequence[str], top: float) -> Iterator[str]:
    low, high, step = _scale(chart.figures)

    def across(place: int) -> float:
        return LEFT + WIDTH * (place + 0.5) / len(settings)

    def up(value: float) -> float:
        return top + HEIGHT * (1 - (value - low) / (high - low))

    yield _text(LEFT, top - 12, chart.title, "start", weight="600")
    for number in range(round((high - low) / step) + 1):
        value = low + number * step
        yield f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{up(value):.1f}" y2="{up(value):.1f}" stroke="{FAINT}" stroke-width="0.5"/>'
        yield _text(LEFT - 8, up(value) + 4, f"{value:.6g}", "end")
    points = " ".join(f"{across(place):.1f},{up(one.value):.1f}" for place, one in enumerate(chart.figures))
    yield f'<polyline points="{points}" fill="none" stroke="{LINE}" stroke-width="1.5"/>'
    every = math.ceil(len(settings) / 12)
    for place, one in enumerate(chart.figures):
        x = across(place)
        yield f'<line x1="{x:.1f}" x2="{x:.1f}" y1="{up(one.low):.1f}" y2="{up(one.high):.1f}" stroke="{LINE}" stroke-width="1"/>'
        yield f'<circle cx="{x:.1f}" cy="{up(one.value):.1f}" r="2.5" fill="{LINE}"/>'
        if place % every == 0:
            yield _text(x, top + HEIGHT + 16, settings[place], "middle")


def _scale(figures: Sequence[Interval]) -> tuple[float, float, float]:
    """From, to, and the step between round numbers."""
    low, high = min(one.low for one in figures), max(one.high for one in figures)
    if low >= 0 and low < high / 2:
        low = 0.0
    span = (high - low) or abs(high) or 1.0
    rough = span / 4
    magnitude = 10.0 ** math.floor(math.log10(rough))
    step = next(magnitude * factor for factor in (1, 2, 5, 10) if magnitude * factor >= rough)
    return math.floor(low / step) * step, (math.floor(high / step) + 1) * step, step


def _text(x: float, y: float, text: str, anchor: str, weight: str = "400") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" font-weight="{weight}" fill="{INK}">{escape(text)}</text>'
