"""Numbers that were calibrated: what is written above them, and whether that still holds. Knows nothing of how numbers are fitted."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from recipelang.diagnostics import Diagnostic
from recipelang.diagnostics.catalogue import warnings
from recipelang.quick import dataclass
from recipelang.semantics.fittable import Slot, Unit, units
from recipelang.semantics.modules import Program
from recipelang.source import Source, Span
from recipelang.syntax import nodes

if TYPE_CHECKING:
    from datetime import date

MARK = "# calibrated: "
MORE = "#   "
WIDTH = 112
"""Characters of a line of a comment, at most."""
DIGITS = 10
"""Hexadecimal digits of a digest that are written down."""


@dataclass(frozen=True, slots=True)
class Fitted:
    """A fitted number as it is written, and between what it lies with 95 % confidence."""

    label: str
    number: str
    low: str
    high: str


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where fitted numbers come from. `rest` is the digest of what they hang on; `data` the name of what they were fitted to."""

    numbers: tuple[Fitted, ...]
    data: str
    digest: str
    n: int
    on: date
    days: int  # for which they are good
    models: tuple[str, ...]  # by their ids
    rest: str

    def lines(self) -> list[str]:
        """The comment that is written above the numbers."""
        told = ", ".join(f"{each.label} {each.number} ({each.low} to {each.high})" for each in self.numbers)
        source = f"{self.data}@{self.digest}, n = {self.n}, on {self.on.isoformat()} for {self.days} days"
        ends = f"# from {source}; models {', '.join(self.models) or 'none'}; rest {self.rest}"
        return [line for part in (f"{MARK}{told}", ends) for line in _wrapped(part)]


def _wrapped(line: str) -> list[str]:
    return wrap(line, WIDTH, subsequent_indent=MORE, break_long_words=False, break_on_hyphens=False)


COMMENT = re.compile(
    r"^[ \t]*# calibrated: [^\n]*\n(?:[ \t]*#   [^\n]*\n)*[ \t]*# from [^\n]*(?:\n[ \t]*#   [^\n]*)*(?:\n|$)",
    re.MULTILINE,
)
"""The comment above fitted numbers: two sentences, each with further lines that are set in."""
_SAID = re.compile(
    r"# calibrated: (?P<numbers>.*) # from (?P<data>[^@]+)@(?P<digest>[0-9a-f]+), n = (?P<n>[0-9]+),"
    r" on (?P<on>[0-9]{4}-[0-9]{2}-[0-9]{2}) for (?P<days>[0-9]+) days; models (?P<models>[^;]*); rest (?P<rest>[0-9a-f]+)"
)
_FITTED = re.compile(r"(?:^|, )([^,()]+) (\S+) \((\S+) to (\S+)\)")
_TOKEN = re.compile(
    r'(?P<text>r?"""[\s\S]*?"""|r"[^"\n]*"|"(?!"")(?:\\.|[^"\\\n])*")|(?P<comment>#[^\n]*)|(?P<name>[A-Za-z_]\w*)'
    r"|(?P<number>\$?[0-9][0-9.]*[A-Za-z%]*)|\S"
)


# ------------------------------------------------------ what is written down


@dataclass(frozen=True, slots=True)
class Written:
    """A provenance that stands in a file: the comment, and the numbers that it is about."""

    provenance: Provenance
    span: Span
    slots: tuple[Slot, ...]
    recipe: str  # the declaration that they stand in


def written(source: Source, file: nodes.File) -> list[Written]:
    """All that is written down in a file; a comment above nothing that it could be about is a comment."""
    starting: dict[int, list[Unit]] = {}
    for unit in units(file):
        starting.setdefault(unit.start, []).append(unit)
    found = []
    for match in COMMENT.finditer(source.text):
        provenance = _read(match[0])
        labels = [] if provenance is None else [each.label for each in provenance.numbers]
        slots = tuple(slot for unit in starting.get(match.end(), ()) for slot in unit.slots if slot.label in labels)
        if slots and provenance is not None:
            span = source.span(match.start() + len(match[0]) - len(match[0].lstrip()), match.end() - 1)
            found.append(Written(provenance, span, slots, _declaration(file, slots[0])))
    return found


