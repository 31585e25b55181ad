"""How recipes are written: names that nothing else has, texts, lists and declarations; knows no foreign format."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from recipelang.importing.reading import Part
from recipelang.ir.labels import DOMAINS, LANGUAGES
from recipelang.quick import dataclass, field

_KEPT = {
    *("request", "it", "tried", "fail", "true", "false", "none", "not", "and", "or", "in", "if", "else", "for"),
    *LANGUAGES,
    *DOMAINS,
    *("any", "system", "developer", "user", "assistant", "tool", "words", "meaning", "logprob", "margin", "hybrid"),
}
"""Names that mean something where an expression is read."""


_ESCAPED = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}


MOST_OF_A_NAME = 200
MOST_NUMBER = 1e12
MOST_MONEY = 1_000_000.0
MOST_SECONDS = 24 * 3600.0


@dataclass
class Names:
    """The names that are taken."""

    taken: set[str] = field(default_factory=lambda: set(_KEPT))
    exposed: set[str] = field(default_factory=set)  # what clients ask for

    def keep(self, names: Iterable[str]) -> None:
        self.taken.update(names)

    def name(self, wanted: str, within: str = "") -> str:
        """A name of the language that nothing else has; where it is taken, with what it belongs to before it."""
        bare = bare_name(wanted)
        for found in (bare, f"{bare_name(within)}_{bare}" if within else bare):
            if found not in self.taken:
                break
        number, first = 2, found
        while found in self.taken:
            found, number = f"{first}_{number}", number + 1
        self.taken.add(found)
        return found

    def expose(self, part: Part, client: str, call: str) -> Iterator[str]:
        """A name that clients ask for, as the part says it."""
        if client in self.exposed:
            part.lose(f"`{client}` is exposed already")
        elif not client or len(client) > MOST_OF_A_NAME or any(ord(c) < 32 for c in client):
            part.lose("this can't be the name of a model")
        else:
            self.exposed.add(client)
            yield f"expose {text(client)} = {call}\n"


def bare_name(wanted: str) -> str:
    bare = re.sub(r"[^a-z0-9]+", "_", wanted.lower()).strip("_") or "unnamed"
    return f"m_{bare}" if bare[0].isdigit() else bare


def text(value: str) -> str:
    """A text in quotes."""
    return f'"{"".join(_ESCAPED.get(c) or (c if c.isprintable() else _spelled(c)) for c in value)}"'


def _spelled(character: str) -> str:
    code = ord(character)
    return "" if 0xD800 <= code < 0xE000 else f"\\u{{{code:x}}}"


def texts(values: Iterable[str]) -> str:
    return f"[{', '.join(map(text, values))}]"


def pattern(value: str) -> str:
    """A pattern, raw where that can be."""
    return f'r"{value}"' if '"' not in value and "\n" not in value and not value.endswith("\\") else text(value)


def listed(names: Iterable[str]) -> str:
    return f"[{', '.join(names)}]"


def number(value: float) -> str:
    """A number, written out: the language has no powers of ten, and no more than fifteen digits."""
    return f"{min(MOST_NUMBER, max(-MOST_NUMBER, value)):.10f}".rstrip("0").rstrip(".") or "0"


def money(value: float) -> str:
    return f"${number(min(MOST_MONEY, max(0.0, value)))}"


def duration(seconds: float) -> str:
    capped = min(MOST_SECONDS, max(0.001, seconds))
    return f"{capped:.0f}s" if capped == int(capped) else f"{round(1000 * capped)}ms"


def block(value: str, indent: str = "    ") -> str:
    """A text over several lines, as what is between its quotes."""
    plain = value.replace("\r", "").strip("\n")
    if "\n" not in plain and len(plain) <= 80:
        return text(plain)
    raw = "r" if "\\" in plain else ""
    if '"""' in plain:
        return text(value)
    lines = "\n".join(f"{indent}{line}".rstrip() for line in plain.splitlines())
    return f'{raw}"""\n{lines}\n{indent[:-2]}"""'


def doc(value: str) -> Iterator[str]:
    """A description, as a comment that documents the declaration after it."""
    yield from (f"## {line.strip()}".rstrip() for line in value.strip().splitlines())


def remarks_above(part: Part) -> Iterator[str]:
    """The comments that stood above a part."""
    yield from (f"# {line}".rstrip() for line in part.comments())
