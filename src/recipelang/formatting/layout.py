"""The one layout of a recipe: which words share a line, where lines may break, what is aligned.

A block that its author opened over several lines stays so, one on a single line stays there while it fits, and one
blank line is kept where there were some. All else follows from the words: names and operators of neighbouring lines
are aligned, and what is too long is broken at its brackets or before its operators. Commas are ours to set.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate
from typing import cast

from recipelang.formatting.documents import (
    BLANK,
    EDGE,
    END,
    LINE,
    SPACE,
    WIDTH,
    Break,
    Document,
    Group,
    Indented,
    Lines,
    Remark,
    Text,
    join,
    render,
    separated,
)
from recipelang.quick import dataclass, replace
from recipelang.syntax.building import dedented
from recipelang.syntax.written import Branch, Part, Word, Written

COMMA = Text(",", glued=True)
COMMA_EDGE = Break("", ending=",")
DECLARATION_INDENT, STEP_INDENT = 0, 2
DECLARATIONS = (
    "language", "use", "private", "backend", "model", "record", "contract", "role", "extern", "signal", "band",
    "boundary", "recipe", "expose", "test",
)  # fmt: skip
STEPS = ("budget", "ask", "fanout", "cascade", "repeat", "perform", "choose", "host_call", "run", "let", "return")
RECORDS = ("attribute", "field", "arm", "model", "reply", "expect")
ROWS = frozenset((*DECLARATIONS, *STEPS, *RECORDS))
SIGNS = ("EQUAL", "FATARROW")
CLOSING = ("RBRACE", "RPAR", "RSQUARE")


def laid_out(written: Written) -> str:
    """The text in its one layout."""
    return render(_Layout(written).file())


@dataclass(frozen=True, slots=True)
class _Row:
    """What has lines of its own among others: heads, aligned with those of its neighbours, and the rest."""

    kind: str
    first: Word
    heads: tuple[Document, ...]
    rest: Document
    remarked: bool  # whether there is a comment within it
    remarked_heads: bool

    def document(self, widths: Sequence[int] | None = None) -> Document:
        """The row with its heads as wide as is said, or as they are."""
        pads = [0] * len(self.heads)
        if widths is not None:
            pads = [width - (head.width or 0) for width, head in zip(widths, self.heads, strict=True)]
        heads = [join(head, Text(" " * pad)) for head, pad in zip(self.heads, pads, strict=True)]
        return separated([*heads, self.rest], SPACE)

    def fits(self, indent: int, widths: Sequence[int] | None = None) -> bool:
        """Whether it stands on one line."""
        width = self.document(widths).width
        return not self.remarked and width is not None and indent + width <= WIDTH

    @property
    def can_be_aligned(self) -> bool:
        return bool(self.heads) and not self.remarked_heads and all(head.width is not None for head in self.heads)

    @property
    def blanks(self) -> list[bool]:
        """Whether the author left a blank line above each of its comments, and above the row itself."""
        return [*(comment.after_blank for comment in self.first.before), self.first.after_blank]


class _Layout:
    """Documents for the parts of one text."""

    def __init__(self, written: Written) -> None:
        self.written = written
        own = [len(word.before) for word in (*written.words, written.end)]
        trailing = [0, *(int(word.trailing is not None) for word in written.words)]
        self.comments = list(accumulate(map(sum, zip(own, trailing, strict=True))))  # up to the start of each word
        self.row_starts = set(_row_starts(written.root))

    # ----------------------------------------------------------------- rows

    def file(self) -> Document:
        rows = [self.declaration(branch) for branch in self.written.root.branches]
        lines = self.rows(rows, _between_declarations(rows), DECLARATION_INDENT)
        return join(lines, self.last_comments(self.written.end, after_rows=bool(rows)))

    def declaration(self, branch: Branch) -> _Row:
        match branch.rule:
            case "private":
                return self.private(branch)
            case "recipe":
                steps = [self.step(part) for part in branch.branches if part.rule in STEPS]
                body = self.braces(branch, steps, open_always=True, indent=STEP_INDENT)
                return self.row(branch, 0, [], [*self.header(branch), body])
            case "test":
                body = self.braces(branch, self.records(branch), open_always=True)
                return self.row(branch, 0, [], [*self.header(branch), body])
            case "extern":
                return self.row(branch, 0, [], self.header(branch))
            case "signal":
                keyword, name, colon, type, *rest = self.parts(branch)
                return self.row(branch, 4, [separated([keyword, join(name, colon), type], SPACE)], rest)
            case "band":
                return self.band(branch)
            case "use" | "language":
                return self.row(branch, 0, [], self.parts(branch))
            case "expose":
                keyword, name, *rest = self.parts(branch)
                return self.row(branch, 2, [separated([keyword, name], SPACE)], rest)
            case _:
                header, block = separated(self.header(branch), SPACE), self.braces(branch, self.records(branch))
                return self.row(branch, _block_at(branch), [header], [block])

    def private(self, branch: Branch) -> _Row:
        row, keyword = self.declaration(branch.branches[0]), self.word(branch.first)
        first, *others = (join(keyword, SPACE, (*row.heads, row.rest)[0]), *row.heads[1:])
        remarked = self.remarked(branch.first, row.first)
        return replace(
            row,
            first=branch.first,
            heads=(first, *others) if row.heads else (),
            rest=row.rest if row.heads else first,
            remarked=row.remarked or remarked,
            remarked_heads=row.remarked_heads or remarked,
        )

    def band(self, branch: Branch) -> _Row:
        """`band name = value { low < 0.3 <= high }`, its cuts on lines of their own where one line is not enough."""
        keyword, name, equal, value, opening, lowest, *cuts, closing = branch.parts
        inside = separated(
            [self.part(lowest), *(separated(self.parts(cast(Branch, cut)), SPACE) for cut in cuts)], LINE
        )
        body = Group(
            join(self.part(opening), Indented(join(LINE, inside)), LINE, self.part(closing)),
            broken=self.remarked(cast(Word, opening), cast(Word, closing)),
        )
        return self.row(
            branch, 2, [separated(map(self.part, (keyword, name)), SPACE)], [*map(self.part, (equal, value)), body]
        )

    def header(self, branch: Branch) -> list[Document]:
        """What stands before a declaration's block: `role judge(answers: answer[]) -> analysis`."""
        keyword, name, *signature = map(self.part, branch.parts[: _block_at(branch)])
        if _has_parameters(branch):
            parameters, *signature = signature
            name = join(name, parameters)
        return [keyword, name, *signature]

    def step(self, branch: Branch) -> _Row:
        match branch.rule:
            case "return" | "budget":
                return self.row(branch, 0, [], self.parts(branch))
            case "choose":
                keyword, name = map(self.part, branch.parts[:2])
                block = self.braces(branch, self.records(branch), open_always=True, indent=2 * STEP_INDENT)
                return self.row(branch, 0, [], [keyword, name, block])
            case _:
                keyword, name, *rest = self.parts(branch)
                return self.row(branch, 2, [keyword, name], rest, kind="step")

    def records(self, branch: Branch) -> list[_Row]:
        """The attributes, fields and arms in a block."""
        return [self.record(part) for part in branch.branches if part.rule in RECORDS]

    def record(self, branch: Branch) -> _Row:
        if branch.rule == "field":
            name, colon, type = self.parts(branch)
            return self.row(branch, 0, [], [join(name, colon), type])
        if branch.rule == "model":
            return self.declaration(branch)
        if branch.rule == "expect":
            return self.row(branch, 0, [], self.parts(branch))
        sign = next(at for at, part in enumerate(branch.parts) if isinstance(part, Word) and part.kind in SIGNS)
        parts = self.parts(branch)
        return self.row(branch, sign, [separated(parts[:sign], SPACE)], parts[sign:])

    def row(self, branch: Branch, at: int, heads: Sequence[Document], rest: Sequence[Document], kind: str = "") -> _Row:
        """A row of these heads and this rest, which begins with part `at` of the branch."""
        part = branch.parts[at]
        rest_begins = part if isinstance(part, Word) else part.first
        return _Row(
            kind or branch.rule,
            branch.first,
            tuple(heads),
            separated(rest, SPACE),
            self.remarked(branch.first, branch.last),
            self.remarked(branch.first, rest_begins),
        )

    def rows(self, rows: Sequence[_Row], blanks: Sequence[Sequence[bool]], indent: int | None = None) -> Document:
        """Rows on lines of their own, with their comments above them; `blanks` says above which of these is a blank line."""
        parts: list[Document] = []
        for row, widths, above in zip(rows, _widths(rows, blanks, indent), blanks, strict=True):
            comments = [Remark(comment.text, trailing=False) for comment in row.first.before]
            for blank, document in zip(above, [*comments, row.document(widths)], strict=True):
                parts += [BLANK if blank else END, document]
        return join(*parts)

    def last_comments(self, closing: Word, *, after_rows: bool) -> Document:
        """The comments after the last row of a block or the file."""
        parts: list[Document] = []
        for comment in closing.before:
            blank = comment.after_blank and (after_rows or bool(parts))
            parts += [BLANK if blank else END, Remark(comment.text, trailing=False)]
        return join(*parts)

    # --------------------------------------------------------------- blocks

    def braces(
        self, branch: Branch, rows: Sequence[_Row], *, open_always: bool = False, indent: int | None = None
    ) -> Document:
        """Rows between braces: on one line with commas, or each on its own."""
        opening, closing = branch.word("LBRACE"), branch.last
        if not rows and not closing.before:
            return join(self.word(opening), self.word(closing))
        blanks = [row.blanks for row in rows]
        if rows:
            blanks[0][0] = False
        lines = join(self.rows(rows, blanks, indent), self.last_comments(closing, after_rows=bool(rows)))
        opened = join(self.word(opening, glued=opening.trailing is None), Indented(lines), END, self.word(closing))
        if open_always or opening.ends_line or self.remarked(opening, closing):
            return Group(opened, broken=True)
        inside = separated([row.document() for row in rows], join(COMMA, SPACE))
        return Group(separated([self.word(opening), inside, self.word(closing)], SPACE), otherwise=opened)

    def brackets(self, branch: Branch, kind: str, items: Sequence[Document], *, comma: bool = False) -> Document:
        """Items between brackets: on one line, or each on its own, then with a comma after the last one if it may be."""
        opening, closing = branch.word(kind), branch.last
        inside = join(EDGE, separated(items, join(COMMA, LINE)))
        edge = COMMA_EDGE if comma and items else EDGE
        if closing.before:
            own = [join(END, Remark(comment.text, trailing=False)) for comment in closing.before]
            inside, edge = join(inside, COMMA if comma and items else join(), *own), EDGE
        content = join(self.word(opening), Indented(inside), edge, self.word(closing))
        return Group(content, broken=self.remarked(opening, closing))

    # ---------------------------------------------------------------- parts

    def parts(self, branch: Branch) -> list[Document]:
        return [self.part(part) for part in branch.parts]

    def part(self, part: Part) -> Document:
        if isinstance(part, Word):
            return self.word(part)
        match part.rule:
            case "or" | "and" | "comparison" | "sum" | "product":
                return self.chain(part)
            case "conditional":
                return self.conditional(part)
            case "not" | "argument" | "returns":
                return separated(self.parts(part), SPACE)
            case "parameter":
                name, colon, *rest = self.parts(part)
                return separated([join(name, colon), *rest], SPACE)
            case "parameters":
                return self.brackets(part, "LPAR", [self.part(each) for each in part.branches], comma=True)
            case "call":
                callee, *arguments = (self.part(each) for each in part.branches)
                return join(callee, self.brackets(part, "LPAR", arguments, comma=True))
            case "named_type" if part.branches:
                return self.named_type(part)
            case "fields":
                return separated([self.part(part.first), self.braces(part, self.records(part))], SPACE)
            case "list":
                return self.brackets(part, "LSQUARE", [self.part(item) for item in part.branches], comma=True)
            case "index" | "list_type":
                item, *index = part.branches
                return join(self.part(item), self.brackets(part, "LSQUARE", [self.part(each) for each in index]))
            case "group":
                return self.brackets(part, "LPAR", [self.part(part.branches[0])])
            case "comprehension":
                return self.comprehension(part)
            case "literal" | "block":
                return self.braces(part, self.records(part))
            case _:
                return join(*self.parts(part))

    def named_type(self, branch: Branch) -> Document:
        """A type with its bounds or its cases."""
        [inside] = branch.branches
        name = map(self.part, branch.parts[: branch.parts.index(branch.word("LPAR"))])
        if inside.rule == "cases":
            return join(*name, self.brackets(branch, "LPAR", self.parts(inside), comma=True))
        return join(*name, self.brackets(branch, "LPAR", [self.part(inside)]))

    def chain(self, branch: Branch) -> Document:
        """Operands of one operator's kind, each after its operator."""
        links: list[Document] = []
        at: Part = branch
        while isinstance(at, Branch) and at.rule == branch.rule:
            at, *link = at.parts
            links.append(join(LINE, separated(map(self.part, link), SPACE)))
        content = join(self.part(at), Indented(join(*reversed(links))))
        return Group(content, broken=self.remarked(branch.first, branch.last))

    def conditional(self, branch: Branch) -> Document:
        """A value and, each with a line of its own where one line is not enough, the conditions with what else it is."""
        values: list[Document] = []
        clauses: list[Document] = []
        at: Part = branch
        while isinstance(at, Branch) and at.rule == "conditional":
            then, *clause, at = at.parts
            values.append(self.part(then))
            clauses.append(separated(map(self.part, clause), SPACE))
        values.append(self.part(at))
        links = [join(LINE, clause, SPACE, value) for clause, value in zip(clauses, values[1:], strict=True)]
        return Group(join(values[0], Indented(join(*links))), broken=self.remarked(branch.first, branch.last))

    def comprehension(self, branch: Branch) -> Document:
        _, element, *rest, _ = branch.parts
        clauses = [list(rest[:4]), list(rest[4:])]
        content = [self.part(element), *(separated(map(self.part, clause), SPACE) for clause in clauses if clause)]
        return self.brackets(branch, "LSQUARE", [separated(content, LINE)])

    def word(self, word: Word, *, glued: bool = False) -> Document:
        """A word with its comments, but for those that stand above a row or before a closing bracket."""
        above = () if word.number in self.row_starts or word.kind in CLOSING else word.before
        comments = [Remark(comment.text, trailing=False) for comment in above]
        trailing = [Remark(word.trailing, trailing=True)] if word.trailing is not None else []
        return join(*comments, _text(word.text, glued), *trailing)

    def remarked(self, first: Word, last: Word) -> bool:
        """Whether there are comments between two words."""
        return self.comments[first.number] != self.comments[last.number]


