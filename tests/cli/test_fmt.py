"""`recipelang fmt`: files rewritten in place, or what would change; never half a file."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from recipelang.cli import fmt
from recipelang.cli.main import main
from recipelang.formatting.proving import FormattingMistake

LOOSE = "role a(){max_tokens=1k}   # why\n"
NEAT = "role a() { max_tokens = 1k }  # why\n"
BROKEN = "role a() { max_tokens : 1k }\n"


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "loose.recipe"
    path.write_text(LOOSE, encoding="utf-8")
    return path


def standard_input(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def test_a_file_is_rewritten_in_place(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", str(recipe)]) == 0
    assert recipe.read_text(encoding="utf-8") == NEAT
    assert capsys.readouterr() == ("", "")


def test_a_file_that_is_in_the_layout_is_not_written(recipe: Path) -> None:
    recipe.write_text(NEAT, encoding="utf-8")
    before = recipe.stat()
    assert main(["fmt", str(recipe)]) == 0
    after = recipe.stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)


def test_the_file_keeps_its_permissions_and_nothing_is_left_beside_it(recipe: Path) -> None:
    recipe.chmod(0o640)
    assert main(["fmt", str(recipe)]) == 0
    assert recipe.stat().st_mode & 0o777 == 0o640
    assert list(recipe.parent.iterdir()) == [recipe]


def test_a_link_stays_a_link_to_the_rewritten_file(recipe: Path) -> None:
    link = recipe.with_name("link.recipe")
    link.symlink_to(recipe)
    assert main(["fmt", str(link)]) == 0
    assert link.is_symlink()
    assert recipe.read_text(encoding="utf-8") == NEAT


def test_a_folder_stands_for_the_recipes_below_it(recipe: Path) -> None:
    below = recipe.parent / "more" / "b.recipe"
    below.parent.mkdir()
    below.write_text(LOOSE, encoding="utf-8")
    other = recipe.parent / "notes.md"
    other.write_text(LOOSE, encoding="utf-8")
    assert main(["fmt", str(recipe.parent)]) == 0
    assert [path.read_text(encoding="utf-8") for path in (recipe, below, other)] == [NEAT, NEAT, LOOSE]


def test_check_lists_what_would_change_and_writes_nothing(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    neat = recipe.with_name("neat.recipe")
    neat.write_text(NEAT, encoding="utf-8")
    assert main(["fmt", "--check", str(recipe), str(neat)]) == 1
    assert capsys.readouterr().out == f"{recipe}\n"
    assert recipe.read_text(encoding="utf-8") == LOOSE
    assert main(["fmt", "--check", str(neat)]) == 0


def test_diff_shows_what_would_change_and_writes_nothing(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", "--diff", str(recipe)]) == 1
    assert capsys.readouterr().out.splitlines()[3:] == [f"-{LOOSE.rstrip()}", f"+{NEAT.rstrip()}"]
    assert recipe.read_text(encoding="utf-8") == LOOSE


def test_diff_says_where_the_last_line_is_not_ended(recipe: Path, capsys: pytest.CaptureFixture[str]) -> None:
    recipe.write_text(NEAT.rstrip(), encoding="utf-8")
    assert main(["fmt", "--diff", str(recipe)]) == 1
    assert "\\ No newline at end of file\n+role" in capsys.readouterr().out


def test_a_dash_formats_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    standard_input(monkeypatch, LOOSE.encode())
    assert main(["fmt", "-"]) == 0
    assert capsys.readouterr() == (NEAT, "")


@pytest.mark.parametrize(
    "data", [b"\xef\xbb\xbf" + NEAT.encode(), NEAT.replace("\n", "\r\n").encode()], ids=["BOM", "CRLF"]
)
def test_a_mark_at_the_start_and_line_ends_are_no_reason_to_write(data: bytes, recipe: Path) -> None:
    recipe.write_bytes(data)
    assert main(["fmt", "--check", str(recipe)]) == 0


def test_a_file_with_mistakes_of_form_is_shown_them_and_stays_as_it_is(
    recipe: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    recipe.write_text(BROKEN, encoding="utf-8")
    assert main(["fmt", str(recipe)]) == 1
    assert "expected `=`" in capsys.readouterr().err
    assert recipe.read_text(encoding="utf-8") == BROKEN


def test_the_other_files_are_formatted_though_one_has_mistakes(recipe: Path) -> None:
    broken = recipe.with_name("a_broken.recipe")
    broken.write_text(BROKEN, encoding="utf-8")
    assert main(["fmt", str(broken), str(recipe)]) == 1
    assert recipe.read_text(encoding="utf-8") == NEAT


def test_a_file_that_is_not_there_is_said_to_be(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["fmt", str(tmp_path / "none.recipe")]) == 4
    assert "no such file" in capsys.readouterr().err


def test_a_file_that_cant_be_written_is_said_to_be(recipe: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("tempfile.mkstemp", full)
    assert main(["fmt", str(recipe)]) == 4
    assert recipe.read_text(encoding="utf-8") == LOOSE


def test_a_mistake_of_ours_is_said_to_be_one_and_the_file_stays_as_it_is(
    recipe: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def wrong(*_: object) -> str:
        raise FormattingMistake("formatting would change what it means")

    monkeypatch.setattr(fmt, "formatted", wrong)
    assert main(["fmt", str(recipe)]) == 70
    assert "our mistake" in capsys.readouterr().err
    assert recipe.read_text(encoding="utf-8") == LOOSE
