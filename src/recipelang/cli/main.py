"""The command `recipelang`: one verb a module, imported only when it is asked for."""

from __future__ import annotations

import argparse
import importlib
import os
import sys
from collections.abc import Sequence

from recipelang.cli.exits import Exit, Stop

VERBS = {
    "check": "check a recipe and say what is wrong with it",
    "run": "run a recipe and print the answer",
    "plan": "show the most that a recipe can use, step by step",
    "graph": "draw a recipe's graph",
    "compile": "write the plan that a host loads",
    "explain": "explain a message's code",
    "models": "fetch, list and remove the models that run on this machine",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command; the exit status says how it ended."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    try:
        return int(_run(given))
    except Stop as stop:
        print(f"recipelang: {stop}", file=sys.stderr)
        return int(stop.code)
    except KeyboardInterrupt:
        print("recipelang: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
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
        verb = importlib.import_module(f"recipelang.cli.{given[0]}")
        parser = argparse.ArgumentParser(f"recipelang {given[0]}", description=VERBS[given[0]] + ".")
        verb.configure(parser)
        result: Exit = verb.run(parser.parse_intermixed_args(given[1:]))  # a question may stand after an option
        return result
    parser = argparse.ArgumentParser(
        "recipelang",
        description="A language for bounded teams of models behind one model API call.",
        epilog="\n".join(["verbs:", *(f"  {name:<10}{what}" for name, what in VERBS.items())]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="recipelang VERB ...",
    )
    parser.add_argument("--version", action="version", version=f"recipelang {_version()}")
    parser.add_argument("verb", nargs="?", choices=list(VERBS), help=argparse.SUPPRESS)
    parser.parse_args(given)
    parser.print_help()
    return Exit.USAGE


def _version() -> str:
    from importlib.metadata import version  # deferred: start-up cost

    return version("recipelang")


if __name__ == "__main__":
    sys.exit(main())
