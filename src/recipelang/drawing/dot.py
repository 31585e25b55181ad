"""A recipe's graph in Graphviz's language."""

from __future__ import annotations

from recipelang.drawing.graph import COLORS, Graph


def dot(graph: Graph) -> str:
    lines = [
        f"digraph {_quoted(graph.title)} {{",
        '  node [shape=box, style=rounded, fontname="monospace"];',
        '  edge [color="#9ca3af"];',
    ]
    for node in graph.nodes:
        label = '"' + "".join(f"{_escaped(line)}\\l" for line in node.lines) + '"'
        lines.append(f'  {_quoted(node.name)} [label={label}, color="{COLORS[node.kind]}"];')
    lines += [f"  {_quoted(before)} -> {_quoted(after)};" for before, after in graph.edges]
    return "\n".join([*lines, "}"]) + "\n"


def _quoted(text: str) -> str:
    return f'"{_escaped(text)}"'


def _escaped(text: str) -> str:
    printable = "".join(character if character.isprintable() else "�" for character in text)
    return printable.replace("\\", "\\\\").replace('"', '\\"')
