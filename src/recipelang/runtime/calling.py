"""One call of a role: its prompt, the record or the contract that its answer is held to, and the repairs of either."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from typing import cast

from recipelang.ir.commitment import demands_nothing
from recipelang.ir.expressions import Expression
from recipelang.ir.plan import Contract, Model, Plan, Role, RoleCall
from recipelang.ir.schema import plan_schema
from recipelang.ir.sizing import DEFAULT_MAX_TOKENS, DEFAULT_TIMEOUT
from recipelang.quick import dataclass
from recipelang.runtime.contracts import Parsed, extract, parse_plan, parse_record
from recipelang.runtime.exchange import Exchange, Messages
from recipelang.runtime.expressions import Evaluator, compile_expression
from recipelang.runtime.failures import RunFailure, RunFailureKind
from recipelang.runtime.frame import Execution, Frame, evaluate, seed_for
from recipelang.runtime.ports import Reply
from recipelang.runtime.turns import called
from recipelang.runtime.values import NOTHING_MORE, Answer, Value

REPAIR_ROLE = "repair"
"""The role of the calls that mend the answer of a `return`, in the trace and for a backend."""


@dataclass(frozen=True, slots=True)
class Form:
    """What a role returns in JSON: the schema that the model is given, and how its answer is read."""

    schema: str
    what: str
    failure: RunFailureKind
    read: Callable[[str, int], Parsed]


def _form(role: Role, arguments: dict[str, Value]) -> Form | None:
    """The form of a role's answer; none for one that answers in words."""
    if role.planning is not None:
        workers = cast(tuple[Model, ...], arguments[role.planning.workers])
        steps = cast(int, arguments[role.planning.steps])
        by_name = {model.name: model for model in workers}
        schema = plan_schema(list(by_name), steps)
        return Form(schema, "plan", RunFailureKind.PLAN, partial(parse_plan, schema, by_name))
    if role.schema is not None:
        return Form(role.schema, "record", RunFailureKind.CONTRACT, partial(parse_record, role.schema))
    return None


