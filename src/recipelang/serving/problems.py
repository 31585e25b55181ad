"""What a client is told where it gets no answer: from a failure to an HTTP status and words; never a traceback."""

from __future__ import annotations

from collections.abc import Iterator
from enum import StrEnum

from recipelang.quick import dataclass
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.ports import BackendError, FailureKind


class ProblemKind(StrEnum):
    """Whose affair a problem is; each protocol has words of its own for these."""

    REQUEST = "request"  # what was sent can't be answered as it is
    KEY = "key"  # the client gave no key, or one that is not known
    PERMISSION = "permission"
    NOT_FOUND = "not_found"
    TOO_LARGE = "too_large"
    TIMEOUT = "timeout"
    RATE_LIMIT = "rate_limit"
    OVERLOADED = "overloaded"
    BUDGET = "budget"  # what may be spent is spent
    SERVER = "server"


@dataclass
class Problem(Exception):
    """A request that gets an error. `param` is the field at fault, `may_pass` whether the same may succeed later."""

    status: int
    kind: ProblemKind
    message: str
    code: str | None = None
    param: str | None = None
    retry_after: float | None = None
    may_pass: bool = False

    def __str__(self) -> str:
        return self.message


def refused(message: str, param: str | None = None, code: str | None = None) -> Problem:
    """A request that makes no sense, or asks for what is not to be had."""
    return Problem(400, ProblemKind.REQUEST, message, code, param)


OUR_MISTAKE = Problem(500, ProblemKind.SERVER, "the server made a mistake; it is in its log", "internal_error")


def problem_of(failure: RunFailure) -> Problem:
    """What a run that ended without an answer is in HTTP."""
    why, code = str(failure), failure.kind.value
    match failure.kind:
        case RunFailureKind.REQUEST_TOO_LARGE:
            return refused(why, "messages", "context_length_exceeded")
        case RunFailureKind.REQUEST_UNBOUNDED:
            return refused(why, "messages", code)
        case RunFailureKind.BOUNDARY:
            return Problem(403, ProblemKind.PERMISSION, why, code)
        case RunFailureKind.TIMEOUT | RunFailureKind.DEADLINE:
            return _late(why)
        case RunFailureKind.BUDGET:
            return Problem(402, ProblemKind.BUDGET, why, "budget_exceeded")
        case RunFailureKind.NO_ARM | RunFailureKind.FAILED:
            return Problem(422, ProblemKind.REQUEST, why, code)
        case RunFailureKind.HOST:
            return Problem(500, ProblemKind.SERVER, why, code)
        case RunFailureKind.CONTRACT | RunFailureKind.PLAN | RunFailureKind.NOT_ACCEPTED:
            return _gravest(why, failure) or Problem(502, ProblemKind.SERVER, why, code)
        case RunFailureKind.BACKEND | RunFailureKind.QUORUM:
            return _gravest(why, failure) or Problem(502, ProblemKind.SERVER, why, code, may_pass=True)


def _gravest(why: str, failure: RunFailure) -> Problem | None:
    """Of what is behind a failure, what helps the client most: what may pass, and when."""
    return min(
        _behind(why, failure), key=lambda problem: (not problem.may_pass, _ORDER.index(problem.status)), default=None
    )


def _behind(why: str, failure: BaseException | None) -> Iterator[Problem]:
    """What the failures of calls behind a failure are, and that the time was up for one."""
    waiting = [failure]
    while waiting:
        at = waiting.pop()
        if isinstance(at, BackendError):
            yield _of_call(why, at)
        elif isinstance(at, RunFailure):
            if at.kind in {RunFailureKind.TIMEOUT, RunFailureKind.DEADLINE}:
                yield _late(why)
            waiting += [at.__cause__, *at.causes]


def _late(why: str) -> Problem:
    return Problem(504, ProblemKind.TIMEOUT, why, "timeout", may_pass=True)


_ORDER = (429, 503, 504, 502, 400)


def _of_call(why: str, error: BackendError) -> Problem:
    match error.kind:
        case FailureKind.RATE_LIMIT:
            return Problem(429, ProblemKind.RATE_LIMIT, why, "rate_limit_exceeded", None, error.retry_after, True)
        case FailureKind.REFUSED:
            return Problem(503, ProblemKind.OVERLOADED, why, "upstream_unreachable", may_pass=error.may_pass)
        case FailureKind.TIMEOUT:
            return _late(why)
        case FailureKind.CONTEXT:
            return refused(why, "messages", "context_length_exceeded")
        case FailureKind.FILTERED:
            return refused(why, code="content_filter")
        case FailureKind.REQUEST if error.status in (400, 422):
            return refused(why, code="upstream_refused")
        case FailureKind.SERVER if error.status == 503:
            return Problem(503, ProblemKind.OVERLOADED, why, "upstream_overloaded", None, error.retry_after, True)
        case _:  # our key, our model's name, or an upstream that makes no sense: none of it is the client's affair
            return Problem(502, ProblemKind.SERVER, why, "upstream_failed", may_pass=error.may_pass)
