"""A recipe's graph as Mermaid text."""

from __future__ import annotations

from recipelang.drawing.graph import Graph

_SHAPES = {
    "fanout": ("[[", "]]"),
    "cascade": ("[/", "/]"),
    "repeat": ("([", "])"),
    "choose": ("{", "}"),
    "return": ("((", "))"),
}


def mermaid(graph: Graph) -> str:
    lines = ["flowchart TD"]
    for node in graph.nodes:
        left, right = _SHAPES.get(node.kind, ("[", "]"))
        label = "<br/>".join(_escaped(line) for line in node.lines)
        lines.append(f'  {_id(node.name)}{left}"{label}"{right}')
    lines += [f"  {_id(before)} --> {_id(after)}" for before, after in graph.edges]
    return "\n".join(lines) + "\n"


def _id(name: str) -> str:
    return f"s_{name}"


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
