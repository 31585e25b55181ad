"""`recipelang check` and `recipelang explain`: what they print where, and how they end."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest

from recipelang.cli.exits import Exit
from recipelang.cli.main import main
from recipelang.diagnostics import Code
from recipelang.diagnostics.catalogue import all_codes

RIGHT = "role solver() { max_tokens = 100 }\n"
WRONG = "role solver() { temprature = 0 }\n"
DOUBTFUL = 'role grader(unread: text) { prompt = "Grade it." }\n'


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a recipe that is right, one that is wrong, one that is doubtful."""
    for name, text in (("right", RIGHT), ("wrong", WRONG), ("doubtful", DOUBTFUL)):
        (tmp_path / f"{name}.recipe").write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def stdin(monkeypatch: pytest.MonkeyPatch, data: bytes) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(data), encoding="utf-8"))


def test_a_recipe_that_is_right_ends_well(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "right.recipe"]) == Exit.FINE
    assert capsys.readouterr() == ("", "right.recipe: no problems\n")


def test_a_mistake_is_shown_and_ends_with_one(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "wrong.recipe"]) == Exit.PROBLEMS
    out, err = capsys.readouterr()
    assert out == ""
    assert "error[E0207]: a role has no `temprature`" in err
    assert err.endswith("wrong.recipe: 1 error\n")


def test_a_warning_is_no_problem(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "doubtful.recipe"]) == Exit.FINE
    assert "warning[W0702]" in capsys.readouterr().err


def test_several_files_are_checked_and_any_mistake_counts(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "right.recipe", "wrong.recipe", "doubtful.recipe", "std.fusion"]) == Exit.PROBLEMS
    assert capsys.readouterr().err.endswith("1 error, 1 warning\n")


def test_json_is_on_stdout_for_a_program_to_read(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--format", "json", "wrong.recipe", "doubtful.recipe"]) == Exit.PROBLEMS
    out, err = capsys.readouterr()
    found = json.loads(out)["diagnostics"]
    assert [(each["code"], each["place"]["file"]) for each in found] == [
        ("E0207", "wrong.recipe"),
        ("W0702", "doubtful.recipe"),
    ]
    assert err == ""


def test_a_fix_is_written_to_the_file(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "--fix", "wrong.recipe"]) == Exit.FINE
    assert (written / "wrong.recipe").read_text(encoding="utf-8") == WRONG.replace("temprature", "temperature")
    assert "no problems" in capsys.readouterr().err


def test_what_is_right_is_not_written_again(written: Path) -> None:
    file = written / "right.recipe"
    file.chmod(0o444)
    before = file.stat().st_mtime_ns
    assert main(["check", "--fix", "right.recipe"]) == Exit.FINE
    assert file.stat().st_mtime_ns == before


def test_a_fix_keeps_the_line_ends_and_the_mark_of_a_file(written: Path) -> None:
    file = written / "wrong.recipe"
    file.write_bytes(b"\xef\xbb\xbf# first\r\n" + WRONG.replace("\n", "\r\n").encode())
    assert main(["check", "--fix", "wrong.recipe"]) == Exit.FINE
    fixed = WRONG.replace("temprature", "temperature").replace("\n", "\r\n")
    assert file.read_bytes() == b"\xef\xbb\xbf# first\r\n" + fixed.encode()


def test_a_fix_that_can_not_be_written_ends_with_one_message(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(*_: object) -> Path:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "replace", refuse)
    assert main(["check", "--fix", "wrong.recipe"]) == Exit.INPUT_OUTPUT
    assert capsys.readouterr().err == "recipelang: wrong.recipe: permission denied\n"


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    stdin(monkeypatch, WRONG.encode())
    assert main(["check", "-", "--fix"]) == Exit.PROBLEMS
    assert "--> <stdin>:1:17" in capsys.readouterr().err


