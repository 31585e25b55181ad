"""Numbers are fitted to what was recorded, and are written down with where they come from until that has changed."""

from __future__ import annotations

import json
import re
from datetime import date, timedelta
from pathlib import Path

import pytest

from calibrated_runs import CASCADED, CHOOSING, RATES, write_runs
from recipelang.calibration.regression import Singular, least_squares
from recipelang.cli.exits import Exit
from recipelang.cli.main import main
from recipelang.compilation import compile_file
from recipelang.formatting.proving import formatted
from recipelang.semantics.provenance import Present, written
from recipelang.source import Source
from recipelang.syntax import nodes

TODAY = date.today()  # noqa: DTZ011 - the day that the command writes down
WRITING = """
role respond() { max_tokens = 1k }
role merge(answers: answer[]) {
  max_tokens = 1k
  prompt     = "{{ answers }}"
}
recipe writing(models: model[2]) -> answer {
  fanout looks = respond(model = m) for m in models
  choose reply {
    when true => merge(looks, model = first(models)) { quality = 0.5 }
    otherwise => merge(looks, model = last(models)) { quality = 0.5 }
    by = expected_quality(it)
  }
  return reply
}
"""
PRICED = f"""{CASCADED}
backend lab {{ kind = openai, url = "http://127.0.0.1:9/v1" }}
model small {{ backend = lab, id = "small", price = {{ input = $0, output = $0 }} }}
model large {{ backend = lab, id = "large", price = {{ input = $0, output = $0 }} }}
"""
CHOICE = ("--fit", "choosing.reply", "--recipe", "choosing", "--set", "small=small", "--set", "large=large")
CASCADE = ("--fit", "cascaded.threshold", "--recipe", "cascaded", "--set", "ladder=small,large")


