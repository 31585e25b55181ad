"""The `test` blocks of a file: what each runs, what its models say, and what it expects; checked with the file."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol, cast

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import names, types
from recipelang.diagnostics.catalogue import testing as codes
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir import plan as ir
from recipelang.ir.expressions import ContractReference
from recipelang.ir.reading import names_in
from recipelang.ir.types import (
    BoolType,
    ContractType,
    DurationType,
    EnumType,
    IntType,
    MoneyType,
    NeverType,
    OptionalType,
    TextType,
    Type,
)
from recipelang.quick import dataclass, field, names_of, replace
from recipelang.semantics.attributes import Attributes, read_attributes
from recipelang.semantics.calling import Caller, SignatureOf
from recipelang.semantics.declarations import Declarer
from recipelang.semantics.expressions import Elaborator, listed
from recipelang.semantics.literals import NoLiteral, json_of
from recipelang.semantics.members import DEFAULT_REPAIRS
from recipelang.semantics.narrowing import facts_if_true
from recipelang.semantics.replies import ReplyReader
from recipelang.semantics.scope import Local, Module, Scope, look_up
from recipelang.semantics.tested import (
    RUN_FAILURES,
    Expectation,
    Observation,
    RecipeTest,
    ScriptedReply,
    Seen,
    TestRequest,
)
from recipelang.source import Span
from recipelang.syntax import nodes

ATTRIBUTES = ("run", "request", "format", "tools", "max_latency", "max_cost", "quality", "metadata", "seed")
SPEAKERS = ("system", "developer", "user", "assistant", "tool")
WORLD = "(test)"
"""The backend of a test's own models; no name of an author's is like it."""
REPAIR = "repair"
"""The role that the trace and the backends know the repairs of a `return` by."""
FIGURES: dict[str, Type] = {
    "calls": IntType(0, None),
    "tokens": IntType(0, None),
    "cost": MoneyType(),
    "time": DurationType(),
    "parallel": IntType(0, None),
    "wasted": IntType(0, None),
    "failure": OptionalType(EnumType(RUN_FAILURES)),
}
"""What an expectation may read besides `result`: what the run used, and how it failed."""
QUESTIONS: dict[str, Type] = {
    "ran": BoolType(),
    "skipped": BoolType(),
    "fell_back": BoolType(),
    "failed": BoolType(),
    "asked": IntType(0, None),
    "prompt": TextType(),
}
"""What an expectation may ask about steps and roles, and the type of the answer."""
MISTAKEN = "(mistaken)"
"""Stands for a question with a mistake, which has been reported."""
_COMPARISONS = ("==", "!=", "<", "<=", ">", ">=", "in", "not in")


class Declared(Protocol):
    """The declarations of all files that were checked, by qualified name."""

    @property
    def roles(self) -> Mapping[str, ir.Role]: ...
    @property
    def externs(self) -> Mapping[str, ir.Extern]: ...
    @property
    def models(self) -> Mapping[str, ir.Model]: ...
    @property
    def recipes(self) -> Mapping[str, ir.Recipe]: ...
    @property
    def entries(self) -> Mapping[str, ir.Entry]: ...


@dataclass(frozen=True)
class TestChecker:
    """Checks the tests of one file, all of whose declarations have been checked."""

    __test__ = False  # for pytest, which would collect it by its name

    root: Module
    declared: Declared
    signature_of: SignatureOf
    declarer_of: Callable[[Module], Declarer]

    def check(self) -> list[RecipeTest]:
        """The tests without mistakes, in the order of the file."""
        found: dict[str, nodes.Text] = {}
        checked = []
        for node in self.root.file.declarations:
            if isinstance(node, nodes.Test):
                self._check_name(node.name, found)
                test = OneTest.of(node, self).check()
                if test is not None:
                    checked.append(test)
        return checked

    def _check_name(self, name: nodes.Text, found: dict[str, nodes.Text]) -> None:
        if name.value in found:
            self.declarer_of(self.root).report(
                names.DUPLICATE.at(
                    name.span,
                    "there is a test of that name already",
                    labels=(Label(found[name.value].span, "the first is here"),),
                    help="say what is different about this one",
                )
            )
        found.setdefault(name.value, name)


@dataclass(frozen=True)
class OneTest:
    node: nodes.Test
    declarer: Declarer  # of the file with the test's own models
    given: Attributes
    file: TestChecker
    observations: dict[str, Observation] = field(default_factory=dict)

    @classmethod
    def of(cls, node: nodes.Test, file: TestChecker) -> OneTest:
        declarer = file.declarer_of(_with_models(file.root, node))
        return cls(node, declarer, read_attributes("a test", node.attributes, ATTRIBUTES, declarer.report), file)

    @property
    def report(self) -> Report:
        return self.declarer.report

    @property
    def scope(self) -> Scope:
        return self.declarer.constants

    def check(self) -> RecipeTest | None:
        node, models = self.node, self._models()
        self._check_complete()
        entry, request = self._entry(), self._request()
        if entry is None:
            return None
        world = World.of(entry.recipe, self.file.declared)
        replies = self._replies(world, models)
        asked = ExpectationReader(self, world, models)
        expectations = [part for expectation in node.expectations for part in asked.parts(expectation.condition)]
        if request is None:
            return None
        return RecipeTest(
            node.name.value,
            node.span,
            node,
            entry,
            request,
            self.given.integer("seed", 0, 2**31) or 0,
            models,
            tuple(replies),
            tuple(expectations),
            self.observations,
        )

    def _check_complete(self) -> None:
        missing = {
            "run": "`run = fusion(panel = [small, large], judge_model = large)`",
            "request": '`request = "Which planet is the largest?"`',
        }
        for name, how in missing.items():
            if name not in self.given.values:
                self._incomplete(f"needs `{name}`", how)
        if not self.node.expectations:
            self._incomplete("expects nothing", 'say what must hold: `expect contains(result.text, "Jupiter")`')

    def _incomplete(self, what: str, how: str) -> None:
        self.report(codes.INCOMPLETE.at(self.node.name.span, f"the test {what}", help=how))

    # -------------------------------------------------------------- models

    def _models(self) -> dict[str, ir.Model]:
        found: dict[str, nodes.Name] = {}
        models: dict[str, ir.Model] = {}
        for node in self.node.models:
            if node.name.text in found:
                self.report(
                    names.DUPLICATE.at(
                        node.name.span,
                        f"there are two models `{node.name.text}` in this test",
                        labels=(Label(found[node.name.text].span, "the first is here"),),
                        help="call one of the two something else",
                    )
                )
                continue
            found[node.name.text] = node.name
            model = self.declarer.model(_in_this_world(node))
            if model is not None:
                models[model.name] = model
        return models

    # ------------------------------------------------------------- the run

    def _entry(self) -> ir.Entry | None:
        node = self.given.get("run")
        match node:
            case None:
                return None
            case nodes.Text(name):
                return self._exposed(node, name)
            case nodes.Call():
                return self._called(node)
            case _:
                self._not_a_run(node.span, "a test runs a recipe with its arguments", "this calls nothing")
                return None

    def _exposed(self, node: nodes.Text, name: str) -> ir.Entry | None:
        entries = self.file.declared.entries
        if name not in entries:
            near = nearest(name, entries)
            self._not_a_run(
                node.span,
                f'this file exposes no "{name}"',
                "not exposed here",
                help=f'did you mean "{near}"?' if near else "",
                fix=Fix(f'use "{near}"', (Edit(node.span, f'"{near}"'),)) if near else None,
            )
        return entries.get(name)

    def _called(self, node: nodes.Call) -> ir.Entry | None:
        symbol = self.declarer.elaborator.symbol(node.callee, self.scope, "recipe")
        if symbol is None:
            return None
        if not isinstance(symbol.node, nodes.Recipe):
            message = f"the {symbol.kind} `{node.callee.text}` can't be run by itself"
            self._not_a_run(node.callee.span, message, "only a recipe can")
            return None
        call = Caller(self.declarer.elaborator, self.file.signature_of).exposed(node, self.scope)
        if not isinstance(call, ir.RecipeCall) or call.recipe not in self.file.declared.recipes:
            return None  # its mistakes have been reported
        return ir.Entry(self.node.name.value, call.recipe, call.arguments)

    def _not_a_run(self, span: Span, message: str, label: str, help: str = "", fix: Fix | None = None) -> None:
        help = help or 'a test says `run = recipe(arguments)`, or `run = "name"` for what the file exposes'
        self.report(codes.NOT_A_RUN.at(span, message, label=label, help=help, fix=fix))

    # --------------------------------------------------------- the request

    def _request(self) -> TestRequest | None:
        messages = self._messages(self.given.get("request"))
        tools, metadata = self._plain("tools"), self._plain("metadata")
        format = self._format()
        max_latency, max_cost = self.given.duration("max_latency"), self.given.money("max_cost")
        quality = self.given.number("quality", 0, 1)
        if messages is None:
            return None
        named = tuple((metadata or {}).items())
        return TestRequest(messages, tuple(tools or ()), format, max_latency, max_cost, quality, named)

    def _messages(self, node: nodes.Expression | None) -> tuple[tuple[str, str], ...] | None:
        match node:
            case None:
                return None
            case nodes.Text(text):
                return (("user", text),)
            case nodes.ListLiteral(items) if items:
                found = [self._message(item) for item in items]
                return tuple(cast(Any, found)) if None not in found else None  # Any: none of them is none
            case _:
                self._wrong(node.span, "request", 'a text, or a list such as `[{ role = user, content = "Why?" }]`')
                return None

    def _message(self, node: nodes.Expression) -> tuple[str, str] | None:
        match node:
            case nodes.RecordLiteral():
                message = read_attributes("a message", node.fields, ("role", "content"), self.report)
                role, content = message.get("role"), message.text("content")
                said = role.value if isinstance(role, nodes.Text) else message.choice("role", SPEAKERS)
                if said in SPEAKERS and content is not None:
                    return said, content.value
            case _:
                pass
        self._wrong(
            node.span,
            "request",
            f'messages such as `{{ role = user, content = "Why?" }}`; roles are {listed(SPEAKERS)}',
        )
        return None

    def _plain(self, name: str) -> Any:  # Any: JSON
        """The list of `tools`, or the record of `metadata`."""
        node = self.given.get(name)
        if node is None:
            return None
        form: type = nodes.ListLiteral if name == "tools" else nodes.RecordLiteral
        try:
            value = json_of(node)
        except NoLiteral:
            value = None
        items = value.values() if isinstance(value, dict) else value or ()
        wanted: type = dict if name == "tools" else str
        if isinstance(node, form) and value is not None and all(isinstance(item, wanted) for item in items):
            return value
        self._wrong(node.span, name, "a list of records" if name == "tools" else 'texts by name, `{ tenant = "lab" }`')
        return None

    def _format(self) -> str | None:
        node = self.given.get("format")
        if node is None:
            return None
        wanted = ContractType(DEFAULT_REPAIRS)
        typed = self.declarer.elaborator.fitting(node, self.scope, wanted, "`format` of a test")
        if isinstance(typed.expression, ContractReference):
            return typed.expression.name
        if not isinstance(typed.type, NeverType):
            self._wrong(node.span, "format", "the name of a contract")
        return None

    def _wrong(self, span: Span, name: str, takes: str) -> None:
        message = f"`{name}` of a test has the wrong value"
        self.report(types.ATTRIBUTE_VALUE.at(span, message, label=f"it takes {takes}"))

    # ------------------------------------------------------------- replies

    def _replies(self, world: World, models: Mapping[str, ir.Model]) -> Iterator[ScriptedReply]:
        reader = ReplyReader(self.declarer, world.roles, world.externs)
        for node in self.node.replies:
            callee = self.found(
                node.callee, [*world.roles, *world.externs], "role or function of the host", codes.NEVER_ASKED
            )
            model = None
            if node.model is not None:
                model = self.found(node.model, [*models, *self.file.declared.models], "model", codes.NEVER_ASKED)
                if model is None:
                    continue
            if callee is not None:
                reply = reader.read(node, callee, model)
                if reply is not None:
                    yield reply

    def found(self, name: nodes.Name, known: Sequence[str], what: str, code: Any) -> str | None:  # Any: a code
        """The one of the known qualified names that is meant; with or without that of its file before it."""
        wanted = {symbol.qualified for symbol in look_up(self.scope.module, name.text)} & set(known)
        matching = sorted(wanted or {one for one in known if one == name.text or one.endswith(f".{name.text}")})
        if len(matching) == 1:
            return matching[0]
        if matching:
            message, help = f"`{name.text}` may be {listed(matching)}", "write one of them whole"
            self.report(code.at(name.span, message, label="which one?", help=help))
            return None
        bare = [one.rpartition(".")[2] for one in known]
        near = nearest(name.text, dict.fromkeys([*bare, *known]))
        self.report(
            code.at(
                name.span,
                f"the run of this test has no {what} `{name.text}`",
                help=f"did you mean `{near}`?" if near else f"it has {listed(dict.fromkeys(bare))}" if bare else "",
                fix=Fix(f"use `{near}`", (Edit(name.span, near),)) if near else None,
            )
        )
        return None


@dataclass(frozen=True)
class World:
    """All that a recipe can reach: the roles and the functions of the host with what they return, the steps."""

    recipe: str
    roles: Mapping[str, Type]
    externs: Mapping[str, Type]
    steps: Sequence[tuple[str, str]]  # the recipe, and the step in it

    @classmethod
    def of(cls, recipe: str, declared: Declared) -> World:
        reached = list(reached_recipes(recipe, declared.recipes))
        named = {name for one in reached for name in names_in(declared.recipes[one].steps)}
        roles: dict[str, Type] = {name: role.returns for name, role in declared.roles.items() if name in named}
        mended = [s for one in reached for s in declared.recipes[one].steps if isinstance(s, ir.Return) and s.contract]
        if mended:
            roles.setdefault(REPAIR, TextType())
        externs = {name: extern.returns for name, extern in declared.externs.items() if name in named}
        steps = [(one, step.name) for one in reached for step in declared.recipes[one].steps]
        return cls(recipe, roles, externs, steps)


def reached_recipes(recipe: str, recipes: Mapping[str, ir.Recipe]) -> Iterator[str]:
    """A recipe and all that it runs, itself first."""
    waiting, found = [recipe], {recipe}
    while waiting:
        name = waiting.pop(0)
        yield name
        called = [one for one in names_in(recipes[name].steps) if one in recipes and one not in found]
        found.update(called)
        waiting += dict.fromkeys(called)


def _with_models(root: Module, test: nodes.Test) -> Module:
    """The file as a test sees it: its own models before the declarations of these names."""
    own = {model.name.text: model for model in test.models}
    world = nodes.Name(WORLD, span=test.name.span)
    backend = nodes.Backend(world, (_attribute("kind", nodes.Name("local", span=world.span)),), span=test.span)
    return Module(
        root.name, root.source, root.file, {**root.declared, **own, WORLD: backend}, root.uses, root.incomplete
    )


def _in_this_world(node: nodes.Model) -> nodes.Model:
    """A model with what a test may leave out: where it is, its id, and a price of nothing."""
    span = node.name.span
    free = nodes.Number(nodes.NumberKind.MONEY, 0.0, span=span)
    price = nodes.RecordLiteral((_attribute("input", free), _attribute("output", free)), span=span)
    supplied: dict[str, nodes.Expression] = {
        "backend": nodes.Name(WORLD, span=span),
        "id": nodes.Text(node.name.text, span=span),
        "price": price,
    }
    written = {attribute.name.text for attribute in node.attributes}
    more = tuple(_attribute(name, value) for name, value in supplied.items() if name not in written)
    return replace(node, attributes=node.attributes + more)


def _attribute(name: str, value: nodes.Expression) -> nodes.Attribute:
    return nodes.Attribute(nodes.Name(name, span=value.span), value, span=value.span)


# -------------------------------------------------------------- expectations


@dataclass(frozen=True)
class ExpectationReader:
    """Reads what a test expects; questions about the run become names, which the expressions read like any other."""

    test: OneTest
    world: World
    models: Mapping[str, ir.Model]

    def parts(self, condition: nodes.Expression) -> Iterator[Expectation]:
        """The conditions that `and` joins, each for itself: what the ones before have shown holds for those behind."""
        scope = self._scope(observed := self._with_names(condition))
        elaborator = self.test.declarer.elaborator
        for part in _joined_by_and(observed):
            typed = elaborator.condition(part, scope, "what a test expects")
            yield Expectation(part.span, typed.expression, tuple(self._seen(part, scope)), _is_equality(part))
            scope = scope.with_narrowed(facts_if_true(part, elaborator.type_at(scope)))

    def _scope(self, condition: nodes.Expression) -> Scope:
        result = self.test.file.declared.recipes[self.world.recipe].returns
        known = {name: Local(type, None, "figure of the run") for name, type in FIGURES.items()}
        known["result"] = Local(result, None, "result")
        known[MISTAKEN] = Local(NeverType(), None, "mistake")
        for name, observation in self.test.observations.items():
            known[name] = Local(QUESTIONS[observation.kind], None, "question about the run")
        outer = self.test.scope
        return Scope(outer.module, ChainMap(known, dict(outer.locals)), unavailable=outer.unavailable)

    def _seen(self, part: nodes.Expression, scope: Scope) -> Iterator[Seen]:
        quiet = Elaborator(lambda _: None)
        for node in dict.fromkeys(_telling(part)):
            typed = quiet.typed(node, scope)
            if not isinstance(typed.type, NeverType):
                yield Seen(node.span, typed.expression, typed.type)

    # ----------------------------------------------------------- questions

    def _with_names(self, node: nodes.Expression) -> nodes.Expression:
        """The expression with a name in place of each question."""
        if isinstance(node, nodes.Call) and node.callee.text in QUESTIONS:
            return self._question(node)
        return cast(nodes.Expression, _mapped(node, self._with_names))

    def _question(self, node: nodes.Call) -> nodes.Expression:
        observation = self._observation(node)
        if observation is None:
            return nodes.Name(MISTAKEN, span=node.span)
        about = ".".join(observation.step) if observation.step else observation.role
        name = f"{observation.kind}({about}{', ' + observation.model if observation.model else ''})"
        self.test.observations[name] = observation
        return nodes.Name(name, span=node.span)

    def _observation(self, node: nodes.Call) -> Observation | None:
        kind, spans = node.callee.text, [argument.span for argument in node.arguments]
        about = [_dotted(argument.value) for argument in node.arguments if argument.name is None]
        of_role = kind in ("asked", "prompt")
        most = 2 if of_role else 1
        if not 1 <= len(about) <= most or len(about) != len(spans) or None in about:
            takes = "a role, and a model where it matters" if of_role else "the name of a step"
            example = f"{kind}(judge, small)" if of_role else f"{kind}(answers)"
            self._mistaken(node.span, f"`{kind}` takes {takes}", f"such as `{example}`")
            return None
        names_ = cast(list[nodes.Name], about)
        observed = self._of_role(kind, names_[0]) if of_role else self._of_step(kind, names_[0])
        if observed is None or len(names_) == 1:
            return observed
        known = [*self.models, *self.test.file.declared.models]
        model = self.test.found(names_[1], known, "model", codes.OBSERVATION)
        return None if model is None else replace(observed, model=model)

    def _of_role(self, kind: str, name: nodes.Name) -> Observation | None:
        known = [*self.world.roles, *(self.world.externs if kind == "asked" else ())]
        role = self.test.found(name, known, "role", codes.OBSERVATION)
        return None if role is None else Observation(cast(Any, kind), role=role)  # Any: one of the questions

    def _of_step(self, kind: str, name: nodes.Name) -> Observation | None:
        """A step by its name, after that of its recipe where it matters; `ran` also takes a role."""
        matching = [step for step in self.world.steps if _is_called(step, name.text)]
        own = [step for step in matching if step[0] == self.world.recipe]
        if own or len(matching) == 1:
            return Observation(cast(Any, kind), step=(own or matching)[0])  # Any: one of the questions
        if matching:
            ways = listed(f"{recipe.rpartition('.')[2]}.{step}" for recipe, step in matching)
            self._mistaken(name.span, f"there is more than one step `{name.text}`", f"write {ways}")
            return None
        if kind == "ran" and any(role == name.text or role.endswith(f".{name.text}") for role in self.world.roles):
            return self._of_role(kind, name)
        steps = dict.fromkeys(step for _, step in self.world.steps)
        known = [*steps, *(role.rpartition(".")[2] for role in self.world.roles if kind == "ran")]
        near = nearest(name.text, known)
        self.test.report(
            codes.OBSERVATION.at(
                name.span,
                f"the run of this test has no step `{name.text}`",
                help=f"did you mean `{near}`?" if near else f"it has {listed(steps)}",
                fix=Fix(f"use `{near}`", (Edit(name.span, near),)) if near else None,
            )
        )
        return None

    def _mistaken(self, span: Span, message: str, label: str) -> None:
        self.test.report(codes.OBSERVATION.at(span, message, label=label))


def _is_called(step: tuple[str, str], name: str) -> bool:
    """Whether a step is meant by `final`, `fusion.final` or `std.fusion.final`."""
    recipe, own = step
    return name == own or name in (f"{recipe}.{own}", f"{recipe.rpartition('.')[2]}.{own}")


def _dotted(node: nodes.Expression) -> nodes.Name | None:
    """A name, or one in a recipe or a file, as one name."""
    match node:
        case nodes.Name():
            return node
        case nodes.Member(target, name) if (inner := _dotted(target)) is not None:
            return nodes.Name(f"{inner.text}.{name.text}", span=node.span)
        case _:
            return None


def _joined_by_and(condition: nodes.Expression) -> Iterator[nodes.Expression]:
    match condition:
        case nodes.Binary("and", left, right):
            yield from _joined_by_and(left)
            yield from _joined_by_and(right)
        case _:
            yield condition


def _is_equality(part: nodes.Expression) -> bool:
    return isinstance(part, nodes.Binary) and part.operator == "=="


def _telling(part: nodes.Expression) -> Iterator[nodes.Expression]:
    """The parts whose values tell why a condition does not hold: not its literals, which can be read."""
    match part:
        case nodes.Binary(operator, left, right) if operator in _COMPARISONS or operator == "or":
            for side in (left, right):
                yield from _telling(side) if operator == "or" else _unless_literal(side)
        case nodes.Unary("not", operand):
            yield from _telling(operand)
        case nodes.Call(arguments=arguments):
            for argument in arguments:
                yield from _unless_literal(argument.value)
        case _:
            yield from _unless_literal(part)


def _unless_literal(node: nodes.Expression) -> Iterator[nodes.Expression]:
    literals = (nodes.Text, nodes.Number, nodes.Bool, nodes.NoneLiteral)
    if not isinstance(node, literals):
        yield node


def _mapped(node: Any, change: Callable[[Any], Any]) -> Any:  # Any: a node of any kind, and what its fields hold
    """A node with what is inside it changed."""
    if isinstance(node, tuple):
        return tuple(change(item) if isinstance(item, nodes.Node) else item for item in node)
    inside = {name: getattr(node, name) for name in names_of(node) if name != "span"}
    changed = {
        name: change(value) if isinstance(value, nodes.Node) else _mapped(value, change)
        for name, value in inside.items()
        if isinstance(value, (nodes.Node, tuple))
    }
    return replace(node, **changed) if changed else node
