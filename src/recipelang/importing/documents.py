"""The settings of another program, read from YAML with care: where each part stands, and nothing that could hurt the reader."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterator, Mapping
from typing import Any

from recipelang.quick import dataclass, field

Data = Any  # Any: whatever a YAML document holds

_TAGS = tuple(f"tag:yaml.org,2002:{kind}" for kind in ("str", "int", "float", "bool", "null", "map", "seq", "merge"))
MOST_BYTES = 4 * 1024 * 1024
MOST_DEPTH = 60
MOST_PARTS = 200_000
"""Parts of a document, each counted as often as it is referred to: what its author's few lines may grow to."""


class BadDocument(ValueError):
    """What can't be read as settings; the message says why, and where."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file holds, the line on which each part begins, and the comments that stand right above parts."""

    data: Data
    lines: Mapping[str, int] = field(default_factory=dict)  # by place, from 1
    comments: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


def place_of(parent: str, key: object) -> str:
    """The place of what stands under a key."""
    return f"{parent}.{key}" if parent else str(key)


def places_of(parent: str, items: list[Data]) -> list[str]:
    """The places of the items of a list: by their names, where each has one of its own."""
    names = [item.get("name", item.get("model_name")) if isinstance(item, dict) else None for item in items]
    own = [isinstance(name, str) and names.count(name) == 1 for name in names]
    return [f"{parent}[{names[at] if own[at] else at}]" for at in range(len(items))]


def document(raw: bytes) -> Document:
    """Reads a file; raises `BadDocument`, and `ImportError` where no YAML reader is installed."""
    text = _text(raw)
    import yaml  # deferred: an extra

    try:
        _measured(yaml, text)
        node = yaml.compose(text, Loader=_loader(yaml))
        data = _Reader(yaml).data(node)
    except yaml.YAMLError as problem:
        raise BadDocument(_said(problem)) from problem
    except RecursionError as problem:
        raise BadDocument(f"it is nested deeper than {MOST_DEPTH} levels") from problem
    except BadDocument:
        raise
    except (ValueError, OverflowError) as problem:  # a number of a million digits
        raise BadDocument(f"a value can't be read: {problem}"[:300]) from problem
    places = dict(_places("", node, data))
    above = _comments(text)
    comments = {place: above[line] for place, line in places.items() if line in above}
    return Document(data, places, comments)


def _text(raw: bytes) -> str:
    if len(raw) > MOST_BYTES:
        raise BadDocument(f"it has {len(raw):,} bytes, and {MOST_BYTES:,} are the most that is read")
    if not raw.strip():
        raise BadDocument("the file is empty")
    if b"\0" in raw:
        raise BadDocument(f"it is no text: byte {raw.index(0) + 1} is a zero")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        line = raw.count(b"\n", 0, problem.start) + 1
        raise BadDocument(f"line {line}: it is not in UTF-8") from problem