def test_what_comes_on_standard_input_may_use_the_files_of_the_folder_at_hand(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "roles.recipe").write_text("role solver() { max_tokens = 100 }\n", encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    recipe = "recipe main(m: model) -> answer {\n  ask reply = solver(model = m)\n  return reply\n}\n"
    stdin(monkeypatch, f'use "./roles.recipe"\n{recipe}'.encode())
    assert main(["check", "-"]) == Exit.FINE


def test_a_standard_recipe_goes_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["check", "std.confidence", "--fix"]) == Exit.FINE
    assert main(["check", "std.confidense"]) == Exit.INPUT_OUTPUT
    assert "std.confidense: there is no such standard recipe" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"role \xff", "is not UTF-8: byte 0xff on line 1"),
        (b"role\0", "contains a NUL character"),
        (b"#" * (4 * 1024 * 1024 + 1), "is larger than 4 MiB"),
    ],
)
def test_what_is_no_text_ends_with_one_message(
    written: Path, capsys: pytest.CaptureFixture[str], data: bytes, said: str
) -> None:
    (written / "odd.recipe").write_bytes(data)
    assert main(["check", "odd.recipe"]) == Exit.INPUT_OUTPUT
    assert said in capsys.readouterr().err


@pytest.mark.parametrize("name", ["missing.recipe", "no/such/folder.recipe"])
def test_a_file_that_can_not_be_read_ends_with_one_message(
    written: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    assert main(["check", name]) == Exit.INPUT_OUTPUT
    assert capsys.readouterr().err.startswith(f"recipelang: {name}: ")


def test_a_folder_stands_for_all_recipes_in_it(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (written / "deeper").mkdir()
    (written / "deeper" / "odd.recipe").write_text(WRONG, encoding="utf-8")
    assert main(["check", "."]) == Exit.PROBLEMS
    err = capsys.readouterr().err
    assert "deeper/odd.recipe:1:17" in err
    assert err.endswith(".: 2 errors, 1 warning\n")


def test_a_folder_without_recipes_is_nothing_to_check(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (written / "empty").mkdir()
    assert main(["check", "empty"]) == Exit.USAGE
    assert capsys.readouterr().err == "recipelang: there are no recipes in empty\n"


def test_an_empty_file_is_a_recipe_of_nothing(written: Path) -> None:
    (written / "empty.recipe").write_bytes(b"")
    assert main(["check", "empty.recipe"]) == Exit.FINE


def test_a_file_is_used_from_the_folder_of_the_one_that_uses_it(
    written: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (written / "deep").mkdir()
    (written / "deep" / "one.recipe").write_text('use "../right.recipe"\nuse "./two.recipe"\n', encoding="utf-8")
    (written / "deep" / "two.recipe").write_text("role other() { max_tokens = 100 }\n", encoding="utf-8")
    assert main(["check", "deep/one.recipe"]) == Exit.FINE
    monkeypatch.chdir(written / "deep")
    assert main(["check", "one.recipe"]) == Exit.FINE
    capsys.readouterr()


def test_no_colour_is_in_what_is_no_terminal(written: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["check", "wrong.recipe"])
    assert "\x1b" not in capsys.readouterr().err


# ------------------------------------------------------------------ explain


@pytest.mark.parametrize("code", all_codes().values(), ids=lambda code: code.id)
def test_every_code_is_explained(code: Code, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", code.id.lower()]) == Exit.FINE
    out, err = capsys.readouterr()
    assert out.startswith(f"{code.id}: {code.title}")
    assert "Wrong:" in out
    assert "Right:" in out
    assert err == ""


def test_the_files_beside_a_sample_are_shown_with_it(capsys: pytest.CaptureFixture[str]) -> None:
    main(["explain", "E0203"])
    assert "Beside it, one.recipe:\n\n    role shared()" in capsys.readouterr().out


def test_explain_alone_lists_all_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain"]) == Exit.FINE
    listed = [line.split()[0] for line in capsys.readouterr().out.splitlines()]
    assert listed == list(all_codes())


def test_explain_in_json_is_read_by_a_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "E0501", "--format", "json"]) == Exit.FINE
    read = json.loads(capsys.readouterr().out)
    code = all_codes()["E0501"]
    assert read == {
        "code": code.id,
        "title": code.title,
        "severity": "error",
        "why": code.why,
        "wrong": code.wrong,
        "right": code.right,
        "files": {},
    }


@pytest.mark.parametrize(("asked", "said"), [("E9999", "there is no code E9999"), ("nonsense", "lists them all")])
def test_a_code_that_is_none_is_bad_usage(asked: str, said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", asked]) == Exit.USAGE
    assert said in capsys.readouterr().err


def test_explain_alone_in_json_lists_all_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["explain", "--format", "json"]) == Exit.FINE
    assert [each["code"] for each in json.loads(capsys.readouterr().out)["codes"]] == list(all_codes())
