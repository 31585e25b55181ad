"""The one layout, seen on files: what goes in is in `tests/corpus/format/`, what comes out in the snapshot."""

from __future__ import annotations

from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from recipelang.formatting.proving import formatted
from recipelang.source import Source

ROOT = Path(__file__).parents[3]
CORPUS = sorted((ROOT / "tests" / "corpus" / "format").glob("*.recipe"))
STANDARD = sorted((ROOT / "stdlib_recipes").rglob("*.recipe"))


def format_text(text: str) -> str:
    result = formatted(Source("test.recipe", text), lambda diagnostic: pytest.fail(diagnostic.message))
    assert result is not None
    return result


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_a_file_is_laid_out_as_its_snapshot_shows(path: Path, snapshot: SnapshotAssertion) -> None:
    assert format_text(path.read_text(encoding="utf-8")) == snapshot


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_what_was_laid_out_stays_as_it_is(path: Path) -> None:
    once = format_text(path.read_text(encoding="utf-8"))
    assert format_text(once) == once


@pytest.mark.parametrize("path", STANDARD, ids=lambda path: str(path.relative_to(ROOT)))
def test_the_standard_recipes_are_in_the_layout(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert format_text(text) == text


@pytest.mark.parametrize("text", ["", "\n\n", "  \t\n"])
def test_a_text_with_nothing_in_it_becomes_empty(text: str) -> None:
    assert format_text(text) == ""


def test_a_block_on_one_line_stays_there_and_an_opened_one_stays_open() -> None:
    text = "role a() { max_tokens = 1k }\n\nrole b() {\n  max_tokens = 1k\n}\n"
    assert format_text(text) == text


def test_comments_alone_keep_their_order_and_one_blank_line_between_them() -> None:
    assert format_text("\n# a  \n## b\n\n\n\n# c") == "# a\n## b\n\n# c\n"


def test_a_doc_stays_a_doc_and_a_comment_after_a_blank_line_becomes_none() -> None:
    text = "## of a\nrole a() {}\n\n## of nothing\n\nrole b() {}\n"
    assert format_text(text) == text


def test_lines_are_ended_by_a_line_feed_alone() -> None:
    assert format_text("# a\r\nrole a() {\r\n  max_tokens = 1k\r\n}\r\n") == "# a\nrole a() {\n  max_tokens = 1k\n}\n"
