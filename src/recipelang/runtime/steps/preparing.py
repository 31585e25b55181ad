"""From a step of the plan to one that is ready to run: the one table of step kinds."""

from __future__ import annotations

from typing import assert_never

from recipelang.ir.plan import Ask, Cascade, Choose, Fanout, HostCall, Let, Perform, Plan, Repeat, Return, Run, Step
from recipelang.runtime.steps.answering import prepare_return
from recipelang.runtime.steps.ask import prepare_ask
from recipelang.runtime.steps.cascade import prepare_cascade
from recipelang.runtime.steps.choose import prepare_choose
from recipelang.runtime.steps.fanout import prepare_fanout
from recipelang.runtime.steps.host_call import prepare_host_call
from recipelang.runtime.steps.let import prepare_let
from recipelang.runtime.steps.perform import prepare_perform
from recipelang.runtime.steps.prepared import PreparedStep
from recipelang.runtime.steps.repeat import prepare_repeat
from recipelang.runtime.steps.run import prepare_run


def prepare_step(step: Step, plan: Plan) -> PreparedStep:
    """Compile the expressions of a step; raises `ValueError` where the plan lacks what it refers to."""
    match step:
        case Ask():
            return prepare_ask(step, plan)
        case Fanout():
            return prepare_fanout(step, plan)
        case Cascade():
            return prepare_cascade(step, plan)
        case Repeat():
            return prepare_repeat(step, plan)
        case Perform():
            return prepare_perform(step, plan)
        case Choose():
            return prepare_choose(step, plan)
        case HostCall():
            return prepare_host_call(step, plan)
        case Run():
            return prepare_run(step, plan)
        case Let():
            return prepare_let(step, plan)
        case Return():
            return prepare_return(step, plan)
        case _:
            assert_never(step)
