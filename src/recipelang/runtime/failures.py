"""How a run ends without an answer: one typed error that names the step, the model and the cause."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from recipelang.runtime.ledger import Spend
    from recipelang.runtime.trace import Trace
    from recipelang.runtime.values import Value


class RunFailureKind(StrEnum):
    """Why a step, and with it a run, failed."""

    BACKEND = "backend"  # the model could not be reached, or its answer was none; the cause is a `BackendError`
    TIMEOUT = "timeout"  # a call was cancelled: the time of its step was up
    DEADLINE = "deadline"  # a call was refused before it was sent: the time was up already
    BUDGET = "budget"  # a call was refused before it was sent: it could have broken the budget
    CONTRACT = "contract"  # an answer is not what its contract or its record says, repairs included
    QUORUM = "quorum"  # too few branches of a fan-out came in
    NOT_ACCEPTED = "not_accepted"  # no item of a cascade was accepted
    NO_ARM = "no_arm"  # no arm of a choice applied
    PLAN = "plan"  # a plan can't be carried out: a circle, a worker that is not allowed, too many tasks
    HOST = "host"  # a function of the host failed, took too long, or gave what it does not promise
    BOUNDARY = "boundary"  # a call was refused before it was sent: a boundary keeps the request from the model
    FAILED = "failed"  # the author's own `fail("why")`, or an expression that has nothing to give
    REQUEST_TOO_LARGE = "request_too_large"  # the worst case for this request does not fit into the budget
    REQUEST_UNBOUNDED = "request_unbounded"  # the request has parts whose tokens can't be bounded


class RunFailure(Exception):
    """A step failed and nothing stood in for it.

    `step` is the path of the step (`evidence[1].thoughts`), empty where no step had begun. `best` is an answer that
    was there and did not satisfy its contract. `causes` are the failures of the branches; what led to it otherwise is
    in `__cause__`. `trace` and `spend` are there once the run has ended.
    """

    def __init__(
        self,
        kind: RunFailureKind,
        message: str,
        *,
        step: str = "",
        model: str | None = None,
        best: Value = None,
        causes: tuple[RunFailure, ...] = (),
    ) -> None:
        super().__init__(message)
        self.kind = kind
        self.message = message
        self.step = step
        self.model = model
        self.best = best
        self.causes = causes
        self.is_committed = False  # whether a part of the answer had been sent on already
        self.trace: Trace | None = None
        self.spend: Spend | None = None

    @property
    def reason(self) -> str:
        """The message with the model that it is about: `small: connection refused`."""
        return f"{self.model}: {self.message}" if self.model else self.message

    def __str__(self) -> str:
        return f"step `{self.step}`: {self.reason}" if self.step else self.reason
