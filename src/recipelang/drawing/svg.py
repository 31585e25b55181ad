"""A recipe's graph as SVG, laid out in layers by the longest path; no external program is needed."""

from __future__ import annotations

from html import escape

from recipelang.drawing.graph import Graph, Node

CHARACTER, LINE, PADDING, GAP_X, GAP_Y, MARGIN = 7.4, 18, 14, 36, 54, 24
_COLORS = {
    "ask": "#3b82f6", "fanout": "#8b5cf6", "cascade": "#f59e0b", "repeat": "#ec4899",
    "choose": "#14b8a6", "run": "#6366f1", "let": "#94a3b8", "return": "#22c55e",
}  # fmt: skip
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
    layers = _layers(graph)
    sizes = {node.name: _size(node) for node in graph.nodes}
    width = max(sum(sizes[n][0] for n in layer) + GAP_X * (len(layer) - 1) for layer in layers) + 2 * MARGIN
    places: dict[str, tuple[float, float]] = {}
    y = float(MARGIN)
    for layer in layers:
        x = (width - sum(sizes[n][0] for n in layer) - GAP_X * (len(layer) - 1)) / 2
        for name in layer:
            places[name] = (x, y)
            x += sizes[name][0] + GAP_X
        y += max(sizes[name][1] for name in layer) + GAP_Y
    height = y - GAP_Y + MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:.0f}" height="{height:.0f}" viewBox="0 0 {width:.0f} {height:.0f}">',
        f"<title>{escape(graph.title)}</title><style>{_STYLE}</style>",
        _ARROW,
    ]
    parts += [_edge(places[a], sizes[a], places[b], sizes[b]) for a, b in graph.edges]
    parts += [_box(node, places[node.name], sizes[node.name]) for node in graph.nodes]
    return "\n".join([*parts, "</svg>"]) + "\n"


def _layers(graph: Graph) -> list[list[str]]:
    """The names by how many steps come before, the longest way round."""
    depth = {node.name: 0 for node in graph.nodes}
    for _ in graph.nodes:
        for before, after in graph.edges:
            depth[after] = max(depth[after], depth[before] + 1)
    layers: list[list[str]] = [[] for _ in range(max(depth.values(), default=0) + 1)]
    for node in graph.nodes:
        layers[depth[node.name]].append(node.name)
    return layers


def _size(node: Node) -> tuple[float, float]:
    longest = max(len(line) for line in node.lines)
    return longest * CHARACTER + 2 * PADDING + 8, len(node.lines) * LINE + 2 * PADDING - 4


def _edge(
    start: tuple[float, float], size: tuple[float, float], end: tuple[float, float], end_size: tuple[float, float]
) -> str:
    x1, y1 = start[0] + size[0] / 2, start[1] + size[1]
    x2, y2 = end[0] + end_size[0] / 2, end[1] - 2
    bend = (y2 - y1) / 2
    return f'<path d="M{x1:.1f},{y1:.1f} C{x1:.1f},{y1 + bend:.1f} {x2:.1f},{y2 - bend:.1f} {x2:.1f},{y2:.1f}" marker-end="url(#a)"/>'


def _box(node: Node, place: tuple[float, float], size: tuple[float, float]) -> str:
    x, y = place
    color = _COLORS[node.kind]
    parts = [
        f'<rect x="{x:.1f}" y="{y:.1f}" width="{size[0]:.1f}" height="{size[1]:.1f}" rx="8" style="stroke:{color}"/>'
    ]
    for number, line in enumerate(node.lines):
        kind = "t" if number == 0 else "d"
        parts.append(
            f'<text class="{kind}" x="{x + PADDING:.1f}" y="{y + PADDING + 10 + number * LINE:.1f}">{escape(line)}</text>'
        )
    return "".join(parts)
