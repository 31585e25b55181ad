"""A recipe's graph as Mermaid text."""

from __future__ import annotations

import re

from recipelang.drawing.graph import COLORS, Graph

_SHAPES = {"fanout": ("[[", "]]"), "cascade": ("[/", "/]"), "return": ("([", "])")}
_CODES = {"#": "#35;", "&": "#amp;", '"': "#quot;", "<": "#lt;", ">": "#gt;", "\\": "#92;", "`": "#96;"}


def mermaid(graph: Graph) -> str:
    lines = ["flowchart TD"]
    for node in graph.nodes:
        left, right = _SHAPES.get(node.kind, ("[", "]"))
        label = "<br/>".join(_escaped(line) for line in node.lines)
        lines.append(f'  {_id(node.name)}{left}"{label}"{right}:::{_class(node.kind)}')
    lines += [f"  {_id(before)} --> {_id(after)}" for before, after in graph.edges]
    kinds = dict.fromkeys(node.kind for node in graph.nodes)
    lines += [f"  classDef {_class(kind)} stroke:{COLORS[kind]},stroke-width:2px" for kind in kinds]
    return "\n".join(lines) + "\n"


def _id(name: str) -> str:
    """A name that Mermaid takes: `end` and the like are words of its own, and odd characters are told as hex."""
    return f"s_{name}" if re.fullmatch(r"[A-Za-z0-9_]+", name) else f"x_{name.encode().hex()}"


def _class(kind: str) -> str:
    return f"{kind}_step"


def _escaped(text: str) -> str:
    """Mermaid's own codes for what would end a label or be read as a code, and a mark for controls."""
    return "".join(_CODES.get(character, character if character.isprintable() else "�") for character in text)
