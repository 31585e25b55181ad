"""What came of a test: which of its expectations do not hold, and the run that they are about."""

from __future__ import annotations

from recipelang.quick import dataclass
from recipelang.recipetests.observing import Watched
from recipelang.runtime.failures import RunFailure
from recipelang.runtime.ledger import Spend
from recipelang.runtime.trace import Trace
from recipelang.semantics.tested import RecipeTest
from recipelang.source import Span


@dataclass(frozen=True, slots=True)
class Shown:
    """A part of an expectation and the value that it had, as the language writes it."""

    written: str
    value: str


@dataclass(frozen=True, slots=True)
class Unmet:
    """An expectation that does not hold. `wanted` and `got` are the two texts that should have been equal."""

    span: Span
    shown: tuple[Shown, ...]
    why: str = ""  # where it has no value at all
    differing: tuple[str, str] | None = None


@dataclass(frozen=True, slots=True)
class Problem:
    """What kept a test from being judged by its expectations alone: a call without a reply, a run that failed."""

    message: str
    span: Span
    label: str = ""
    help: str = ""


class _NotCollected:
    """Keeps pytest from taking a `TestResult` for a test of its own."""

    __slots__ = ()
    __test__ = False


@dataclass(frozen=True, slots=True)
class TestResult(_NotCollected):
    """One test and its run. It passed where there is neither a problem nor an expectation that does not hold."""

    test: RecipeTest
    problems: tuple[Problem, ...]
    unmet: tuple[Unmet, ...]
    watched: Watched
    spend: Spend
    failure: RunFailure | None
    wall: float  # seconds that it really took

    @property
    def name(self) -> str:
        return self.test.name

    @property
    def trace(self) -> Trace:
        """Everything that happened in the run, with what was said."""
        return self.watched.trace

    @property
    def passed(self) -> bool:
        return not self.problems and not self.unmet
