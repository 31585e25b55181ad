"""`bundle`, `lock`, `diff` and `doc`: what they write, how it is used again, and how they say what is wrong."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion

from commands import Command, command
from recipelang.cli.exits import Exit

LAB = """\
## Where the models of this house are reached.
backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }
model small { backend = lab, id = "s", price = { input = $0.05, output = $0.20 }, rating = 1000 }
model large { backend = lab, id = "b", price = { input = $0.20, output = $0.80 }, rating = 1300 }
"""
TWICE = """\
private role second(draft: answer) { prompt = "Say this better: {{ draft }}" }
role solver() { max_tokens = 1k }

## Says it, and says it better. A second look costs one call.
recipe twice(writer: model, note: text = "a | b") -> answer {
  ask draft = solver(model = writer)
  ask better = second(draft, model = writer) { fallback = draft }
  return better
}
"""
TEAM = """\
use "./library"
use "./library/lab.recipe"
use std.direct

## The careful one.
expose "team/careful" = library.twice(large)
expose "team/auto" = direct(small)
"""
run = pytest.fixture(command)


@pytest.fixture(autouse=True)
def team(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with `team.recipe` and a library, in which the command runs."""
    monkeypatch.chdir(tmp_path)
    Path("library").mkdir()
    for name, text in {"team": TEAM, "library/lab": LAB, "library/twice": TWICE, "library/_own": "# nothing\n"}.items():
        Path(f"{name}.recipe").write_text(text, encoding="utf-8")
    Path("broken.recipe").write_text("recipe r() -> answer { return nothing }\n", encoding="utf-8")
    return tmp_path


def rewrite(file: str, old: str, new: str) -> None:
    text = Path(file).read_text(encoding="utf-8")
    assert old in text
    Path(file).write_text(text.replace(old, new), encoding="utf-8")


# ------------------------------------------------------------------ bundle


def test_a_bundle_stands_for_its_recipes(run: Command) -> None:
    assert run("bundle", "team.recipe", "-o", "team.bundle").status == Exit.FINE
    for file in Path("library").iterdir():
        file.unlink()
    Path("team.recipe").unlink()
    assert "team/careful" in run("plan", "team.bundle").out
    assert run("graph", "team.bundle").out.startswith("flowchart TD\n")
    sealed = Path("team.bundle").read_bytes()
    assert run("plan", "-", stdin=sealed).out == run("plan", "team.bundle").out
    asked = run("run", "team.bundle", "--recipe", "team/auto", "Why?")
    assert asked.status == Exit.NO_ANSWER  # nobody listens there, but it ran
    assert "can't connect" in asked.err


def test_a_bundle_and_a_plan_of_the_same_recipes_have_the_same_digest(run: Command) -> None:
    run("bundle", "team.recipe", "-o", "team.bundle")
    run("compile", "team.recipe", "-o", "team.plan.json")
    bundle, plan = (json.loads(Path(name).read_text(encoding="utf-8")) for name in ("team.bundle", "team.plan.json"))
    assert (bundle["digest"], bundle["plan"]) == (plan["digest"], plan["plan"])
    assert run("compile", "team.bundle").out == Path("team.plan.json").read_text(encoding="utf-8")
    assert list(bundle["sources"]) == ["library/lab.recipe", "library/twice.recipe", "std.direct", "team.recipe"]


