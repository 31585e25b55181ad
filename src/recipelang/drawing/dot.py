"""A recipe's graph in Graphviz's language."""

from __future__ import annotations

from recipelang.drawing.graph import Graph


def dot(graph: Graph) -> str:
    lines = [f"digraph {_quoted(graph.title)} {{", '  node [shape=box, style=rounded, fontname="sans-serif"];']
    lines += [f"  {_quoted(node.name)} [label={_quoted(chr(10).join(node.lines))}];" for node in graph.nodes]
    lines += [f"  {_quoted(before)} -> {_quoted(after)};" for before, after in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
