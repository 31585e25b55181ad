"""Whatever a file holds ends in one clear message and the exit code that says so; never in a traceback."""

from __future__ import annotations

import random
import subprocess
import sys
from pathlib import Path

import pytest

from recipelang.cli.main import main
from recipelang.source.loading import MAX_BYTES

DEEP = 5_000


def recipe(expression: str) -> bytes:
    return f"recipe r(m: model) -> answer {{\n  let x = {expression}\n  return x\n}}\n".encode()


FINE = {
    "nothing": b"",
    "blanks": b" \n\t" * 10_000,
    "comments": b"# a\n## b\n\n# c\n",
    "a byte order mark": b"\xef\xbb\xbflanguage 1\n\nrole a() { max_tokens = 100 }\n",
    "line ends of another system": b"language 1\r\n\r\nrole a() {\r\n  max_tokens = 100\r\n}\r\n",
}
PROBLEMS = {
    "brackets": b"[" * MAX_BYTES,
    "closing brackets": b")" * 100_000,
    "noise": "".join(random.Random(0).choices("ab1 \n{}()[]=,.\"#$%+-*/<>!?:;@'é\x1f\xa0", k=100_000)).encode(),
    "lines of one word": b"recipe\n" * 20_000,
    "nested lists": recipe("[" * DEEP + "]" * DEEP),
    "nested calls": recipe("f(" * DEEP + ")" * DEEP),
    "not not not": recipe("not " * DEEP + "a"),
    "minus minus minus": recipe("-" * DEEP + "1"),
    "members of members": recipe("a" + ".b" * DEEP),
    "conditions": recipe("x if y else " * DEEP + "x"),
    "sums": recipe("1" + " + 1" * DEEP),
    "optional of optional": b"record r { a: text" + b"?" * DEEP + b" }\n",
    "a long number": recipe("9" * 5_000),
    "a long bound": b"record r { a: int(1.." + b"9" * 5_000 + b") }\n",
    "a text that is never closed": b'role a() { prompt = "abc\n max_tokens = 100\n}\n',
    "a block that is never closed": b'role a() { prompt = """abc\n max_tokens = 100\n}\n',
}
UNREADABLE = {
    "10 MB of noise": random.Random(0).randbytes(10 * 1024 * 1024),
    "no UTF-8": b"role a() {\n max_tokens = \xff\n}\n",
    "half a surrogate pair": b"# \xed\xa0\x80\n",
    "a NUL": b"role a() {\n\0 max_tokens = 100\n}\n",
}
ENDS = {0: FINE, 1: PROBLEMS, 4: UNREADABLE}


@pytest.mark.parametrize("arguments", [["check"], ["fmt", "--check"]], ids=["check", "fmt"])
@pytest.mark.parametrize(
    ("data", "status"),
    [pytest.param(data, status, id=name) for status, inputs in ENDS.items() for name, data in inputs.items()],
)
def test_a_bad_file_ends_as_it_should(
    data: bytes, status: int, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "bad.recipe"
    path.write_bytes(data)
    if arguments[0] == "fmt" and status == 0:
        main(["fmt", str(path)])
    assert main([*arguments, str(path)]) == status
    shown = capsys.readouterr().err
    assert "Traceback" not in shown
    assert "our mistake" not in shown
    assert bool(status) == ("error" in shown or (str(path) in shown and "no problems" not in shown))


@pytest.mark.parametrize("verb", ["check", "fmt"])
def test_a_name_with_bytes_that_are_no_text_is_shown_as_it_can_be(verb: str) -> None:
    command: list[str | bytes] = [sys.executable, "-m", "recipelang.cli.main", verb, b"no\xff\xedname.recipe"]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (4, b"")
    assert done.stderr.endswith(b"no such file or directory\n")