def _read(comment: str) -> Provenance | None:
    """What a comment says; none for one that was written otherwise."""
    match = _SAID.fullmatch(" ".join(re.sub(r"\n[ \t]*#   ", " ", comment).split()))
    if match is None:
        return None
    from datetime import date  # deferred: start-up cost

    models = () if match["models"] == "none" else tuple(match["models"].split(", "))
    fitted = tuple(Fitted(*each) for each in _FITTED.findall(match["numbers"]))
    return Provenance(
        fitted,
        match["data"],
        match["digest"],
        int(match["n"]),
        date.fromisoformat(match["on"]),
        int(match["days"]),
        models,
        match["rest"],
    )


def _declaration(file: nodes.File, slot: Slot) -> str:
    at = slot.node.span.start
    return next(
        str(node.name.text)
        for node in file.declarations
        if isinstance(node, nodes.Band | nodes.Signal | nodes.Recipe) and node.span.start <= at < node.span.end
    )


def rest_of(program: Program, declaration: str, noted: Iterable[Written]) -> str:
    """The digest of what a declaration says and hangs on, but for numbers that were calibrated, models, and comments."""
    from hashlib import sha256  # deferred: start-up cost

    masked = {(slot.node.span.source.name, slot.node.span.start) for each in noted for slot in each.slots}
    declared: dict[str, Any] = {}  # Any: a node with a name
    for module in program.modules:  # the root comes last
        declared |= module.declared
    hashed = sha256()
    seen, waiting = {declaration}, [declaration]
    while waiting:
        node = declared.get(waiting.pop())
        if node is None or isinstance(node, nodes.Model | nodes.Backend):
            continue
        for token, start in _tokens(node.span):
            named = token in declared and token not in seen
            hashed.update(b"#\0" if (node.span.source.name, start) in masked else token.encode() + b"\0")
            if named:
                seen.add(token)
                waiting.append(token)
    return hashed.hexdigest()[:DIGITS]


def _tokens(span: Span) -> Iterator[tuple[str, int]]:
    """What has a meaning: no comments, and no commas, which come and go with the layout."""
    for match in _TOKEN.finditer(span.source.text, span.start, span.end):
        if match.lastgroup != "comment" and match[0] != ",":
            yield match[0], match.start()


# ---------------------------------------------------------- whether it holds


@dataclass(frozen=True, slots=True)
class Present:
    """What is known besides the recipes: the day, and the digest of data by its name, as far as it is at hand."""

    today: date
    digest: Callable[[str], str | None]


def outdated(program: Program, present: Present | None = None) -> Iterator[Diagnostic]:
    """Where numbers were calibrated for something else than what is there now, or too long ago."""
    source = program.root.source
    noted = written(source, program.root.file)
    models = {model for module in program.modules for model in _ids(module.file)}
    for each in noted:
        why = list(_changes(program, each, noted, models))
        why += [] if present is None else _since(each.provenance, present)
        if why:
            yield warnings.STALE.at(
                each.span,
                "these numbers were calibrated for something else than this",
                label=why[0],
                notes=tuple(why[1:]),
                help="calibrate them again (`recipelang calibrate`), or remove the comment to keep them as your own",
            )


def _changes(program: Program, each: Written, noted: Iterable[Written], models: set[str]) -> Iterator[str]:
    told = each.provenance
    fitted = {one.label: one.number for one in told.numbers}
    moved = [slot for slot in each.slots if slot.node.span.text != fitted[slot.label]]
    if moved:
        yield f"`{moved[0].label}` is {moved[0].node.span.text} now, and was fitted as {fitted[moved[0].label]}"
    if told.rest != rest_of(program, each.recipe, noted):
        yield f"`{each.recipe}`, or something that it hangs on, has changed since"
    gone = [model for model in told.models if model not in models]
    if models and gone:
        yield f"the model `{gone[0]}` that they were fitted with is not here any more"


def _since(told: Provenance, present: Present) -> Iterator[str]:
    digest = present.digest(told.data)
    if digest is not None and not digest.startswith(told.digest):
        yield f"`{told.data}` has changed since"
    age = (present.today - told.on).days
    if age > told.days:
        yield f"they are {age} days old, and were to be good for {told.days}"


def _ids(file: nodes.File) -> Iterator[str]:
    for node in file.declarations:
        if isinstance(node, nodes.Model):
            yield from (
                attribute.value.value
                for attribute in node.attributes
                if attribute.name.text == "id" and isinstance(attribute.value, nodes.Text)
            )
