"""The long campaign: drawn programs against hostile models, each run held to every law, and planted faults found.

`python tests/campaign.py --examples 100000 --seed 1` runs so many cases and ends with a table; `--faults` plants the
faults of `planted_faults.py` one after the other and says after how many cases each was found. What breaks a law is made
smaller and printed; the exit code is 1.
"""

from __future__ import annotations

import argparse
import math
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import count
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parent))

from certified_runs import LOOPS, Broken, Case, drawn_case, held, lawful
from planted_faults import FAULTS, Fault
from recipe_programs import Pick, Program, drawn_program
from recipelang.compilation import compile_text
from recipelang.ir.plan import Plan
from recipelang.validation.bounds import certified

PROGRESS_EVERY = 5.0
"""Seconds."""
WORLDS = 10
"""Cases of one program."""
HUNTED_WORLDS = 4
"""Cases of one program while a fault is planted."""
MOST_HUNTED = 600
"""Programs that faults are hunted with."""
MOST_SHOWN = 5
"""Broken laws, after which a campaign ends."""


@dataclass
class Numbers:
    """Draws by a list of numbers, and goes on at random, or with the simplest; puts down what it gave."""

    given: Sequence[int]
    rest: random.Random | None
    drawn: list[int] = field(default_factory=list)

    def __call__(self, low: int, high: int) -> int:
        place = len(self.drawn)
        if place < len(self.given):
            number = min(max(self.given[place], low), high)
        else:
            number = low if self.rest is None else self.rest.randint(low, high)
        self.drawn.append(number)
        return number


@dataclass
class Tally:
    """What the cases were."""

    counts: Counter[str] = field(default_factory=Counter)
    began: float = field(default_factory=time.monotonic)

    def add(self, case: Case, ended: str) -> None:
        counts = self.counts
        counts["cases that ran"] += 1
        counts[f"  models: {case.world.temper}"] += 1
        counts["  allowed less than the certificate"] += bool(case.most)
        counts["  cancelled at a moment"] += case.patience is not None
        counts[f"  ended: {ended}"] += 1
        counts["calls to models"] += len(case.world.sent)
        counts["calls of host functions"] += case.world.probes

    def progress(self, done: int, examples: int) -> None:
        took = time.monotonic() - self.began
        print(f"\r{done:,} of {examples:,}, {done / max(took, 1e-9):.0f} a second", end="", file=sys.stderr, flush=True)

    def table(self) -> str:
        rows = sorted(self.counts.items(), key=lambda row: (row[0].startswith("  "), row[0]))
        return "\n".join(f"{name:<40} {count:>10,}" for name, count in rows)


def tried(pick: Pick, loop: str, program: Program | None = None, *, laws: bool) -> tuple[Case, Broken | None, str]:
    """One case, the law that it breaks, and how its run ended; raises nothing."""
    case = drawn_case(pick, loop, program)
    if case.program.invalid:
        return case, None, "no plan"
    try:
        if laws:
            lawful(case.program)
        ended = held(case)
    except Broken as broken:
        return case, broken, "broken"
    except Exception as bug:  # noqa: BLE001 - whatever is raised breaks the first law
        return case, Broken("something was raised", repr(bug)), "broken"
    if ended.spend is None:
        return case, None, "cancelled"
    return case, None, "answer" if ended.failure is None else ended.failure.kind.value


@dataclass(frozen=True)
class Tried:
    """One case of a campaign, with the numbers that it was drawn by."""

    case: Case
    numbers: list[int]
    loop: str
    broken: Broken | None
    ended: str


def cases(seed: int, *, laws: bool) -> Iterator[Tried]:
    """Cases without an end: so many programs, each in several worlds."""
    for number in count(1):
        drawn = Numbers((), random.Random(f"{seed}/{number}"))
        program = drawn_program(drawn)
        for world in range(1 if program.invalid else WORLDS):
            numbers = Numbers((), random.Random(f"{seed}/{number}/{world}"))
            loop = list(LOOPS)[world % len(LOOPS)]
            case, broken, ended = tried(numbers, loop, program, laws=laws and world == 0)
            yield Tried(case, drawn.drawn + numbers.drawn, loop, broken, ended)