def test_the_sources_of_a_bundle_are_had_back_and_compile_to_the_same_plan(run: Command) -> None:
    run("bundle", "team.recipe", "-o", "team.bundle")
    done = run("bundle", "--extract", "team.bundle", "-o", "back")
    assert done.out.splitlines() == [
        "back/library/lab.recipe", "back/library/twice.recipe", "back/std/direct.recipe", "back/team.recipe",
    ]  # fmt: skip
    assert run("compile", "back/team.recipe").out == run("compile", "team.recipe").out
    assert run("bundle", "--extract", "team.bundle", "-o", "back").status == Exit.FINE
    rewrite("back/team.recipe", "careful", "quick")
    refused = run("bundle", "--extract", "team.bundle", "-o", "back")
    assert refused.status == Exit.INPUT_OUTPUT
    assert refused.err == "recipelang: back/team.recipe is there already, and other than in the bundle\n"


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("Say this better", "Say this worse", "its digest does not match"),  # in the plan and in a source
        ("## Says it", "## Says x", "its seal does not match"),  # in a source
        ('"root": "team', '"root": "taem', "its seal does not match"),
        ('"release": "', '"release": "9', "its seal does not match"),
        ('"seal": "sha256:', '"seal": "sha256:0', "its seal does not match"),
        ('"version": 1', '"version": 2', "this release of recipelang reads version 1"),
        ("recipelang.bundle", "recipelang.bungle", "its `format` is not `recipelang.plan`"),
        ('"sources"', '"sauces"', "not a plan of version 1: sources: field required"),
    ],
)
def test_a_bundle_that_was_touched_is_refused(old: str, new: str, why: str, run: Command) -> None:
    run("bundle", "team.recipe", "-o", "team.bundle")
    rewrite("team.bundle", old, new)
    for verb in (("plan",), ("graph",), ("compile",), ("run", "--recipe", "x"), ("bundle", "-o", "x", "--extract")):
        done = run(*verb, "team.bundle")
        assert (done.status, done.out) == (Exit.PROBLEMS, "")
        assert done.err.startswith("recipelang: team.bundle: ")
        assert why in done.err


def test_what_a_bundle_needs_is_said(run: Command) -> None:
    assert run("bundle").err == "recipelang: which file?\n"
    assert run("bundle", "--extract", "x").err == "recipelang: `--extract` takes `-o FOLDER`, where the files go\n"
    assert run("bundle", "--extract", "x", "-o", "y").err == "recipelang: x: no such file or directory\n"
    assert run("bundle", "broken.recipe").status == Exit.PROBLEMS
    run("compile", "team.recipe", "-o", "plan.json")
    assert "it is no bundle" in run("bundle", "--extract", "plan.json", "-o", "y").err
    assert "is sealed: it is used without `--with`" in run("run", "plan.json", "--with", "team.recipe", "x").err
    assert json.loads(run("bundle", "--schema").out)["title"] == "A bundle of recipelang"


@pytest.mark.parametrize("verb", [("check",), ("lock",), ("bundle",), ("compile", "--locked"), ("test",)])
def test_a_verb_that_reads_recipes_says_that_a_bundle_has_none_to_be_read(verb: tuple[str, ...], run: Command) -> None:
    run("bundle", "team.recipe", "-o", "team.bundle")
    done = run(*verb, "team.bundle")
    assert done.status == Exit.USAGE
    assert "team.bundle is a sealed plan, with no recipes to be read" in done.err


def test_a_library_of_models_is_used_to_run_another_recipe(run: Command) -> None:
    Path("my-models").mkdir()
    Path("library/lab.recipe").rename("my-models/lab.recipe")
    asked = run("run", "direct", "--with", "my-models", "--set", "model_of_choice=small", "Why?")
    assert asked.status == Exit.NO_ANSWER  # nobody listens there, but it ran
    assert "small" in asked.err
    assert run("run", "direct", "--with", "none", "Why?").err == "recipelang: none: no such file or directory\n"


# -------------------------------------------------------------------- lock


def test_a_lock_holds_while_nothing_changes(run: Command) -> None:
    assert run("lock", "team.recipe").status == Exit.FINE
    lock = json.loads(Path("team.recipe.lock").read_text(encoding="utf-8"))
    assert list(lock["files"]) == ["library/lab.recipe", "library/twice.recipe", "std.direct", "team.recipe"]
    assert run("check", "--locked", "team.recipe").err == "team.recipe: no problems\n"
    assert run("compile", "--locked", "team.recipe").out == run("compile", "team.recipe").out
    assert run("bundle", "--locked", "team.recipe").status == Exit.FINE