def _text(text: str, glued: bool) -> Document:
    if "\n" not in text:
        return Text(text, glued)
    quotes = 'r"""' if text.startswith("r") else '"""'
    return Lines((quotes, *dedented(text[len(quotes) : -3]).split("\n"), '"""'))


def _row_starts(branch: Branch) -> Iterator[int]:
    """The words with which rows begin."""
    if branch.rule in ROWS:
        yield branch.first.number
    inside = branch.branches[0] if branch.rule == "private" else branch
    for part in inside.branches:
        yield from _row_starts(part)


def _block_at(branch: Branch) -> int:
    """Which part opens the braces that are right below the branch; the number of parts where there are none."""
    return next(
        (at for at, part in enumerate(branch.parts) if isinstance(part, Word) and part.kind == "LBRACE"),
        len(branch.parts),
    )


def _has_parameters(branch: Branch) -> bool:
    return any(part.rule == "parameters" for part in branch.branches)


def _between_declarations(rows: Sequence[_Row]) -> list[list[bool]]:
    """Blank lines: those of the author, and one around what takes several lines."""
    blanks = [row.blanks for row in rows]
    short = [row.fits(DECLARATION_INDENT) and row.kind != "language" for row in rows]
    for at in range(1, len(rows)):
        if not short[at - 1] or not (short[at] or any(blanks[at])):
            blanks[at][0] = True
    return blanks


def _widths(rows: Sequence[_Row], blanks: Sequence[Sequence[bool]], indent: int | None) -> list[list[int] | None]:
    """How wide the heads of each row are: neighbours of a kind share it, where each of them (given `indent`) then fits."""
    widths: list[list[int] | None] = []
    for run in _runs(rows, blanks, indent):
        common = [max(head.width or 0 for head in heads) for heads in zip(*(row.heads for row in run), strict=True)]
        aligned = len(run) > 1 and (indent is None or all(row.fits(indent, common) for row in run if row.fits(indent)))
        widths += [common if aligned else None] * len(run)
    return widths


def _runs(rows: Sequence[_Row], blanks: Sequence[Sequence[bool]], indent: int | None) -> list[list[_Row]]:
    """The rows in runs of neighbours that may be aligned; given `indent`, one over several lines ends its run."""
    runs: list[list[_Row]] = []
    before: _Row | None = None
    for row, above in zip(rows, blanks, strict=True):
        if row.can_be_aligned and before is not None and before.kind == row.kind and not any(above):
            runs[-1].append(row)
        else:
            runs.append([row])
        before = row if row.can_be_aligned and (indent is None or row.fits(indent)) else None
    return runs
