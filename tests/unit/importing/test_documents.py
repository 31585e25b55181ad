"""Settings are read from YAML with care: a file that can't be settings, or could hurt, is refused with its place."""

from __future__ import annotations

from collections.abc import Iterator
from time import process_time

import pytest

from recipelang.importing.documents import MOST_BYTES, MOST_DEPTH, BadDocument, document

BOMB = "\n".join(
    [
        "a: &a [x, x, x, x, x, x, x, x, x]",
        *(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]" for a, b in zip("abcdefgh", "bcdefghi", strict=True)),
    ]
)


def refusals() -> Iterator[tuple[str, bytes, str]]:
    yield "nothing", b"", "the file is empty"
    yield "blanks", b" \n\t\n", "the file is empty"
    yield "comments", b"# nothing\n", "the file is empty"
    yield "a binary", b"GIF89a\x00\x01", "it is no text: byte 7 is a zero"
    yield "another encoding", "a: b\nc: sch\xf6n".encode("latin-1"), "line 2: it is not in UTF-8"
    yield "no YAML", b"a: [1,\nb: {", "line 2, column 5: it is no YAML"
    yield "a tab", b"a:\n\tb: 1", "line 2, column 1: it is no YAML"
    yield "too large", b"a: " + b"x" * MOST_BYTES, "bytes, and 4,194,304 are the most that is read"
    yield (
        "too deep",
        b"[" * (MOST_DEPTH + 1) + b"]" * (MOST_DEPTH + 1),
        f"line 1: it is nested deeper than {MOST_DEPTH} levels",
    )
    yield "far too deep", b"[" * 100_000, f"line 1: it is nested deeper than {MOST_DEPTH} levels"
    yield "a bomb", BOMB.encode(), "parts, by its aliases"
    yield "itself", b"a: &a\n  b: *a\n", "line 1: it refers to itself"
    yield "twice", b"a: 1\nb: 2\na: 3\n", "line 3: `a` is there twice"
    yield (
        "a tag",
        b"a: !!python/object/apply:os.system [ls]",
        "line 1: the tag `tag:yaml.org,2002:python/object/apply:os.system` is not known",
    )
    yield "its own tag", b"a: !secret x", "line 1: the tag `!secret` is not known"
    yield "two documents", b"a: 1\n---\nb: 2\n", "line 2: a second document begins here"
    yield "a key that is none", b"? [1, 2]\n: 3\n", "line 1: a key is a text"


@pytest.mark.parametrize(("raw", "says"), [pytest.param(raw, says, id=name) for name, raw, says in refusals()])
def test_what_is_no_settings_file_is_refused_with_its_place(raw: bytes, says: str) -> None:
    began = process_time()
    with pytest.raises(BadDocument) as refused:
        document(raw)
    assert says in str(refused.value)
    assert process_time() - began < 5


def test_values_are_read_as_their_authors_meant_them() -> None:
    read = document(b"name: no\non: yes\nday: 2026-01-01\nfine: true\ncount: 0x10\nempty:\n").data
    assert read == {"name": "no", "on": "yes", "day": "2026-01-01", "fine": True, "count": 16, "empty": None}


def test_anchors_and_merges_are_understood_and_own_keys_go_before() -> None:
    read = document(b"base: &base {a: 1, b: 2}\none: {<<: *base, b: 3}\ntwo: {<<: *base}\n").data
    assert (read["one"], read["two"]) == ({"a": 1, "b": 3}, {"a": 1, "b": 2})


def test_each_place_has_its_line_and_the_comments_above_it() -> None:
    read = document(b"list:\n  # the first\n  # of all\n  - name: one\n    deep:\n      x: 1\n  - name: two\n")
    assert (read.lines["list[one]"], read.lines["list[one].deep.x"], read.lines["list[two].name"]) == (4, 6, 7)
    assert read.comments == {"list[one]": ("the first", "of all"), "list[one].name": ("the first", "of all")}