@dataclass(frozen=True, slots=True)
class PreparedRoleCall:
    """A role's call with its expressions compiled. `mends`: an answer must satisfy its contract, repaired if need be."""

    role: Role
    arguments: tuple[tuple[str, Evaluator], ...]
    model: Evaluator
    temperature: Evaluator | None
    max_tokens: Evaluator | None
    contract: Evaluator | None  # of the call, over the caller's names
    role_contract: Evaluator | None  # of the role, over its parameters
    logprobs: bool
    patience: float  # seconds for the whole exchange, where the step has no timeout
    retries: int = 0
    hedge: float | None = None  # seconds, after which a call is sent a second time
    mends: bool = False

    async def __call__(
        self, frame: Frame, values: dict[str, Value], path: str, deadline: float, sample: int = 0
    ) -> Value:
        execution = frame.execution
        arguments = {name: evaluate(compiled, values, path) for name, compiled in self.arguments}
        contract = self._contract(execution, values, arguments, path)
        form = _form(self.role, arguments)
        exchange, messages = self._begun(
            partial(self._exchange, frame, values, path, deadline, sample), arguments, form
        )
        if form is None and self.hedge is None and demands_nothing(contract):  # of two answers none is spoken early
            exchange.voice = frame.voice
        with exchange.in_time():
            if form is not None:
                return await self._record(exchange, messages, form)
            return await self._answer(exchange, messages, contract)
        raise exchange.timed_out()

    def _begun(
        self, made: Callable[[int], Exchange], arguments: dict[str, Value], form: Form | None
    ) -> tuple[Exchange, Messages]:
        """An exchange with its messages; one that an earlier turn of a loop of tools began is what it was then."""
        prompted = self.role.json == "prompted"
        turn = 0
        while True:
            exchange = made(turn)
            execution = exchange.frame.execution
            if form is not None:
                exchange.schema, exchange.strict = None if prompted else form.schema, True
            messages = execution.prompter.messages(self.role, arguments, execution.turns.requests[turn], exchange.seed)
            if form is not None and prompted:
                messages = execution.prompter.in_form(messages, form.schema)
            if turn == execution.turns.last or execution.turns.knows(exchange.call(messages)):
                return exchange, messages
            turn += 1

    def _contract(
        self, execution: Execution, values: dict[str, Value], arguments: dict[str, Value], path: str
    ) -> Contract | None:
        if self.contract is not None:
            return cast(Contract | None, evaluate(self.contract, values, path))
        if self.role_contract is not None:
            known = {**arguments, "request": execution.request}
            return cast(Contract | None, evaluate(self.role_contract, known, path))
        return None

    def _exchange(
        self, frame: Frame, values: dict[str, Value], path: str, deadline: float, sample: int, turn: int
    ) -> Exchange:
        role, execution = self.role, frame.execution
        model = cast(Model, evaluate(self.model, values, path))
        temperature, max_tokens = role.temperature, role.max_tokens
        if self.temperature is not None:
            temperature = cast(float | None, evaluate(self.temperature, values, path))
        if self.max_tokens is not None:
            max_tokens = cast(int, evaluate(self.max_tokens, values, path))
        request = execution.turns.requests[turn]
        tools = request.tools if role.may_call else ()
        exchange = Exchange(
            frame,
            path,
            model,
            role.name,
            max_tokens,
            seed_for(execution.seed, path, sample),
            min(deadline, execution.timer() + self.patience),
            temperature,
            self.logprobs and model.logprobs is not False,
            None,
            tools,
            sample,
            self.retries,
            self.hedge,
            others=request.tool_options if tools else NOTHING_MORE,
            turn=turn,
        )
        if frame.answers:
            exchange.heed(request, in_form=role.conversation)
        return exchange

    async def _answer(self, exchange: Exchange, messages: Messages, contract: Contract | None) -> Answer:
        role = self.role.name
        reply = await exchange.send(messages)
        while reply.tool_calls and (more := self._results(exchange, reply)) is not None:
            messages = (*messages, *more)
            reply = await exchange.send(messages)
        if reply.tool_calls and exchange.frame.answers:
            exchange.frame.execution.turns.can_go_on(reply.tool_calls)
        if contract is None or reply.tool_calls:  # a call of the client's tools is no answer yet
            value = called(reply.tool_calls) if reply.tool_calls else reply.text
            return exchange.answer(role, reply, value, valid=True)
        answer, problem = _held_to(contract, exchange, role, reply)
        if problem is None or not self.mends:
            return answer
        return await _mended(exchange, messages, contract, answer, problem)

    def _results(self, exchange: Exchange, reply: Reply) -> Messages | None:
        """What has been said since a model called tools, where its calls were taken: it goes on with that.

        From then on the exchange asks as the later turn does.
        """
        turns = exchange.frame.execution.turns
        later = turns.after(exchange.turn, reply.tool_calls) if exchange.frame.answers else None
        if later is None:
            return None
        exchange.frame.execution.recorder.record("tools_answered", exchange.path, turn=later + 1)
        more = turns.said_since(exchange.turn, later)
        exchange.goes_on(later, tools=self.role.may_call)
        return more

    async def _record(self, exchange: Exchange, messages: Messages, form: Form) -> Value:
        prompter = exchange.frame.execution.prompter
        reply = await exchange.send(messages)
        found = form.read(reply.text, exchange.shown)
        for _ in range(self.role.repair):
            if found.problem is None:
                break
            _say_repair(exchange, found.problem)
            reply = await exchange.send(prompter.repair(messages, reply.text, found.problem, "", exchange.shown))
            found = form.read(reply.text, exchange.shown)
        if found.problem is None:
            if found.repaired:
                _say_mended(exchange)
            return found.value
        raise RunFailure(
            form.failure,
            f"the answer is not the {form.what} that `{self.role.name}` returns: {found.problem}",
            step=exchange.path,
            model=exchange.model.name,
            best=exchange.answer(self.role.name, reply, None, valid=False),
        )