@pytest.fixture
def pack(tmp_path: Path) -> Path:
    return write_runs(tmp_path / "runs")


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The cascade, fitted once."""
    folder = tmp_path_factory.mktemp("done")
    file = a_recipe(folder, CASCADED)
    assert calibrate(file, write_runs(folder / "runs"), *CASCADE) == Exit.FINE
    return file.read_text()


def calibrate(file: Path, pack: Path, *more: str, worth: str = "$0.05") -> int:
    return main(["calibrate", str(file), "--pack", str(pack), "--worth", worth, *more])


def a_recipe(folder: Path, text: str = CHOOSING) -> Path:
    file = folder / "team.recipe"
    file.write_text(text, encoding="utf-8")
    return file


def numbers_in(text: str) -> dict[str, tuple[float, float, float]]:
    """The fitted numbers of all comments, with their intervals."""
    told = " ,".join(re.findall(r"# calibrated: (.*)", text))
    found = re.findall(r"([a-z_0-9 ]+) \$?([0-9.]+) \(\$?([0-9.]+) to \$?([0-9.]+)\)", told)
    return {f"{name.strip()}@{place}": (float(a), float(b), float(c)) for place, (name, a, b, c) in enumerate(found)}


def warnings(file: Path, present: Present | None = None) -> list[str]:
    compilation = compile_file(str(file))
    compilation.present = present
    return [f"{each.label}" for each in compilation.diagnostics if each.code.id == "W0704"]


def test_what_an_arm_is_expected_to_bring_is_how_often_it_was_right(tmp_path: Path, pack: Path) -> None:
    file = a_recipe(tmp_path)
    assert calibrate(file, pack, *CHOICE) == Exit.FINE
    found = list(numbers_in(file.read_text()).values())
    (easy, *_), (less, *_), (small_cost, *_), (large, low, high), (large_cost, *_) = found
    assert easy == pytest.approx(RATES["small", "Name"], abs=0.12)
    assert easy - less == pytest.approx(RATES["small", "Prove"], abs=0.15)
    assert (small_cost, large_cost) == (0.001, 0.01)
    assert large == pytest.approx((RATES["large", "Name"] + RATES["large", "Prove"]) / 2, abs=0.06)
    assert low < large < high
    assert high - low == pytest.approx(4 * (0.925 * 0.075 / 130) ** 0.5, rel=0.3)


def test_every_other_character_of_the_file_stays_and_the_layout_with_it(tmp_path: Path, pack: Path) -> None:
    file = a_recipe(tmp_path)
    assert calibrate(file, pack, *CHOICE) == Exit.FINE
    text = file.read_text()
    bare = "".join(line for line in text.splitlines(keepends=True) if not re.match(r" *# (calibrated|from)", line))

    def masked(given: str) -> str:
        return re.sub(r"(?<=[ (=])\$?[0-9.]+(?=[ ,)])", "N", re.sub(r"worth: money = \$0.05", "", given))

    assert masked(bare) == masked(CHOOSING)
    assert formatted(Source("team.recipe", text), lambda _: None) == text


def test_a_file_in_the_one_layout_stays_in_it_where_numbers_of_another_length_break_its_lines(
    tmp_path: Path, pack: Path
) -> None:
    long = CHOOSING.replace("hard), cost = $0.1 }", "hard), cost = $100000000.1234567, time = 123456789.123456789s }")
    laid_out = formatted(Source("team.recipe", long), lambda _: None)
    assert laid_out is not None
    assert "alone(small) {\n" in laid_out  # too long for one line, as it is
    file = a_recipe(tmp_path, laid_out)
    assert calibrate(file, pack, *CHOICE) == Exit.FINE
    text = file.read_text()
    assert formatted(Source("team.recipe", text), lambda _: None) == text
    assert warnings(file) == []


def test_a_file_with_the_line_ends_of_another_system_keeps_them(tmp_path: Path, pack: Path) -> None:
    file = tmp_path / "team.recipe"
    file.write_bytes(b"\xef\xbb\xbf" + CHOOSING.replace("\n", "\r\n").encode())
    assert calibrate(file, pack, *CHOICE) == Exit.FINE
    data = file.read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert data.count(b"\r\n") == data.count(b"\n") > CHOOSING.count("\n")


def test_a_threshold_is_found_where_it_parts_what_is_right_from_what_is_wrong(done: str) -> None:
    ((threshold, low, high),) = numbers_in(done).values()
    assert 0.4 <= threshold <= 0.65
    assert low <= threshold <= high
    assert f"threshold: score = {threshold}" in done


def test_a_worth_that_pays_for_nothing_leaves_the_cheapest(tmp_path: Path, pack: Path) -> None:
    file = a_recipe(tmp_path, CASCADED)
    assert calibrate(file, pack, *CASCADE, worth="$0.0001") == Exit.FINE
    ((threshold, *_),) = numbers_in(file.read_text()).values()
    assert threshold <= 0.02


def test_a_second_time_needs_no_names_and_takes_the_place_of_the_first(fitted: Path, pack: Path) -> None:
    file, once = fitted, fitted.read_text()
    assert calibrate(file, pack, *CASCADE[2:]) == Exit.FINE
    assert file.read_text().count("# calibrated") == 1
    assert re.sub(r"\(.*?\)", "", once.split("\n")[4]) == re.sub(r"\(.*?\)", "", file.read_text().split("\n")[4])


def test_a_dry_run_shows_what_would_change_and_changes_nothing(
    tmp_path: Path, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = a_recipe(tmp_path, CASCADED)
    assert calibrate(file, pack, *CASCADE, "--check") == Exit.PROBLEMS
    assert file.read_text() == CASCADED
    assert "+# calibrated: threshold" in capsys.readouterr().out


def test_numbers_that_the_other_half_does_not_bear_out_are_not_written(
    tmp_path: Path, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (pack / "rows.jsonl").read_text().splitlines()]
    from recipelang.evaluation.items import in_first_half

    for row in rows:  # on one half the small model is right where it is sure, on the other where it is not
        if row["m"] == "small" and not in_first_half(row["q"]):
            row["conf"] = 1 - row["conf"]
    (pack / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    text = CASCADED.replace("0.1)", "1.0)")
    file = a_recipe(tmp_path, text)
    assert calibrate(file, pack, *CASCADE) == Exit.PROBLEMS
    assert file.read_text() == text
    assert "nothing was written" in capsys.readouterr().out


def test_programs_read_the_same(tmp_path: Path, pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = a_recipe(tmp_path, CASCADED)
    assert calibrate(file, pack, *CASCADE, "--format", "json") == Exit.FINE
    told = json.loads(capsys.readouterr().out)
    (fit,) = told["fits"]
    assert (fit["name"], fit["label"], fit["before"]) == ("cascaded.threshold", "threshold", 0.1)
    assert told["n"] + told["held_out"]["n"] == 260


# -------------------------------------------------------------------- stale


@pytest.fixture
def fitted(tmp_path: Path, done: str) -> Path:
    return a_recipe(tmp_path, done)


def test_fitted_numbers_hold_while_nothing_has_changed(fitted: Path) -> None:
    assert warnings(fitted) == []
    assert main(["check", str(fitted)]) == Exit.FINE
    text = fitted.read_text()
    fitted.write_text(
        text.replace("language 1\n", "language 1\n\n# another comment\nsignal other: bool = request.turns > 2\n")
    )
    assert warnings(fitted) == []


@pytest.mark.parametrize(
    ("before", "after", "why"),
    [
        (r"threshold: score = [0-9.]+", "threshold: score = 0.7", "`threshold` is 0.7 now"),
        (r"max_tokens = 1k", "max_tokens = 2k", "something that it hangs on, has changed"),
        (r"last\(tried\)", "first(tried)", "something that it hangs on, has changed"),
        (r"\Z", 'backend b { kind = local }\nmodel m { backend = b, id = "other" }\n', "the model `large`"),
    ],
)
def test_they_are_told_to_be_stale_where_something_has_changed(fitted: Path, before: str, after: str, why: str) -> None:
    fitted.write_text(re.sub(before, after, fitted.read_text(), count=1))
    (label,) = warnings(fitted)
    assert why in label


def test_they_are_stale_when_the_data_changes_or_they_are_old(fitted: Path, pack: Path) -> None:
    def present(days: int, digest: str | None) -> Present:
        return Present(TODAY + timedelta(days=days), lambda name: digest if name == "runs" else None)

    (provenance,) = (each.provenance for each in written(*_parsed(fitted)))
    assert warnings(fitted, present(180, provenance.digest)) == []
    assert warnings(fitted, present(181, None)) == ["they are 181 days old, and were to be good for 180"]
    assert warnings(fitted, present(0, "0" * 64)) == ["`runs` has changed since"]


def test_check_looks_at_data_that_lies_beside_the_recipe(
    fitted: Path, pack: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with (pack / "rows.jsonl").open("a") as rows:
        rows.write("\n")
    assert main(["check", str(fitted)]) == Exit.FINE
    assert "`runs` has changed since" in capsys.readouterr().err


def _parsed(file: Path) -> tuple[Source, nodes.File]:
    root = compile_file(str(file)).program.root
    return root.source, root.file


# ----------------------------------------------------------------- mistakes


@pytest.mark.parametrize(
    ("text", "more", "said"),
    [
        ("role r() { max_tokens = 5 }\nrecipe a(m: model) -> answer {\n  ask x = r(model = m)\n  return x\n}\n", ("--recipe", "a", "--fit", "x"), "no numbers to fit"),
        (CASCADED, ("--fit", "cascaded.treshold", *CASCADE[2:]), "did you mean `cascaded.threshold`?"),
        (CASCADED, CASCADE[2:], "nothing was calibrated before"),
        (CASCADED, (*CASCADE, "--limit", "90"), "too few questions"),
        (CHOOSING, ("--fit", "choosing.reply"), "which is run?"),
        (WRITING, ("--recipe", "writing", "--fit", "writing.reply", "--set", "models=small,large"), "was not recorded"),
        (PRICED, ("--recipe", "cascaded", "--fit", "cascaded.threshold", "--set", "ladder=small,large"), "better declared without one"),
        (CHOOSING.replace("0.1 * hard", "0.1 * hard - 0.2 * hard"), CHOICE, "can't be fitted"),
        (CHOOSING.replace("    by = expected_quality(it) - (expected_cost(it) or $1) / worth\n", ""), CHOICE, "never weighs"),
    ],
)  # fmt: skip
def test_what_can_not_be_fitted_is_said(
    tmp_path: Path, pack: Path, text: str, more: tuple[str, ...], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    file = a_recipe(tmp_path, text)
    assert calibrate(file, pack, *more) == Exit.USAGE
    assert said in capsys.readouterr().err
    assert file.read_text() == text


def test_a_recipe_with_mistakes_is_shown_them(tmp_path: Path, pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = a_recipe(tmp_path, CASCADED.replace("respond(model = m)", "respnd(model = m)"))
    assert calibrate(file, pack, *CASCADE) == Exit.PROBLEMS
    assert "did you mean `respond`?" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ((), "fitted to what?"),
        (("--results", "r.jsonl"), "`--data FILE`"),
        (("--pack", "nowhere"), "is no pack"),
        (("--pack", "runs", "--worth", "0"), "it takes an amount of dollars above 0"),
        (("--pack", "runs", "--data", "d.jsonl"), "`--data` goes with `--results`"),
    ],
)
def test_what_it_is_fitted_to_must_be_there(
    tmp_path: Path, pack: Path, arguments: tuple[str, ...], said: str,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    assert main(["calibrate", str(a_recipe(tmp_path, CASCADED)), *CASCADE, *arguments]) in (
        Exit.USAGE,
        Exit.INPUT_OUTPUT,
    )
    assert said in capsys.readouterr().err


def test_of_several_recipes_one_must_be_named(tmp_path: Path, pack: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = a_recipe(
        tmp_path,
        "role respond() {}\n"
        + "".join(
            f"recipe {name}(m: model) -> answer {{ ask a = respond(model = m) return a }}\n" for name in ("x", "y")
        ),
    )
    assert calibrate(file, pack) == Exit.USAGE
    assert "`--recipe` takes one of x, y" in capsys.readouterr().err


@pytest.mark.parametrize("option", ["--worth=much", "--worth=-1", "--limit=0", "--days=-3"])
def test_an_option_that_is_no_amount_and_no_number_is_refused(
    tmp_path: Path, pack: Path, option: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit, match="2"):
        main(["calibrate", str(a_recipe(tmp_path)), "--pack", str(pack), option])
    assert option.partition("=")[0] in capsys.readouterr().err


# ---------------------------------------------------------- runs of one's own

OWN = """
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small { backend = lab, id = "small", price = { input = $1, output = $1 } }
model large { backend = lab, id = "large", price = { input = $1, output = $1 } }

