"""Calls of roles, recipes and functions of the host: who is called, and with which arguments."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import calls, types
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir import plan as ir
from recipelang.ir.expressions import Expression
from recipelang.ir.types import AnswerType, ContractType, FloatType, IntType, ModelType, NeverType, Type, spelled
from recipelang.quick import dataclass
from recipelang.semantics.contracts import MAX_REPAIRS
from recipelang.semantics.declarations import MAX_TEMPERATURE
from recipelang.semantics.expressions import Elaborator, listed
from recipelang.semantics.reserved import CALL_SETTINGS
from recipelang.semantics.scope import Scope, Symbol, look_up
from recipelang.semantics.typed import expression_of
from recipelang.source import Span
from recipelang.syntax import nodes


@dataclass(frozen=True, slots=True)
class Signature:
    """What can be called: a role or a recipe with its parameters and what it returns."""

    symbol: Symbol
    parameters: tuple[ir.Parameter, ...]
    returns: Type
    model: Expression | None  # the one that a role names itself
    planning: ir.Planning | None = None  # of a role that returns a plan

    @property
    def is_role(self) -> bool:
        return isinstance(self.symbol.node, nodes.Role)

    @property
    def step(self) -> str:
        """The step that calls it once."""
        return {"role": "ask", "recipe": "run", "extern": "call"}[self.symbol.kind]


WHAT_IT_IS = {
    "role": "a role is one call",
    "recipe": "a recipe is several calls",
    "extern": "an extern is a function of the host",
}
SignatureOf = Callable[[Symbol], Signature]


@dataclass(frozen=True, slots=True)
class Caller:
    """Checks the calls of one file."""

    elaborator: Elaborator
    signature_of: SignatureOf

    @property
    def report(self) -> Report:
        return self.elaborator.report

    def call(self, node: nodes.Call, scope: Scope, *, wants: str, step: str) -> tuple[ir.Call | None, Type]:
        signature = self._callee(node, scope, wants, step)
        if signature is None:
            for argument in node.arguments:
                self.elaborator.typed(argument.value, scope)
            return None, NeverType()
        given = self._given(node, signature)
        arguments = self._arguments(node, signature, given, scope)
        if not signature.is_role:
            return ir.RecipeCall(signature.symbol.qualified, arguments), signature.returns
        return self._role_call(node, signature, given, arguments, scope), signature.returns

    def host(self, node: nodes.Call, scope: Scope, inner: Scope) -> tuple[str, tuple[ir.CallArgument, ...], Type]:
        """The host's function that is called, by its name in the plan, its arguments and what it gives."""
        signature = self._callee(node, scope, "extern", "call")
        if signature is None:
            return "", (), NeverType()
        arguments = self._arguments(node, signature, self._given(node, signature), inner)
        return signature.symbol.qualified, arguments, signature.returns

    def exposed(self, node: nodes.Call, scope: Scope) -> ir.Call | None:
        """The call behind an exposed name, whose arguments are constants."""
        call, _ = self.call(node, scope, wants="recipe", step="expose")
        return call

    def _callee(self, node: nodes.Call, scope: Scope, wants: str, step: str) -> Signature | None:
        if node.callee.text in scope.locals:
            self._called_a_value(node.callee, scope)
            return None
        what = "role or recipe" if wants == "either" else wants
        symbol = self.elaborator.symbol(node.callee, scope, what)
        if symbol is None:
            return None
        if not isinstance(symbol.node, (nodes.Role, nodes.Recipe, nodes.Extern)):
            self.report(
                calls.NOT_CALLABLE.at(
                    node.callee.span,
                    f"the {symbol.kind} `{node.callee.text}` can't be called",
                    label="a step calls a role or a recipe",
                    help=f"call a role, with `model = {node.callee.text}`" if symbol.kind == "model" else "",
                )
            )
            return None
        signature = self.signature_of(symbol)
        if symbol.kind != wants and not (wants == "either" and symbol.kind in ("role", "recipe")):
            self._wrong_step(node, step, signature)
            return None if symbol.kind == "extern" or wants == "extern" else signature
        return signature

    def _called_a_value(self, callee: nodes.Name, scope: Scope) -> None:
        found = look_up(scope.module, callee.text)
        hidden = bool(found) and isinstance(found[0].node, (nodes.Role, nodes.Recipe, nodes.Extern))
        value = scope.locals[callee.text]
        what = value.what
        help = f"call a role, and give it this as its argument: `role(..., model = {callee.text})`"
        if hidden:
            help = f"a name means one thing in a recipe: call the {what} something else than the {found[0].kind}"
        self.report(
            calls.NOT_CALLABLE.at(
                callee.span,
                f"`{callee.text}` is a {what} here, not a role or a recipe",
                labels=(Label(value.span, f"the {what} of that name"),) if value.span is not None else (),
                help=help,
            )
        )

    def _wrong_step(self, node: nodes.Call, step: str, signature: Signature) -> None:
        kind = signature.symbol.kind
        self.report(
            calls.WRONG_STEP.at(
                node.callee.span,
                f"`{step}` does not take {kind}s",
                label=WHAT_IT_IS[kind],
                help=f"write `{signature.step}` instead of `{step}`",
            )
        )

    def _given(self, node: nodes.Call, signature: Signature) -> dict[str, nodes.Expression]:
        """The arguments by parameter or setting."""
        settings = CALL_SETTINGS if signature.is_role else ()
        order = [parameter.name for parameter in signature.parameters]
        given: dict[str, nodes.Expression] = {}
        named: nodes.Argument | None = None
        for position, argument in enumerate(node.arguments):
            if argument.name is None and named is not None:
                self.report(
                    calls.ARGUMENTS.at(
                        argument.span,
                        "an argument without a name stands before those with one",
                        labels=(Label(named.span, "this one has a name"),),
                        help="give it its name",
                    )
                )
                continue
            if argument.name is None and position >= len(order):
                self._one_too_many(argument, node, signature)
                continue
            name = order[position] if argument.name is None else argument.name.text
            named = argument if argument.name is not None else None
            if name not in order and name not in settings:
                self._unknown_argument(cast(nodes.Name, argument.name), [*order, *settings], signature)
            elif name in given:
                self._bad_argument(argument.span, f"`{name}` is given twice", signature)
            else:
                given[name] = argument.value
        return given

    def _one_too_many(self, argument: nodes.Argument, node: nodes.Call, signature: Signature) -> None:
        """Most likely it is the model, which has to be named."""
        has_model = any(other.name is not None and other.name.text == "model" for other in node.arguments)
        named = f"model = {argument.span.text}"
        if not signature.is_role or has_model or not isinstance(argument.value, nodes.Name):
            self._bad_argument(argument.span, "one argument too many", signature, "remove it")
            return
        fix = Fix(f"write `{named}`", (Edit(argument.span, named),))
        self._bad_argument(
            argument.span, "one argument too many", signature, f"if it is the model, write `{named}`", fix
        )

    def _unknown_argument(self, name: nodes.Name, known: list[str], signature: Signature) -> None:
        near = nearest(name.text, known)
        help = f"did you mean `{near}`?" if near else f"it takes {listed(known)}" if known else "it takes none"
        fix = Fix(f"use `{near}`", (Edit(name.span, near),)) if near else None
        self._bad_argument(
            name.span, f"`{signature.symbol.node.name.text}` has no parameter `{name.text}`", signature, help, fix
        )

    def _bad_argument(
        self, span: Span, message: str, signature: Signature, help: str = "", fix: Fix | None = None
    ) -> None:
        declared = signature.symbol.node.name.span
        self.report(
            calls.ARGUMENTS.at(
                span,
                message,
                labels=(Label(declared, f"`{_header(signature)}`"),),
                help=help,
                fix=fix,
            )
        )

    def _arguments(
        self, node: nodes.Call, signature: Signature, given: dict[str, nodes.Expression], scope: Scope
    ) -> tuple[ir.CallArgument, ...]:
        arguments: list[ir.CallArgument] = []
        missing: list[str] = []
        for parameter in signature.parameters:
            value = given.get(parameter.name)
            if value is not None:
                typed = self.elaborator.fitting(value, scope, parameter.type, f"the argument `{parameter.name}`")
                arguments.append(ir.CallArgument(parameter.name, typed.expression))
            elif parameter.default is not None:
                arguments.append(ir.CallArgument(parameter.name, parameter.default))
            else:
                missing.append(parameter.name)
        if missing and len(given) == len(node.arguments):  # else one of them has been reported already
            self.report(
                calls.ARGUMENTS.at(
                    node.span,
                    f"`{node.callee.text}` also needs {listed(missing)}",
                    labels=(Label(signature.symbol.node.name.span, f"`{_header(signature)}`"),),
                    help=f"add {', '.join(f'`{name} = ...`' for name in missing)}",
                )
            )
        return tuple(arguments)

    def _role_call(
        self,
        node: nodes.Call,
        signature: Signature,
        given: dict[str, nodes.Expression],
        arguments: tuple[ir.CallArgument, ...],
        scope: Scope,
    ) -> ir.RoleCall | None:
        fitting = self.elaborator.fitting
        model = fitting(given["model"], scope, ModelType(), "`model`") if "model" in given else None
        chosen = model.expression if model is not None else signature.model
        if chosen is None and len(given) < len(node.arguments):
            return None  # what it was meant to be has been reported
        if chosen is None:
            self.report(
                calls.NO_MODEL.at(
                    node.span,
                    f"which model plays `{node.callee.text}`?",
                    help=f"say it at the call, `{node.callee.text}(..., model = m)`, or in the role, `model = ...`",
                )
            )
            return None
        temperature = (
            fitting(given["temperature"], scope, FloatType(), "`temperature`") if "temperature" in given else None
        )
        if temperature is not None and (temperature.high < 0 or temperature.low > MAX_TEMPERATURE):
            self.report(
                types.OUT_OF_RANGE.at(
                    given["temperature"].span,
                    "`temperature` is out of range",
                    label=f"it goes from 0 to {MAX_TEMPERATURE}",
                )
            )
        tokens = (
            fitting(given["max_tokens"], scope, IntType(1, 1_000_000), "`max_tokens`")
            if "max_tokens" in given
            else None
        )
        contract = (
            fitting(given["contract"], scope, ContractType(MAX_REPAIRS), "`contract`") if "contract" in given else None
        )
        if contract is not None and not isinstance(signature.returns, AnswerType):
            self.report(
                calls.SETTING.at(
                    given["contract"].span,
                    "only an answer has a contract",
                    label=f"this role returns `{spelled(signature.returns)}`",
                )
            )
        return ir.RoleCall(
            role=signature.symbol.qualified,
            arguments=arguments,
            model=chosen,
            temperature=expression_of(temperature),
            max_tokens=expression_of(tokens),
            contract=expression_of(contract),
        )

    def returns_of(self, call: nodes.Call, scope: Scope) -> Type:
        """What a call gives, before its arguments have been looked at."""
        quiet = Elaborator(lambda _: None)
        symbol = quiet.symbol(call.callee, scope, "role or recipe")
        if symbol is None or not isinstance(symbol.node, (nodes.Role, nodes.Recipe)):
            return NeverType()
        return self.signature_of(symbol).returns


def _header(signature: Signature) -> str:
    inside = ", ".join(
        f"{p.name}: {spelled(p.type)}{' = ...' if p.default is not None else ''}" for p in signature.parameters
    )
    return f"{signature.symbol.node.name.text}({inside})"
