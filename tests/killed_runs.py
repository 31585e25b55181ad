"""Kills runs at random moments and resumes them; looks for a call that is paid twice, or for another answer.

`python tests/killed_runs.py --kills 100 --seed 1` does so a hundred times, and says what it found; with `--journal redis://HOST` the runs
are kept there, and not in files.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
import uuid
from collections import Counter
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import anyio

from recipelang import Engine, RunResult, StoreProblem
from recipelang.backends.cassettes.document import Recorded, parse_cassette
from recipelang.hosts.stores import opened_store
from upstream import Answer, Received, Upstream, answered, completion

RECIPE = """
backend lab { kind = openai, url = "URL" }
model a { backend = lab, id = "a", price = { input = $1, output = $2 } }
model b { backend = lab, id = "b", price = { input = $1, output = $2 } }
model c { backend = lab, id = "c", price = { input = $1, output = $2 } }
role speak() { max_tokens = 100 }
role weigh(said: answer[..3]) { max_tokens = 100, prompt = "{{ said }} Weigh them." }
role mend(said: answer) { max_tokens = 100, prompt = "{{ said }} Mend it." }

recipe main() -> answer {
  fanout drafts = speak(model = m) for m in [a, b, c]
  ask    first  = weigh(drafts, model = a)
  ask    second = mend(first, model = b)
  ask    third  = mend(second, model = c)
  return third
}

expose "main" = main()
"""
CALLS = 6
CHILD = """
import sys
import anyio
from recipelang import Engine

async def main():
    async with Engine(sys.argv[1], store=sys.argv[2]) as engine:
        print("ready", flush=True)
        print((await engine.run("main", "Which planet is the largest?", run_id=sys.argv[3])).text, flush=True)

anyio.run(main)
"""


def slowly(request: Received) -> Answer:
    """An answer that depends on all that was asked, after a few milliseconds."""
    digest = sha256(json.dumps(_key(request.json), sort_keys=True).encode()).hexdigest()
    time.sleep(0.002 + int(digest[:2], 16) / 20_000)
    return answered(completion(f"said {digest[:8]}"))


def _key(asked: dict[str, Any]) -> list[object]:  # Any: JSON
    return [asked["model"], asked["messages"], asked.get("seed")]


@dataclass(frozen=True, slots=True)
class Killed:
    """A run that was killed and resumed."""

    result: RunResult
    done: Recorded  # by the process that was killed
    paid: Counter[str]  # how often each call was paid, in both processes
    again: frozenset[str]  # the calls that were made after the resumption

    @property
    def settled(self) -> set[str]:
        return {_text([c.asked["id"], c.asked["messages"], c.asked["parameters"].get("seed")]) for c in self.done.calls}

    @property
    def sent_twice(self) -> int:
        return sum(times - 1 for times in self.paid.values())


def _text(key: list[object]) -> str:
    return json.dumps(key, sort_keys=True)


def killed(folder: Path, upstream: Upstream, wait: float, journal: str | None = None) -> Killed:
    """Run in a process of its own, kill that so many seconds after it began to run, and resume here."""
    recipe, journal, name = folder / "main.recipe", journal or str(folder / "runs.db"), uuid.uuid4().hex
    recipe.write_text(RECIPE.replace("URL", upstream.url), encoding="utf-8")
    before = len(upstream.requests)
    with subprocess.Popen(
        [sys.executable, "-c", CHILD, recipe, journal, name], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == b"ready\n", child.stderr.read().decode()
        while not _has_begun(journal, name):
            time.sleep(0.001)
        time.sleep(wait)
        child.kill()
    upstream.wait_until(lambda upstream: upstream.open == 0)
    middle = len(upstream.requests)
    done = anyio.run(_read, journal, name)
    result = anyio.run(_resumed, recipe, journal, name)
    keys = [_text(_key(request.json)) for request in upstream.requests[before:]]
    return Killed(result, done, Counter(keys), frozenset(keys[middle - before :]))


def _has_begun(journal: str, name: str) -> bool:
    try:
        anyio.run(_lines, journal, name)
    except StoreProblem:  # there is nothing to be read yet
        return False
    return True


async def _lines(journal: str, name: str) -> str:
    with opened_store(journal) as store:
        return "".join(await store.read(name))


async def _read(journal: str, name: str) -> Recorded:
    return parse_cassette(name, await _lines(journal, name))


async def _resumed(recipe: Path, journal: str, name: str) -> RunResult:
    async with Engine(recipe, store=journal) as engine:
        return await engine.resume(name)


def broken_promises(run: Killed, answer: str) -> list[str]:
    """What is wrong with how a run was resumed."""
    lost = len(run.done.in_flight)
    twice = run.settled & run.again
    return [
        *(f"paid twice: {key}" for key in twice),
        *([f"{run.sent_twice} calls were sent twice, and {lost} were in flight"] if run.sent_twice > lost else []),
        *([f"the answer is {run.result.text!r}, and should be {answer!r}"] if run.result.text != answer else []),
        *([f"the ledger has {run.result.spend.calls} calls"] if run.result.spend.calls != CALLS + lost else []),
        *([f"it has {run.result.spend.wasted_calls} in vain"] if run.result.spend.wasted_calls != lost else []),
    ]


def undisturbed(folder: Path, upstream: Upstream) -> RunResult:
    """The same run with nobody who kills it."""
    recipe = folder / "main.recipe"
    recipe.write_text(RECIPE.replace("URL", upstream.url), encoding="utf-8")

    async def run() -> RunResult:
        async with Engine(recipe) as engine:
            return await engine.run("main", "Which planet is the largest?")

    return anyio.run(run)


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--journal", help="redis://HOST, or a file for all of them")
    arguments = parser.parse_args()
    drawn, found, settled = random.Random(arguments.seed), 0, Counter[int]()
    with Upstream(slowly) as upstream, tempfile.TemporaryDirectory() as root:
        whole = undisturbed(Path(root), upstream)
        for number in range(arguments.kills):
            folder = Path(root) / str(number)
            folder.mkdir()
            run = killed(folder, upstream, drawn.uniform(0, 1.2 * whole.spend.seconds), arguments.journal)
            settled[len(run.done.calls)] += 1
            for problem in broken_promises(run, whole.text):
                found += 1
                print(f"kill {number}: {problem}")
    spread = ", ".join(f"{calls}: {times}" for calls, times in sorted(settled.items()))
    print(
        f"{arguments.kills} runs killed and resumed; killed after so many settled calls: {spread}; {found} broken promises"
    )
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
