"""The parser's door: docs, pieces, the tables in the cache folder."""

from __future__ import annotations

import os
import pickle
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import recipelang
from recipelang.diagnostics import Diagnostic
from recipelang.source import Source
from recipelang.syntax import nodes
from recipelang.syntax.parser import parse


class Harm:
    """What is run where it is unpickled."""

    def __reduce__(self) -> tuple[Callable[[str], None], tuple[str]]:
        return os.mkdir, ("harm",)


SPOIL: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda tables: b"",
    "cut off": lambda tables: tables[: len(tables) // 2],
    "noise": lambda tables: b"\x80\x05noise" * 100,
    "no tables": lambda tables: b'{"data": {}, "memo": {}}',
    "a pickle": lambda tables: pickle.dumps(Harm(), protocol=0),
}


def parsed(text: str) -> tuple[nodes.File, list[str]]:
    found: list[Diagnostic] = []
    file = parse(Source("test.recipe", text), found.append)
    return file, [diagnostic.message for diagnostic in found]


def docs(text: str) -> list[str]:
    file, messages = parsed(text)
    assert messages == []
    return [declaration.doc for declaration in file.declarations if isinstance(declaration, nodes.Declaration)]


def check_in_a_process(cache: Path, text: str = "role a() { max_tokens = 1k }\n") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "recipelang.cli.main", "check", "-"],
        input=text,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("text", "doc"),
    [
        ("## One line.\nrole a() {}", "One line."),
        ("  ##   Two,\n##lines.  \nrole a() {}", "  Two,\nlines."),
        ("## Not this.\n\n## But this.\nrole a() {}", "But this."),
        ("## Not above a blank line.\n\nrole a() {}", ""),
        ("## Not above a comment.\n# comment\nrole a() {}", ""),
        ("# No doc.\nrole a() {}", ""),
        ("language 1 ## Not after other words.\nrole a() {}", ""),
        ("language 1\n## A doc.\r\nrole a() {}", "A doc."),
    ],
)
def test_the_doc_of_a_declaration_is_the_double_comments_right_above_it(text: str, doc: str) -> None:
    assert docs(text) == [doc]


def test_what_stands_in_a_block_text_is_nobodys_doc() -> None:
    assert docs('role a() { prompt = """\n## no doc\n""" } role b() {}') == ["", ""]


def test_of_two_declarations_on_a_line_the_first_has_the_doc() -> None:
    assert docs("## of a\nrole a() {} role b() {}") == ["of a", ""]


def test_a_mistake_leaves_the_other_declarations_readable_and_names_the_broken_one() -> None:
    file, messages = parsed("role a() { x = 1 }\nrole b() { x : 1 }\nrole c() { x = 1 }\n")
    assert len(messages) == 1
    assert [d.name.text for d in file.declarations if isinstance(d, nodes.Role)] == ["a", "c"]
    assert file.broken == {"b"}


@pytest.mark.parametrize("word", ["model", "budget", "times", "when", "for", "role", "run", "expect", "call"])
def test_a_word_that_begins_something_else_is_an_attribute_after_any_value(word: str) -> None:
    for value in ("1", "b", "f(1)", "[1]", "x.y", "none"):
        assert parsed(f"role a() {{\n  x = {value}\n  {word} = 2\n}}")[1] == []
        assert parsed(f"record a {{\n  x: text[]\n  {word}: int\n}}")[1] == []


@pytest.mark.parametrize("word", ["if", "else", "or", "and", "not", "in", "true", "false", "none"])
def test_a_word_of_expressions_is_no_name_anywhere(word: str) -> None:
    for text in (f"role {word}() {{}}", f"record a {{ {word}: int }}", f"role a() {{ x = 1, {word} = 2 }}"):
        assert len(parsed(text)[1]) == 1


def test_after_many_mistakes_the_rest_is_not_read() -> None:
    _, messages = parsed("role a() { x : 1 }\n" * 200)
    assert len(messages) == 51
    assert messages[-1] == "after 50 mistakes of form the rest of the file is not read"


@pytest.fixture(scope="module")
def tables(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tables as a first process leaves them."""
    cache = tmp_path_factory.mktemp("cache")
    assert check_in_a_process(cache).returncode == 0
    [file] = (cache / "recipelang").iterdir()
    return file


@pytest.mark.parametrize("how", SPOIL)
def test_spoilt_tables_in_the_cache_are_made_again(how: str, tables: Path) -> None:
    spoilt = SPOIL[how](tables.read_bytes())
    tables.write_bytes(spoilt)
    done = check_in_a_process(tables.parents[1])
    assert (done.returncode, done.stderr.strip()) == (0, "-: no problems")
    assert tables.read_bytes() != spoilt
    assert list(tables.parent.iterdir()) == [tables]
    assert not Path("harm").exists()


def test_nothing_in_the_package_is_unpickled() -> None:
    package = Path(recipelang.__file__).parent
    texts = [path.read_text(encoding="utf-8") for path in package.rglob("*.py")]
    assert not [
        text
        for text in texts
        if re.search(r"\b(pickle|marshal|shelve|dill|cloudpickle)\b\.|import (pickle|marshal|shelve)", text)
    ]


def test_processes_that_start_at_once_share_the_cache(tmp_path: Path) -> None:
    work = "from recipelang.source import Source; from recipelang.syntax.parser import parse; parse(Source('a', 'role a() {}'), print)"
    command = [sys.executable, "-c", work]
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    running = [subprocess.Popen(command, env=environment, stderr=subprocess.PIPE) for _ in range(2)]
    assert [process.communicate()[1] for process in running] == [b""] * 2
    assert check_in_a_process(tmp_path).returncode == 0


def test_without_a_folder_to_write_to_there_is_no_cache_and_no_complaint(tmp_path: Path) -> None:
    (tmp_path / "recipelang").write_text("a file where the folder should be")
    done = check_in_a_process(tmp_path)
    assert (done.returncode, done.stderr.strip()) == (0, "-: no problems")


def test_tables_that_others_could_have_written_are_not_read(tmp_path: Path) -> None:
    folder = tmp_path / "recipelang"
    folder.mkdir()
    folder.chmod(0o777)
    assert check_in_a_process(tmp_path).returncode == 0
    assert list(folder.iterdir()) == []