def _loader(yaml: Any) -> Any:  # Any: the YAML reader has no types
    """YAML 1.2's idea of plain values, as those have it who write such files: `no`, `on` and `2026-01-01` are texts."""

    class Loader(yaml.SafeLoader):  # type: ignore[misc]  # it has no types
        pass

    Loader.yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if tag.rpartition(":")[2] not in ("bool", "timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver("tag:yaml.org,2002:bool", re.compile("^(?:true|True|TRUE|false|False|FALSE)$"), "tTfF")
    return Loader


def _measured(yaml: Any, text: str) -> None:  # Any: the YAML reader, which has no types
    """Holds the document to its greatest depth and number before anything is built of it."""
    depth = documents = 0
    for count, event in enumerate(yaml.parse(text, Loader=yaml.SafeLoader)):
        if isinstance(event, (yaml.MappingStartEvent, yaml.SequenceStartEvent)):
            depth += 1
        elif isinstance(event, (yaml.MappingEndEvent, yaml.SequenceEndEvent)):
            depth -= 1
        elif isinstance(event, yaml.DocumentStartEvent):
            documents += 1
        line = event.start_mark.line + 1
        if depth > MOST_DEPTH:
            raise BadDocument(f"line {line}: it is nested deeper than {MOST_DEPTH} levels")
        if count > 2 * MOST_PARTS:
            raise BadDocument(f"line {line}: it has more than {MOST_PARTS:,} parts")
        if documents > 1:
            raise BadDocument(f"line {line}: a second document begins here, and settings are one")
    if documents == 0:
        raise BadDocument("the file is empty")


def _said(problem: Any) -> str:  # Any: the YAML reader has no types
    mark = getattr(problem, "problem_mark", None) or getattr(problem, "context_mark", None)
    what = getattr(problem, "problem", None) or getattr(problem, "reason", None) or "it can't be read"
    return (
        f"line {mark.line + 1}, column {mark.column + 1}: it is no YAML: {what}" if mark else f"it is no YAML: {what}"
    )


class _Reader:
    """Builds what nodes say; an alias is built once and counted each time."""

    def __init__(self, yaml: Any) -> None:  # Any: the YAML reader has no types
        self._yaml = yaml
        self._constructor = yaml.SafeLoader("")
        self._open: set[int] = set()
        self._seen: set[int] = set()
        self._parts = 0

    def data(self, node: Any) -> Data:
        self._parts += 1
        line = node.start_mark.line + 1
        if self._parts > MOST_PARTS:
            raise BadDocument(f"line {line}: it grows to more than {MOST_PARTS:,} parts, by its aliases")
        if id(node) in self._open:
            raise BadDocument(f"line {line}: it refers to itself")
        if not node.tag.startswith(_TAGS):
            raise BadDocument(f"line {line}: the tag `{node.tag}` is not known")
        if isinstance(node, self._yaml.ScalarNode):
            return self._constructor.construct_object(node)
        self._open.add(id(node))
        try:
            if isinstance(node, self._yaml.SequenceNode):
                return [self.data(item) for item in node.value]
            return self._mapping(node)
        finally:
            self._open.discard(id(node))

    def _mapping(self, node: Any) -> dict[Hashable, Data]:
        own = set() if id(node) in self._seen else {id(key_node) for key_node, _ in node.value}
        self._seen.add(id(node))
        self._constructor.flatten_mapping(node)  # what `<<` brings comes first, and its own keys go before
        read: dict[Hashable, Data] = {}
        written: set[Hashable] = set()
        for key_node, value_node in node.value:
            key = self.data(key_node)
            line = key_node.start_mark.line + 1
            if isinstance(key, (list, dict)):
                raise BadDocument(f"line {line}: a key is a text")
            if key in written:
                raise BadDocument(f"line {line}: `{key}` is there twice")
            written |= {key} if id(key_node) in own else set()
            read[key] = self.data(value_node)
        return read


def _places(place: str, node: Any, data: Data) -> Iterator[tuple[str, int]]:
    yield place, node.start_mark.line + 1
    if isinstance(data, dict):
        for key_node, value_node in node.value:
            key = key_node.value
            inner = next((each for each in data if str(each) == key), key)
            yield place_of(place, inner), key_node.start_mark.line + 1
            for found, line in _places(place_of(place, inner), value_node, data.get(inner)):
                if found != place_of(place, inner):
                    yield found, line
    elif isinstance(data, list):
        for where, item_node, item in zip(places_of(place, data), node.value, data, strict=False):
            yield from _places(where, item_node, item)


def _comments(text: str) -> dict[int, tuple[str, ...]]:
    """The comments right above each line."""
    found: dict[int, tuple[str, ...]] = {}
    block: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        bare = line.strip()
        if bare.startswith("#"):
            block.append(bare.lstrip("#").strip())
            continue
        if bare and block:
            found[number] = tuple(block)
        block = []
    return found