expose "cheap" = alone(small)
expose "dear"  = alone(large)
expose "team"  = choosing(small, large)
"""


def outcome(name: str, item: str, key: int, ok: int = 1, cost: float = 0.0, seconds: float = 0.0) -> dict[str, object]:
    """A line of what `eval --results` writes."""
    return {
        "contestant": name, "item": item, "key": str(key), "verdict": "right" if ok else "wrong", "answer": "A",
        "model": "m", "cost": cost, "calls": 1, "prompt_tokens": 1, "completion_tokens": 1, "seconds": seconds,
    }  # fmt: skip


def test_results_of_the_arms_fit_a_choice_among_them(tmp_path: Path, pack: Path) -> None:
    questions = [json.loads(line) for line in (pack / "questions.jsonl").read_text().splitlines()]
    data, results = tmp_path / "questions.jsonl", tmp_path / "runs.jsonl"
    asked = ({"id": each["q"], "prompt": each["prompt"], "grader": "exact", "reference": "A"} for each in questions)
    data.write_text("".join(json.dumps(each) + "\n" for each in asked))
    names = {"small": "cheap", "large": "dear"}
    with results.open("w") as lines:
        for place, line in enumerate((pack / "rows.jsonl").read_text().splitlines()):
            row = json.loads(line)
            told = outcome(names[row["m"]], row["q"], place, row["ok"], row["usd"], row["lat"] / 1000)
            lines.write(json.dumps(told) + "\n")
    text = CHOOSING.replace(
        "alone(large) { quality = 0.5, cost = $0.1 }", "alone(large) { quality = 0.5, cost = $0.1, time = 9s }"
    )
    file = a_recipe(tmp_path, f"{text}{OWN}")
    arguments = ["calibrate", str(file), "--data", str(data), "--results", str(results), "--fit", "choosing.reply"]
    assert main([*arguments, "--recipe", "team", "--worth", "$0.05"]) == Exit.FINE
    found = list(numbers_in(file.read_text()).values())
    assert found[0][0] == pytest.approx(RATES["small", "Name"], abs=0.12)
    assert found[3][0] == pytest.approx(0.925, abs=0.06)
    assert "time = 2.0s" in file.read_text() or "time = 2s" in file.read_text()
    assert warnings(file) == []


def test_an_arm_that_was_never_run_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "questions.jsonl").write_text('{"prompt": "Why?", "reference": "A"}\n')
    (tmp_path / "runs.jsonl").write_text(json.dumps(outcome("someone", "1", 0)) + "\n")
    file = a_recipe(tmp_path, f"{CHOOSING}{OWN}")
    arguments = ["--data", str(tmp_path / "questions.jsonl"), "--results", str(tmp_path / "runs.jsonl")]
    assert main(["calibrate", str(file), *arguments, "--fit", "choosing.reply", "--recipe", "team"]) == Exit.USAGE
    assert "no results are of arm 1 of `reply`, `alone(one = small)`" in capsys.readouterr().err


# ------------------------------------------------------------ least squares


def test_least_squares_find_the_weights_and_how_sure_they_are() -> None:
    rows = [(1.0, float(x)) for x in range(50)]
    wanted = [3 + 2 * x + (1 if x % 2 else -1) for x in range(50)]
    weights, errors = least_squares(rows, wanted)
    assert weights == pytest.approx([3, 2], abs=0.1)
    assert errors[1] == pytest.approx(1 / (sum((x - 24.5) ** 2 for x in range(50))) ** 0.5, rel=0.1)


def test_columns_that_say_the_same_are_told() -> None:
    with pytest.raises(Singular):
        least_squares([(1.0, 2.0), (2.0, 4.0), (3.0, 6.0)], [1, 2, 3])


# ------------------------------------------------------ bands, signals, counts

POLICY = """\
language 1

