"""Sources come from files and memory, or say in one sentence why they don't."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipelang.source import FileLoader, LoadProblem, MemoryLoader
from recipelang.source.loading import MAX_BYTES, decode


def reason(path: Path | str) -> str:
    with pytest.raises(LoadProblem) as problem:
        FileLoader().load(str(path))
    return problem.value.reason


def test_a_file_is_read_as_utf_8(tmp_path: Path) -> None:
    path = tmp_path / "a.recipe"
    path.write_text("# ü ×\n", encoding="utf-8")
    source = FileLoader().load(str(path))
    assert (source.name, source.text) == (str(path), "# ü ×\n")


@pytest.mark.parametrize(
    ("data", "text"),
    [(b"", ""), (b"\xef\xbb\xbfa", "a"), (b"a\r\nb\rc\n", "a\nb\nc\n")],
    ids=["empty", "byte order mark", "line ends of other systems"],
)
def test_what_differs_between_systems_is_no_part_of_a_text(data: bytes, text: str) -> None:
    assert decode("a.recipe", data).text == text


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"one\ntwo \xff", "is not UTF-8: byte 0xff on line 2"),
        (b"\xed\xa0\x80", "is not UTF-8: byte 0xed on line 1"),
        (b"a\0b", "contains a NUL character: this is not a text file"),
        (b"x" * (MAX_BYTES + 1), "is larger than 4 MiB, the most a recipe file may have"),
    ],
    ids=["a stray byte", "half a surrogate pair", "NUL", "too large"],
)
def test_bytes_that_are_no_recipe_are_refused(data: bytes, why: str) -> None:
    with pytest.raises(LoadProblem) as problem:
        decode("a.recipe", data)
    assert problem.value.reason == why


def test_the_largest_file_is_read() -> None:
    assert len(decode("a.recipe", b"#" * MAX_BYTES).text) == MAX_BYTES


def test_a_file_that_is_not_there_and_a_folder_say_so(tmp_path: Path) -> None:
    assert reason(tmp_path / "none.recipe") == "no such file or directory"
    assert reason(tmp_path) == "is a directory, not a file"


@pytest.mark.parametrize("name", ["a\0b", "\udcff\ud800.recipe", "x" * 5_000])
def test_a_name_that_no_file_can_have_is_a_problem_like_any_other(name: str) -> None:
    assert reason(name)


def test_memory_has_what_it_was_given_and_nothing_else() -> None:
    loader = MemoryLoader({"a": "text"})
    assert loader.load("a").text == "text"
    with pytest.raises(LoadProblem, match="no such file"):
        loader.load("b")


def test_the_recipes_right_in_a_folder_are_found_on_disk_as_in_memory(tmp_path: Path) -> None:
    texts = {"b.recipe": "", "a.recipe": "", "notes.md": "", "below/c.recipe": ""}
    for name, text in texts.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    found = FileLoader().recipes_in(str(tmp_path)) or ()
    assert [Path(name).name for name in found] == ["a.recipe", "b.recipe"]
    assert MemoryLoader(texts).recipes_in(".") == ("a.recipe", "b.recipe")
    assert MemoryLoader(texts).recipes_in("below") == ("below/c.recipe",)


@pytest.mark.parametrize("name", ["none", "a.recipe", "x\0y"])
def test_what_is_no_folder_is_no_library(name: str, tmp_path: Path) -> None:
    (tmp_path / "a.recipe").write_text("", encoding="utf-8")
    assert FileLoader().recipes_in(str(tmp_path / name)) is None
    assert MemoryLoader({"a.recipe": ""}).recipes_in(name) is None
