"""The command `recipelang`: one verb a module, imported only when it is asked for."""

from __future__ import annotations

import argparse
import gc
import importlib
import io
import os
import sys
from collections.abc import Sequence

from recipelang.cli.exits import Exit, Stop
from recipelang.cli.stopping import Stopping
from recipelang.diagnostics.suggesting import nearest

VERBS = {
    "check": "check a recipe and say what is wrong with it",
    "run": "run a recipe and print the answer",
    "resume": "go on with a run whose process died",
    "simulate": "run a recipe thousands of times on model profiles, in virtual time",
    "serve": "serve recipes as models, behind OpenAI's and Anthropic's APIs",
    "eval": "measure what recipes bring and cost, on questions or on recorded answers",
    "calibrate": "fit the numbers of a recipe to recorded runs, and write them into it",
    "test": "run the tests of recipes, with scripted models and in no time",
    "cassette": "show what a run recorded, and make a test of it",
    "trace": "show what happened in a run as a page for a browser",
    "route": "show which way a request goes, and why, with no model called",
    "plan": "show the most that a recipe can use, step by step",
    "import": "turn the settings of another router into recipes",
    "fmt": "put recipes into their one layout",
    "graph": "draw a recipe's graph",
    "compile": "write the plan that a host loads",
    "bundle": "write the plan and all that it was made from into one sealed file",
    "lock": "note the digests of all files behind a recipe, to see whether any changes",
    "diff": "tell what has changed from one recipe, plan or bundle to another",
    "doc": "write pages about a library of recipes",
    "explain": "explain a message's code",
    "probe": "ask models what they can do, and write it into the recipe",
    "models": "fetch, list and remove the models that run on this machine",
}

SELDOM = 50_000
"""New objects before garbage is looked for, 700 by default: what a command makes lasts, and looking took a tenth of a check."""

MODULES = {"import": "importing"}
"""Verbs that no module can be called."""

EXAMPLES = {
    "check": (
        "recipelang check team.recipe",
        "recipelang check --fix *.recipe",
        "recipelang check --locked team.recipe",
    ),
    "run": (
        'recipelang run confidence "What is the capital of France?"',
        'recipelang run confidence --set threshold=80% "Who wrote Hamlet?"',
        'recipelang run fusion --with my_models.recipe --trace trace.json "Why is the sky blue?"',
        "recipelang run team.recipe --messages conversation.json --format json",
        "recipelang run direct < question.txt > answer.txt",
        'recipelang run team.recipe --record run.cassette "Why is the sky blue?"',
        'recipelang run team.recipe --journal runs.db --run-id blue "Why is the sky blue?"',
    ),
    "resume": ("recipelang resume runs.db", "recipelang resume runs.db blue --trace trace.json"),
    "simulate": (
        "recipelang simulate team.recipe --profiles models.toml",
        "recipelang simulate team.recipe --recipe confidence --profiles models.toml --sweep threshold=0.5..0.9:0.1",
        "recipelang simulate team.recipe --fit run.cassette --runs 5000",
    ),
    "serve": (
        "recipelang serve",
        "recipelang serve team.recipe --port 8080",
        "recipelang serve fusion confidence --with my_models.recipe --models small,large",
    ),
    "eval": (
        "recipelang eval team.recipe --data questions.jsonl --single all --budget 5 --results runs.jsonl",
        "recipelang eval team.recipe --pack packs/mmlu_pro --report report.html",
        "recipelang eval panel --pack packs/gpqa --models a,b,c",
        "recipelang eval --pack packs/gpqa --check baselines/gpqa.json",
    ),
    "calibrate": (
        "recipelang calibrate team.recipe --fit workload,team.reply --pack packs/mmlu_pro --worth '$0.02'",
        "recipelang calibrate team.recipe --fit team.reply --data questions.jsonl --results runs.jsonl",
        "recipelang calibrate team.recipe --pack packs/mmlu_pro --check",
    ),
    "test": ("recipelang test team.recipe", "recipelang test --coverage recipes/", "recipelang test std.fusion"),
    "trace": ("recipelang trace view run.json -o run.html",),
    "cassette": ("recipelang cassette show run.cassette", "recipelang cassette to-test run.cassette team.recipe"),
    "route": (
        'recipelang route auto "Prove that 7 is prime."',
        "recipelang route team.recipe --messages conversation.json --format json",
    ),
    "plan": (
        "recipelang plan std.fusion",
        "recipelang plan team.recipe --format json",
        "recipelang plan team.recipe --history runs.db monday.cassette",
    ),
    "import": ("recipelang import vllm-sr config.yaml -o team.recipe",),
    "fmt": ("recipelang fmt team.recipe", "recipelang fmt --check *.recipe"),
    "graph": ("recipelang graph std.fusion", "recipelang graph team.recipe --format svg -o team.svg"),
    "compile": ("recipelang compile team.recipe -o team.plan.json", "recipelang compile --schema"),
    "bundle": (
        "recipelang bundle team.recipe -o team.bundle",
        "recipelang bundle --extract team.bundle -o sources",
    ),
    "lock": ("recipelang lock team.recipe",),
    "diff": (
        "recipelang diff team.bundle team.recipe",
        "recipelang diff team.bundle team.recipe --fail-on more-calls,more-money",
    ),
    "doc": ("recipelang doc recipes/ -o pages", "recipelang doc std -o pages"),
    "explain": ("recipelang explain E0501", "recipelang explain"),
    "probe": (
        "recipelang probe team.recipe",
        "recipelang probe team.recipe small --write",
        "recipelang probe std.local_models",
    ),
    "models": ("recipelang models list", "recipelang models pull strong", "recipelang models remove tiny strong"),
}
_ENDINGS = """\
`recipelang VERB --help` tells more of each. The exit status is 0 where all is well, 1 where a recipe has errors, 2
where the command makes no sense, 3 where a run ended without an answer, 4 where something outside can't be read,
written or reached, and 70 where the mistake is ours."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status says how it ended."""
    gc.set_threshold(SELDOM)
    given = list(sys.argv[1:] if arguments is None else arguments)
    _take_any_text()
    stopping = Stopping()
    try:
        with stopping.watched():
            status = _run(given)
            sys.stdout.flush()  # here, where a reader that has left is no mistake of ours
            return int(status)
    except Stop as stop:
        print(f"recipelang: {stop}", file=sys.stderr)
        return int(stop.code)
    except KeyboardInterrupt:
        print(f"recipelang: {stopping.reason}", file=sys.stderr)
        return stopping.status
    except BrokenPipeError:
        _abandon_output()
        return int(Exit.INPUT_OUTPUT)
    except OSError as error:
        print(f"recipelang: {error.filename or 'standard output'}: {(error.strerror or '').lower()}", file=sys.stderr)
        _abandon_output()
        return int(Exit.INPUT_OUTPUT)
    except Exception as error:  # whatever it is, it is our mistake, and said so
        if os.environ.get("RECIPELANG_DEBUG"):
            raise
        print(
            f"recipelang: this is our mistake: {type(error).__name__}: {error}\n"
            "Please report it, with the recipe; RECIPELANG_DEBUG=1 shows where it happened.",
            file=sys.stderr,
        )
        return int(Exit.INTERNAL)