def test_a_lock_is_the_same_wherever_it_is_made(run: Command, team: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("lock", "team.recipe")
    here = Path("team.recipe.lock").read_bytes()
    monkeypatch.chdir("/")
    run("lock", team / "team.recipe")
    assert (team / "team.recipe.lock").read_bytes() == here


def test_a_change_is_refused_with_the_file_that_it_is_in(run: Command) -> None:
    run("lock", "team.recipe")
    rewrite("library/twice.recipe", "better: ", "again: ")
    Path("library/new.recipe").write_text("role new() { max_tokens = 10 }\n", encoding="utf-8")
    rewrite("team.recipe", "use std.direct", "use std.self_verified as graded")
    rewrite("team.recipe", 'expose "team/auto" = direct(small)\n', "")
    for verb in ("check", "compile", "bundle"):
        done = run(verb, "--locked", "team.recipe")
        assert (done.status, done.out) == (Exit.PROBLEMS, "")
        assert done.err == (
            "recipelang: team.recipe is not as team.recipe.lock says:\n"
            "  library/twice.recipe has changed\n"
            "  team.recipe has changed\n"
            "  library/new.recipe is used now\n"
            "  std.self_verified is used now\n"
            "  std.direct is used no longer\n"
            "`recipelang lock team.recipe` renews it, where this is meant\n"
        )
    run("lock", "team.recipe")
    assert run("check", "--locked", "team.recipe").status == Exit.FINE


def test_another_plan_of_the_same_files_is_refused(run: Command) -> None:
    run("lock", "team.recipe")
    text = Path("team.recipe.lock").read_text(encoding="utf-8")
    lock = {**json.loads(text), "plan": "sha256:0", "release": "0.0.1"}
    Path("team.recipe.lock").write_text(json.dumps(lock), encoding="utf-8")
    done = run("check", "--locked", "team.recipe")
    assert done.status == Exit.PROBLEMS
    assert "the plan is another one, though no file has changed: recipelang 0.0.1 made it" in done.err


def test_what_is_wrong_with_a_lock_is_said(run: Command) -> None:
    missing = run("check", "--locked", "team.recipe")
    assert missing.status == Exit.INPUT_OUTPUT
    assert "there is no lock yet; `recipelang lock team.recipe` makes it" in missing.err
    for text in ("", "{}", '{"format": "recipelang.lock", "version": 2}'):
        Path("team.recipe.lock").write_text(text, encoding="utf-8")
        done = run("check", "--locked", "team.recipe")
        assert done.status == Exit.PROBLEMS
        assert "team.recipe.lock: this is no lock of version 1" in done.err
    assert run("lock", "std.fusion").err == "recipelang: `std.fusion` has no lock: a lock is kept beside a file\n"
    assert run("lock", "-").status == Exit.USAGE
    assert run("lock", "broken.recipe").status == Exit.PROBLEMS
    assert not Path("broken.recipe.lock").exists()


# -------------------------------------------------------------------- diff


def test_what_has_changed_is_told_in_groups(run: Command, snapshot: SnapshotAssertion) -> None:
    run("bundle", "team.recipe", "-o", "before.bundle")
    rewrite("library/twice.recipe", "Say this better", "Say this much better")
    rewrite("library/twice.recipe", "{ fallback = draft }", "{ fallback = draft, retries = 1, timeout = 30s }")
    rewrite("library/lab.recipe", "$0.80", "$1.60")
    rewrite("team.recipe", 'expose "team/auto"', 'expose "team/best"')
    done = run("diff", "before.bundle", "team.recipe")
    assert (done.status, done.err) == (Exit.FINE, "")
    assert done.out == snapshot
    gated = run("diff", "before.bundle", "team.recipe", "--fail-on", "more-money,contracts,prompts")
    assert gated.status == Exit.PROBLEMS
    assert gated.err == "recipelang: forbidden here: more-money, prompts\n"
    assert run("diff", "before.bundle", "team.recipe", "--fail-on", "contracts").status == Exit.FINE
    read = json.loads(run("diff", "before.bundle", "team.recipe", "--format", "json", "--fail-on", "any").out)
    assert read["forbidden"] == ["any"]
    assert {change["group"] for change in read["changes"]} == {"names", "steps", "prompts", "models"}


def test_a_plan_a_bundle_and_a_recipe_of_the_same_do_not_differ(run: Command) -> None:
    run("bundle", "team.recipe", "-o", "team.bundle")
    run("compile", "team.recipe", "-o", "team.plan.json")
    for one, other in (("team.recipe", "team.bundle"), ("team.bundle", "team.plan.json"), ("std.fusion", "std.fusion")):
        done = run("diff", one, other, "--fail-on", "any")
        assert (done.status, done.out, done.err) == (Exit.FINE, "", "no difference\n")


def test_an_earlier_text_comes_on_standard_input_and_may_use_the_files_beside_the_other(run: Command) -> None:
    earlier = TEAM.replace("team/careful", "team/slow").encode()
    assert "+ team/careful: twice(" in run("diff", "-", "team.recipe", stdin=earlier).out
    assert "- team/careful: twice(" in run("diff", "team.recipe", "-", stdin=earlier).out
    sealed = run("bundle", "team.recipe").out.encode()
    assert run("diff", "-", "team.recipe", stdin=sealed).err == "no difference\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("-", "-"), Exit.USAGE, "only one of the two comes on standard input"),
        (("team.recipe", "none.recipe"), Exit.INPUT_OUTPUT, "none.recipe: no such file or directory"),
        (("team.recipe", "broken.recipe"), Exit.PROBLEMS, "unknown name `nothing`"),
        (("team.recipe", "team.recipe", "--fail-on", "more-call"), Exit.USAGE, "did you mean `more-calls`?"),
        (("team.recipe", "team.recipe", "--fail-on", "weather"), Exit.USAGE, "there are more-calls, more-tokens"),
        (("team.recipe", "std.none"), Exit.INPUT_OUTPUT, "there is no such standard recipe"),
    ],
)
def test_what_can_not_be_compared_is_said(arguments: tuple[str, ...], status: Exit, words: str, run: Command) -> None:
    done = run("diff", *arguments)
    assert (done.status, done.out) == (status, "")
    assert words in done.err