def smaller(numbers: list[int], law: str, loop: str, *, seconds: float = 30.0) -> list[int]:
    """Fewer and lesser numbers that still break the same law."""

    def breaks(candidate: list[int]) -> bool:
        return (found := tried(Numbers(candidate, None), loop, laws=True)[1]) is not None and found.law == law

    until = time.monotonic() + seconds
    best = numbers
    size = max(1, len(best) // 2)
    while size and time.monotonic() < until:
        place, shrunk = 0, False
        while place < len(best) and time.monotonic() < until:
            without = best[:place] + best[place + size :]
            zeroed = best[:place] + [0] * len(best[place : place + size]) + best[place + size :]
            found = next((other for other in (without, zeroed) if other != best and breaks(other)), None)
            best, shrunk = (best, shrunk) if found is None else (found, True)
            place += size if found is None or len(found) == len(best) else 0
        size = size if shrunk and size == 1 else size // 2
    return best


def told(case: Case, broken: Broken) -> str:
    world = case.world
    about = (
        f"models: {world.temper}, {world.steady} of 10 answered; allowed: {case.most}; cancelled after: {case.patience}"
    )
    return f"{broken}\n\n{case.program.text}\n{about}\nrequest: {case.request.messages!r:.300}\n"


def campaign(examples: int, seed: int, *, minutes: float | None = None) -> int:
    """Run the cases; gives the number of those that broke a law."""
    tally, broken, shown, done = Tally(), 0, 0.0, 0
    until = math.inf if minutes is None else time.monotonic() + 60 * minutes
    for one in cases(seed, laws=True):
        if one.case.program.invalid:
            tally.counts["drawn programs that do not compile"] += 1
            continue
        done += 1
        tally.add(one.case, one.ended)
        if one.broken is not None:
            broken += 1
            print(f"\nafter {done} cases of seed {seed}: {_smallest(one, one.broken)}", flush=True)
        if time.monotonic() - shown > PROGRESS_EVERY:
            shown = time.monotonic()
            tally.progress(done, examples)
        if done >= examples or broken >= MOST_SHOWN or time.monotonic() > until:
            break
    tally.progress(done, examples)
    print(f"\n{tally.table()}\n{'laws broken':<40} {broken:>10,}")
    return broken


def _smallest(one: Tried, broken: Broken) -> str:
    less = Numbers(smaller(one.numbers, broken.law, one.loop), None)
    case, again, _ = tried(less, one.loop, laws=True)
    return told(case, again) if again is not None else told(one.case, broken)


@cache
def hunted(number: int, seed: int) -> Program:
    """A program for all hunts; one that does not compile is kept, as a fault may let it."""
    return drawn_program(Numbers((), random.Random(f"{seed}/{number}")))


def found_after(fault: Fault, most: int, seed: int) -> tuple[int, str] | None:
    """After how many cases a planted fault breaks a law, and which; none where no program of so many shows it.

    What the prover says of the programs it says again with the fault; one that was refused is compiled again.
    """
    done = 0
    with fault.planted():
        for number in range(most):
            program = hunted(number, seed)
            plan = compile_text(program.text).plan if program.invalid else certified(program.plan or Plan())
            again = replace(program, plan=plan)
            for world in range(0 if plan is None else HUNTED_WORLDS):
                numbers = Numbers((), random.Random(f"{seed}/{number}/{world}"))
                broken = tried(numbers, list(LOOPS)[world % len(LOOPS)], again, laws=False)[1]
                done += 1
                if broken is not None:
                    return done, broken.law
    return None


def hunt(many: int, seed: int, only: Sequence[str] = ()) -> list[str]:
    """Plant each fault; gives the names of those that were not found, the first that of no fault at all where a law breaks without."""
    alive = []
    for fault in FAULTS:
        if only and not any(word in fault.name for word in only):
            continue
        found = found_after(fault, many, seed)
        alive += [fault.name] if found is None else []
        print(f"{fault.name:<64} " + ("NOT FOUND" if found is None else f"{found[0]:>6}  {found[1]}"), flush=True)
    return alive


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", maxsplit=1)[0])
    parser.add_argument("--examples", type=int, default=10_000, help="cases; with --faults, programs")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=float, help="stop after so long")
    parser.add_argument("--faults", nargs="*", metavar="WORD", help="plant the faults, or those with such a word")
    given = parser.parse_args(arguments)
    if given.faults is not None:
        return int(bool(hunt(min(given.examples, MOST_HUNTED), given.seed, given.faults)))
    return int(campaign(given.examples, given.seed, minutes=given.minutes) > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