def prepare_role_call(
    call: RoleCall,
    plan: Plan,
    *,
    timeout: float | None,
    retries: int = 0,
    hedge: float | None = None,
    mends: bool = False,
) -> PreparedRoleCall:
    """Compile what a step says about its call; `timeout` is the step's, and none leaves each call the default."""
    role = plan.roles[call.role]

    def compiled(expression: Expression | None) -> Evaluator | None:
        return None if expression is None else compile_expression(expression, plan)

    return PreparedRoleCall(
        role=role,
        arguments=tuple((argument.name, compile_expression(argument.value, plan)) for argument in call.arguments),
        model=compile_expression(call.model, plan),
        temperature=compiled(call.temperature),
        max_tokens=compiled(call.max_tokens),
        contract=compiled(call.contract),
        role_contract=compiled(role.contract),
        logprobs=call.logprobs,
        patience=DEFAULT_TIMEOUT if timeout is None else math.inf,
        retries=retries,
        hedge=hedge,
        mends=mends,
    )


async def mend(frame: Frame, path: str, contract: Contract, answer: Answer, problem: str) -> Answer:
    """The answer of a `return`, mended by the model that gave it; raises `RunFailure` with the best there is."""
    execution = frame.execution
    exchange = Exchange(
        frame,
        path,
        answer.model,
        REPAIR_ROLE,
        _allowed(answer, execution.plan),
        seed_for(execution.seed, path, 0),
        min(frame.deadline, execution.timer() + DEFAULT_TIMEOUT),
        prompt_tokens=answer.usage.prompt_tokens,
        completion_tokens=answer.usage.completion_tokens,
        reported=answer.usage.reported,
        cost=answer.cost,
        latency=answer.latency,
    )
    if frame.answers:
        exchange.heed(execution.request, in_form=True)
    try:
        with exchange.in_time():
            return await _mended(exchange, execution.request.messages, contract, answer, problem)
        raise exchange.timed_out()
    except RunFailure as failure:
        if failure.kind is RunFailureKind.CONTRACT:
            raise
        raise unmet(path, contract, answer, f"{problem}; it was not mended: {failure.reason}") from failure


def _allowed(answer: Answer, plan: Plan) -> int:
    """The completion tokens of a repair: as many as the answer itself was allowed."""
    if answer.max_tokens is not None:
        return answer.max_tokens
    role = plan.roles.get(answer.role)
    return DEFAULT_MAX_TOKENS if role is None else role.max_tokens


async def _mended(exchange: Exchange, messages: Messages, contract: Contract, answer: Answer, problem: str) -> Answer:
    """Ask for a repair as often as the contract allows; each time about the latest answer."""
    prompter = exchange.frame.execution.prompter
    for _ in range(contract.repair):
        _say_repair(exchange, problem)
        reply = await exchange.send(prompter.repair(messages, answer.text, problem, contract.hint, exchange.shown))
        answer, trouble = _held_to(contract, exchange, answer.role, reply)
        if trouble is None:
            return answer
        problem = trouble
    raise unmet(exchange.path, contract, answer, problem)


def unmet(path: str, contract: Contract, answer: Value, problem: str) -> RunFailure:
    """The failure of an answer, or a text, that is not what its contract says."""
    return RunFailure(
        RunFailureKind.CONTRACT,
        f"the answer does not satisfy `{contract.name}`: {problem}",
        step=path,
        model=answer.model.name if isinstance(answer, Answer) else None,
        best=answer,
    )


def _held_to(contract: Contract, exchange: Exchange, role: str, reply: Reply) -> tuple[Answer, str | None]:
    """The answer in a reply with what the contract finds in it, and the problem where it does not satisfy it."""
    found = extract(contract, reply.text)
    if found.repaired:
        _say_mended(exchange)
    return exchange.answer(role, reply, found.value, found.valid), found.problem


def _say_mended(exchange: Exchange) -> None:
    exchange.frame.execution.recorder.record("json_repaired", exchange.path, model=exchange.model.name)


def _say_repair(exchange: Exchange, problem: str) -> None:
    exchange.frame.execution.recorder.record("repair", exchange.path, model=exchange.model.name, problem=problem)
