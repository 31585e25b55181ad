"""A recipe's graph as SVG, readable on a light and on a dark page; no external program is needed."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

from recipelang.drawing.graph import COLORS, Graph, Node
from recipelang.drawing.layout import laid_out

CHARACTER, LINE, PADDING, MARGIN = 7.9, 18, 14, 24
"""Pixels: a character of a monospaced face of 13, a line of text, the space around text and around all."""
_ARROW = (
    '<defs><marker id="a" viewBox="0 0 8 8" refX="7" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
    '<path d="M0,0 L8,4 L0,8" style="fill:#9ca3af;stroke:none"/></marker></defs>'
)
_STYLE = (
    "text{font:13px ui-monospace,Menlo,Consolas,monospace;fill:#1f2937}.t{font-weight:bold}.d{fill:#6b7280}"
    "rect{fill:#ffffff;stroke-width:2}path{fill:none;stroke:#9ca3af;stroke-width:1.6}"
    "@media(prefers-color-scheme:dark){text{fill:#e5e7eb}.d{fill:#9ca3af}rect{fill:#111827}}"
)


def svg(graph: Graph) -> str:
    sizes = {node.name: _size(node) for node in graph.nodes}
    layout = laid_out(sizes, graph.edges)
    width, height = layout.width + 2 * MARGIN, layout.height + 2 * MARGIN
    size = f'width="{width:.0f}" height="{height:.0f}" viewBox="{-MARGIN} {-MARGIN} {width:.0f} {height:.0f}"'
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">',
        f"<title>{_escaped(graph.title)}</title><style>{_STYLE}</style>",
        _ARROW,
    ]
    parts += [_line(layout.lines[edge]) for edge in graph.edges]
    parts += [_box(node, layout.corners[node.name], sizes[node.name]) for node in graph.nodes]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _size(node: Node) -> tuple[float, float]:
    longest = max(len(line) for line in node.lines)
    return longest * CHARACTER + 2 * PADDING, len(node.lines) * LINE + 2 * PADDING - 4


def _line(points: Sequence[tuple[float, float]]) -> str:
    """Straight past the boxes of a layer, curved from layer to layer; a little short of the box, for the arrow's head."""
    (x, y), *rest = [*points[:-1], (points[-1][0], points[-1][1] - 2)]
    drawn = [f"M{x:.1f},{y:.1f}"]
    for at, (to_x, to_y) in enumerate(rest):
        bend = (to_y - y) / 2
        curve = f"C{x:.1f},{y + bend:.1f} {to_x:.1f},{to_y - bend:.1f} {to_x:.1f},{to_y:.1f}"
        drawn.append(curve if at % 2 else f"L{to_x:.1f},{to_y:.1f}")
        x, y = to_x, to_y
    return f'<path d="{" ".join(drawn)}" marker-end="url(#a)"/>'


def _box(node: Node, place: tuple[float, float], size: tuple[float, float]) -> str:
    x, y = place
    color = COLORS[node.kind]
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" rx="8" style="stroke:{color}"/>'
    ]
    for number, line in enumerate(node.lines):
        kind = "t" if number == 0 else "d"
        parts.append(
            f'<text class="{kind}" x="{x + PADDING:.1f}" y="{y + PADDING + 10 + number * LINE:.1f}">{_escaped(line)}</text>'
        )
    return "".join(parts)


def _escaped(text: str) -> str:
    """Text that XML can hold: without the controls that it can't."""
    return escape("".join(character if character.isprintable() else "\ufffd" for character in text))