def _run(given: list[str]) -> Exit:
    if given and given[0] in VERBS:
        verb = importlib.import_module(f"recipelang.cli.{MODULES.get(given[0], given[0])}")
        parser = argparse.ArgumentParser(
            f"recipelang {given[0]}",
            description=VERBS[given[0]] + ".",
            epilog=_listed("examples", EXAMPLES.get(given[0], ())),
            formatter_class=argparse.RawDescriptionHelpFormatter,
        )
        verb.configure(parser)
        result: Exit = verb.run(parser.parse_intermixed_args(given[1:]))  # a question may stand after an option
        return result
    if given and not given[0].startswith("-"):
        raise Stop(Exit.USAGE, _no_verb(given[0]))
    parser = argparse.ArgumentParser(
        "recipelang",
        description="A language for bounded teams of models behind one model API call.",
        epilog="\n\n".join(
            [
                _listed("verbs", [f"{name:<10}{what}" for name, what in VERBS.items()]),
                _listed("to begin with", [EXAMPLES["run"][0]]),
                _ENDINGS,
            ]
        ),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="recipelang VERB ...",
    )
    parser.add_argument("--version", action="version", version=f"recipelang {_version()}")
    parser.parse_args(given)
    parser.print_help()
    return Exit.USAGE


def _abandon_output() -> None:
    """What is still to be written to standard output has nowhere to go."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _take_any_text() -> None:
    """An answer may hold characters that the terminal has no code for: they are shown as `?`."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")


def _listed(title: str, lines: Sequence[str]) -> str:
    return "\n".join([f"{title}:", *(f"  {line}" for line in lines)]) if lines else ""


def _no_verb(wanted: str) -> str:
    near = nearest(wanted, VERBS)
    if near is not None:
        return f"there is no verb `{wanted}`; did you mean `{near}`?"
    if wanted.endswith(".recipe"):
        return f"what about {wanted}? `recipelang check {wanted}` checks it, and `recipelang run` runs it"
    return f"there is no verb `{wanted}`; there are {', '.join(VERBS)}"


def _version() -> str:
    from importlib.metadata import version  # deferred: start-up cost

    return version("recipelang")


if __name__ == "__main__":
    sys.exit(main())
