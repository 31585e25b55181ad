"""What a step sees of the run around it: the frame of its recipe, and in it the execution that all frames share."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from hashlib import blake2b
from typing import Protocol

from recipelang.ir.plan import Plan
from recipelang.quick import unguarded as dataclass
from recipelang.runtime.expressions import Environment, Evaluator, StepFailed
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.ledger import Account
from recipelang.runtime.ports import Backend, Clock, HostFunction
from recipelang.runtime.prompts import Prompter
from recipelang.runtime.prospects import Bounds
from recipelang.runtime.trace import Recorder
from recipelang.runtime.turns import Turns
from recipelang.runtime.values import Request, Value
from recipelang.runtime.voice import Voice


class RunsRecipe(Protocol):
    """A recipe made ready to run."""

    async def __call__(
        self,
        execution: Execution,
        arguments: dict[str, Value],
        path: str,
        deadline: float,
        account: Account,
        voice: Voice | None = None,
        *,
        answers: bool = False,
    ) -> Value: ...


@dataclass(frozen=True, slots=True)
class Execution:
    """One run: what was asked, and all that the run reaches outside with. Deadlines are in seconds of `timer`."""

    plan: Plan
    request: Request  # with which it began: in a loop of tools that of the first turn
    seed: int
    clock: Clock
    timer: Callable[[], float]
    recorder: Recorder
    backends: Mapping[str, Backend]
    prompter: Prompter
    recipes: Mapping[str, RunsRecipe]
    functions: Mapping[str, HostFunction]
    withheld: Mapping[str, str]  # the models and functions that may not see the request, with the boundary that says so
    turns: Turns


@dataclass(frozen=True, slots=True)
class Frame:
    """One run of one recipe: the values that are there, its place in the run, its time and its money."""

    execution: Execution
    values: dict[str, Value]
    path: str  # what stands before the name of a step: empty, or `evidence[1].`
    deadline: float
    account: Account
    voice: Voice | None = None  # where the step's answer is the run's: it may be spoken as it comes
    answers: bool = False  # whether what the step gives may become the run's answer
    arms: Bounds | None = None  # what the arms of each `choose` that weighs them can use

    @property
    def is_committed(self) -> bool:
        """Whether a part of the answer has been sent, so that nothing else can take its place."""
        return self.voice is not None and self.voice.spoke


def evaluate(compiled: Evaluator, values: Environment, path: str) -> Value:
    """The value of an expression of the step at `path`; where it has none, the step fails for the reason it gives."""
    try:
        return compiled(values)
    except StepFailed as failed:
        raise RunFailure(RunFailureKind.FAILED, str(failed), step=path) from failed


def seed_for(seed: int, path: str, sample: int) -> int:
    """The seed of one call, of 31 bits: from the run's seed, the path of its step and the index of its sample."""
    digest = blake2b(f"{seed}/{path}/{sample}".encode(), digest_size=4).digest()
    return int.from_bytes(digest, "big") >> 1