# --------------------------------------------------------------------- doc


def test_the_pages_of_a_library_are_as_a_reader_sees_them(run: Command, snapshot: SnapshotAssertion) -> None:
    assert run("doc", "team.recipe", "library", "-o", "pages", "--title", "The team's recipes").status == Exit.FINE
    pages = {
        path.relative_to("pages").as_posix(): path.read_text(encoding="utf-8") for path in Path("pages").rglob("*.*")
    }
    assert sorted(pages) == ["index.md", "library/_own.md", "library/lab.md", "library/twice.md", "team.md"]
    for name in ("index.md", "library/twice.md", "library/lab.md", "team.md"):
        assert pages[name] == snapshot(name=name)


@pytest.mark.parametrize(
    "arguments", [("team.recipe", "library"), ("std",), ("std", "team.recipe", "--pictures", "svg")]
)
def test_every_link_on_the_pages_leads_somewhere(arguments: tuple[str, ...], run: Command) -> None:
    assert run("doc", *arguments, "-o", "pages").status == Exit.FINE
    links = 0
    for page in Path("pages").rglob("*.md"):
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\(([^)]*)\)", text):
            path, _, anchor = target.partition("#")
            file = page.parent / path if path else page
            assert file.is_file(), f"{page}: {target}"
            headings = re.findall(r"^#+ (.*)$", file.read_text(encoding="utf-8"), flags=re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings]
            assert not anchor or anchor in anchors, f"{page}: {target}"
            links += 1
    assert links > 5


def test_pages_say_what_they_can_not_be_written_about(run: Command, team: Path) -> None:
    Path("empty").mkdir()
    assert run("doc", "empty", "-o", "pages").err == "recipelang: no recipes in empty\n"
    assert run("doc", "-", "-o", "pages").status == Exit.USAGE
    assert run("doc", "broken.recipe", "-o", "pages").status == Exit.PROBLEMS
    assert run("doc", "none.recipe", "-o", "pages").status == Exit.INPUT_OUTPUT
    assert not Path("pages").exists()
    assert "team.recipe" in run("doc", "team.recipe", "-o", team / "team.recipe").err