role respond() { max_tokens = 1k }

signal proof: bool   = contains(request.text, "Prove")
signal effort: score = clamp(0.6 * proof + 0.2)
band work            = effort { light < 0.05 <= heavy }

recipe policy(small: model, large: model, most: int(0..3) = 0) -> answer {
  choose reply {
    when work == light and most >= 0 => alone(small)
    otherwise                        => alone(large)
  }
  return reply
}

recipe alone(one: model) -> answer {
  ask reply = respond(model = one)
  return reply
}
"""
POLICY_RUN = ("--recipe", "policy", "--set", "small=small", "--set", "large=large")


def test_the_threshold_of_a_band_parts_what_the_small_model_can_do(tmp_path: Path, pack: Path) -> None:
    file = a_recipe(tmp_path, POLICY)
    assert calibrate(file, pack, "--fit", "work", *POLICY_RUN, worth="$0.03") == Exit.FINE
    ((threshold, low, high),) = numbers_in(file.read_text()).values()
    assert 0.2 < threshold <= 0.8
    assert low <= threshold <= high
    assert f"{{ light < {threshold} <= heavy }}" in file.read_text()
    assert warnings(file) == []


def test_the_weights_of_a_signal_are_fitted_by_what_the_recipe_comes_to(tmp_path: Path, pack: Path) -> None:
    text = POLICY.replace("light < 0.05 <=", "light < 0.5 <=").replace("0.6 * proof", "0.0 * proof")
    file = a_recipe(tmp_path, text)
    assert calibrate(file, pack, "--fit", "effort", *POLICY_RUN, worth="$0.03") == Exit.FINE
    weight, base = (value for value, *_ in numbers_in(file.read_text()).values())
    assert base < 0.5 <= base + weight  # easy questions are light, and proofs are heavy


def test_a_count_is_looked_for_among_all_that_its_type_has(tmp_path: Path, pack: Path) -> None:
    text = POLICY.replace("most >= 0", "most >= 2").replace("< 0.05", "< 0.5")
    file = a_recipe(tmp_path, text)
    assert calibrate(file, pack, "--fit", "policy.most", *POLICY_RUN, worth="$0.03") == Exit.FINE
    assert "most: int(0..3) = 2" in file.read_text() or "most: int(0..3) = 3" in file.read_text()
