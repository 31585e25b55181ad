"""`recipelang` and its verbs' help: complete, with an example each that is one, and a hint for who slips."""

from __future__ import annotations

import argparse
import importlib
import shlex

import pytest

from commands import Command, command
from recipelang.cli.main import EXAMPLES, MODULES, VERBS


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    return command(capsys, monkeypatch)


def test_help_lists_every_verb_and_where_to_begin(run: Command) -> None:
    done = run("--help")
    assert done.status == 0
    assert all(f"  {verb:<10}{what}" in done.out for verb, what in VERBS.items())
    assert EXAMPLES["run"][0] in done.out
    assert run() == done.__class__(2, done.out, "")


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_a_verb_shows_examples_that_it_takes(verb: str, run: Command) -> None:
    done = run(verb, "--help")
    assert done.status == 0
    parser = argparse.ArgumentParser()
    importlib.import_module(f"recipelang.cli.{MODULES.get(verb, verb)}").configure(parser)
    assert EXAMPLES[verb]
    for example in EXAMPLES[verb]:
        assert example in done.out
        program, named, *arguments = shlex.split(example.partition(" <")[0])
        assert (program, named) == ("recipelang", verb)
        parser.parse_intermixed_args(arguments)


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ("chekc", "there is no verb `chekc`; did you mean `check`?"),
        ("frobnicate", "there is no verb `frobnicate`; there are check, run, "),
        ("team.recipe", "`recipelang check team.recipe` checks it"),
    ],
)
def test_an_unknown_verb_gets_a_hint(wanted: str, words: str, run: Command) -> None:
    done = run(wanted)
    assert (done.status, done.out) == (2, "")
    assert words in done.err
