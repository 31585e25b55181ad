"""Expressions: from what an author wrote to typed expressions of the plan; knows nothing of steps and roles."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal, cast

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import calls, names, types
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir import expressions as ir
from recipelang.ir.functions import FUNCTIONS
from recipelang.ir.types import (
    BoolType,
    ContractType,
    DurationType,
    EnumType,
    FieldType,
    IntType,
    ListType,
    ModelType,
    MoneyType,
    NeverType,
    NoneType,
    OptionalType,
    RecordType,
    ScoreType,
    TextType,
    Type,
    spelled,
)
from recipelang.quick import dataclass
from recipelang.resources import standard_recipe_names
from recipelang.semantics import members
from recipelang.semantics.advising import (
    OTHER_NAMES,
    advice,
    brief,
    conversion_fix,
    conversion_help,
    length_help,
)
from recipelang.semantics.arithmetic import arithmetic_type, interval, ordered_alike
from recipelang.semantics.functions import CallSite, result_of
from recipelang.semantics.narrowing import TypeAt, facts_if_false, facts_if_true, path_of
from recipelang.semantics.reserved import RESERVED, reserved
from recipelang.semantics.scope import Local, Scope, Symbol, hidden, look_up, may_declare, visible_names
from recipelang.semantics.typed import ERRONEOUS, Typed
from recipelang.semantics.typing import fits, fits_but_for_length, is_number, join, number_type, without_none
from recipelang.source import Span
from recipelang.syntax import nodes


@dataclass(frozen=True, slots=True)
class Elaborator:
    """Types expressions in a scope and hands their mistakes to `report`."""

    report: Report

    def typed(self, node: nodes.Expression, scope: Scope, wanted: Type | None = None) -> Typed:
        """The expression and its own type; `wanted` only helps to read bare names and empty lists."""
        match node:
            case nodes.Name():
                return self._name(node, scope, wanted)
            case nodes.Number():
                return _number(node)
            case nodes.Text(value):
                return Typed(ir.Constant(value), TextType())
            case nodes.Bool(value):
                return Typed(ir.Constant(value), BoolType())
            case nodes.NoneLiteral():
                return Typed(ir.Constant(None), NoneType())
            case nodes.ListLiteral():
                return self._list(node, scope, wanted)
            case nodes.RecordLiteral():
                return self._record(node, scope, wanted)
            case nodes.Unary():
                return self._unary(node, scope)
            case nodes.Binary():
                return self._binary(node, scope, wanted)
            case nodes.Conditional():
                return self._conditional(node, scope, wanted)
            case nodes.Member():
                return self._member(node, scope)
            case nodes.Index():
                return self._index(node, scope)
            case nodes.Call():
                return self._call(node, scope)
            case nodes.Comprehension():
                return self._comprehension(node, scope)

    def fitting(self, node: nodes.Expression, scope: Scope, wanted: Type, what: str) -> Typed:
        """The expression as a value of type `wanted`; `what` says in messages what the value is for."""
        typed = self.typed(node, scope, wanted)
        return self.as_fitting(node, typed, wanted, what)

    def as_fitting(self, node: nodes.Expression, typed: Typed, wanted: Type, what: str) -> Typed:
        """An expression that has been typed, as a value of type `wanted`."""
        if fits(typed.type, wanted):
            return typed
        self._misfit(node, typed, wanted, what)
        return Typed(typed.expression, NeverType())

    def condition(self, node: nodes.Expression, scope: Scope, what: str) -> Typed:
        return self.fitting(node, scope, BoolType(), what)

    # ------------------------------------------------------------- mistakes

    def _misfit(self, node: nodes.Expression, typed: Typed, wanted: Type, what: str) -> None:
        actual = typed.type
        if isinstance(actual, OptionalType) and fits(actual.item, wanted):
            self.report(
                types.MAYBE_NONE.at(
                    node.span,
                    f"{what} may be none",
                    label=f"`{spelled(actual)}`, but `{spelled(wanted)}` is wanted",
                    help=f"say what to use instead, `{brief(node)} or ...`, or test it first, `{brief(node)} != none`",
                )
            )
            return
        if fits_but_for_length(actual, wanted):
            self.report(
                types.LIST_LENGTH.at(
                    node.span,
                    f"{what} may have the wrong length",
                    label=f"`{spelled(actual)}`, but `{spelled(wanted)}` is wanted",
                    help=length_help(cast(ListType, actual), cast(ListType, wanted)),
                )
            )
            return
        if isinstance(actual, IntType) and isinstance(wanted, (IntType, ScoreType)):
            self.report(
                types.OUT_OF_RANGE.at(
                    node.span,
                    f"{what} is out of range",
                    label=f"`{spelled(actual)}`, but `{spelled(wanted)}` is wanted",
                    help="use a number in the range, or `clamp` it",
                )
            )
            return
        self.report(
            types.MISMATCH.at(
                node.span,
                f"{what} has the wrong type",
                label=f"this is `{spelled(actual)}`, but `{spelled(wanted)}` is wanted",
                help=conversion_help(actual, wanted),
                fix=conversion_fix(node, actual, wanted),
            )
        )

    # ---------------------------------------------------------------- names

    def _name(self, node: nodes.Name, scope: Scope, wanted: Type | None) -> Typed:
        if node.text in scope.unavailable:
            why = scope.unavailable[node.text]
            self.report(names.NOT_HERE.at(node.span, f"`{node.text}` can't be read here", label=why))
            return ERRONEOUS
        if node.text in scope.locals:
            type = scope.narrowed.get(node.text, scope.locals[node.text].type)
            return Typed(ir.Variable(node.text), type)
        if _is_label(wanted) and not look_up(scope.module, node.text):
            return self._label(node, cast(EnumType, without_none(cast(Type, wanted))))
        symbol = self.symbol(node, scope, "name")
        if symbol is None:
            return ERRONEOUS
        match symbol.node:
            case nodes.Model():
                return Typed(ir.ModelReference(symbol.qualified), ModelType())
            case nodes.Contract():
                return Typed(ir.ContractReference(symbol.qualified), ContractType(members.repairs_of(symbol.node)))
            case nodes.Boundary():
                return Typed(ir.BoundaryReference(symbol.qualified), BoolType())
            case nodes.Signal() | nodes.Band():
                return Typed(ir.SignalReference(symbol.qualified), type_of_signal(symbol))
            case nodes.Role() | nodes.Recipe() | nodes.Extern():
                self.report(
                    calls.NOT_IN_EXPRESSION.at(
                        node.span,
                        f"the {symbol.kind} `{node.text}` is not a value",
                        label=f"an expression never calls {'the host' if symbol.kind == 'extern' else 'a model'}",
                        help=f"call it in a step, such as `{_step_for(symbol)} x = {node.text}(...)`, and use `x` here",
                    )
                )
            case _:
                self.report(
                    types.MISMATCH.at(node.span, f"the {symbol.kind} `{node.text}` is not a value", label="not a value")
                )
        return ERRONEOUS

    def _label(self, node: nodes.Name, wanted: EnumType) -> Typed:
        if not wanted.cases or node.text in wanted.cases:
            return Typed(ir.Constant(node.text), EnumType((node.text,)))
        near = nearest(node.text, wanted.cases)
        self.report(
            names.UNKNOWN_CASE.at(
                node.span,
                f"`{node.text}` is not one of {listed(wanted.cases)}",
                help=f"did you mean `{near}`?" if near else "",
                fix=_replace(node.span, near),
            )
        )
        return ERRONEOUS

    def symbol(self, node: nodes.Name, scope: Scope, what: str) -> Symbol | None:
        """The declaration that a name stands for; reports where there is none or more than one."""
        found = look_up(scope.module, node.text)
        if len(found) == 1:
            return found[0]
        if found:
            self.report(
                names.AMBIGUOUS.at(
                    node.span,
                    f"`{node.text}` is declared in more than one of the files that this one uses",
                    labels=tuple(Label(symbol.node.name.span, f"one is in `{symbol.module.name}`") for symbol in found),
                    help="declare a name of your own, or drop one of the `use` lines",
                )
            )
            return None
        self.unknown(node, scope, what)
        return None

    def unknown(self, node: nodes.Name, scope: Scope, what: str) -> None:
        private = hidden(scope.module, node.text)
        if private is not None:
            self._private(node, private)
        if private is not None or may_declare(scope.module, node.text):
            return
        near = nearest(node.text, [*scope.locals, *visible_names(scope.module)])
        help, fix = advice(node, scope.module, near)
        alias = node.text.rpartition(".")[0]
        label = "not declared here, nor in a file that this one uses"
        if alias:
            known = any(used.alias == alias for used in scope.module.uses)
            label = f"`{alias}` offers no such name" if known else f"no file is used as `{alias}`"
        self.report(names.UNKNOWN_NAME.at(node.span, f"unknown {what} `{node.text}`", label=label, help=help, fix=fix))

    def _private(self, node: nodes.Name, symbol: Symbol) -> None:
        place = symbol.module.source.name
        self.report(
            names.PRIVATE.at(
                node.span,
                f"the {symbol.kind} `{node.text}` is private to `{place}`",
                labels=(Label(symbol.node.name.span, "declared here"),),
                help="write one of your own, or use what that file offers"
                if place.startswith("std.")
                else "remove `private` there, or use what that file offers",
            )
        )

    # ---------------------------------------------------- lists and records

    def _list(self, node: nodes.ListLiteral, scope: Scope, wanted: Type | None) -> Typed:
        inner = wanted.item if isinstance(wanted, ListType) else None
        items = [self.typed(item, scope, inner) for item in node.items]
        joined: Type = NeverType()
        for item, typed in zip(node.items, items, strict=True):
            common = join(joined, typed.type)
            if common is None:
                self.report(
                    types.MIXED_LIST.at(
                        item.span,
                        "the items of a list have one type",
                        label=f"this is `{spelled(typed.type)}`, the ones before are `{spelled(joined)}`",
                    )
                )
                return ERRONEOUS
            joined = common
        expression = ir.ListExpression(tuple(item.expression for item in items))
        return Typed(expression, ListType(joined, len(items), len(items)))

    def _record(self, node: nodes.RecordLiteral, scope: Scope, wanted: Type | None) -> Typed:
        wanted = without_none(wanted) if wanted is not None else None
        if not isinstance(wanted, RecordType):
            return self._unnamed_record(node, scope)
        return self._known_record(node, scope, wanted)

    def _unnamed_record(self, node: nodes.RecordLiteral, scope: Scope) -> Typed:
        given: dict[str, Typed] = {}
        for field in node.fields:
            if field.name.text in given:
                self._twice(field.name)
            else:
                given[field.name.text] = self.typed(field.value, scope)
        type = RecordType("record", tuple(FieldType(name, typed.type) for name, typed in given.items()))
        return Typed(_record_expression(tuple(given.items())), type)

    def _twice(self, name: nodes.Name) -> None:
        self.report(
            names.DUPLICATE_ATTRIBUTE.at(name.span, f"`{name.text}` is given twice", help="keep one of the two")
        )

    def _known_record(self, node: nodes.RecordLiteral, scope: Scope, wanted: RecordType) -> Typed:
        types_of = {field.name: field.type for field in wanted.fields}
        given: dict[str, Typed] = {}
        for field in node.fields:
            name = field.name.text
            if name in given:
                self._twice(field.name)
            elif name not in types_of:
                self._unknown_field(field.name, wanted)
            else:
                given[name] = self.fitting(field.value, scope, types_of[name], f"the field `{name}` of `{wanted.name}`")
        missing = [n for n, t in types_of.items() if n not in given and not isinstance(t, OptionalType)]
        if missing:
            self.report(
                types.MISSING_FIELD.at(
                    node.span,
                    f"`{wanted.name}` also needs {listed(missing)}",
                    label="not all of its fields are here",
                    help="only fields of a type `T?` may be left out",
                )
            )
        absent = [(n, Typed(ir.Constant(None), NoneType())) for n in types_of if n not in given]
        return Typed(_record_expression((*given.items(), *absent)), wanted)

    def _unknown_field(self, name: nodes.Name, record: RecordType) -> None:
        known = [field.name for field in record.fields]
        near = nearest(name.text, known)
        self.report(
            names.UNKNOWN_MEMBER.at(
                name.span,
                f"`{record.name}` has no field `{name.text}`",
                help=f"did you mean `{near}`?" if near else f"it has {listed(known)}",
                fix=_replace(name.span, near),
            )
        )

    def _comprehension(self, node: nodes.Comprehension, scope: Scope) -> Typed:
        iterable = self.list_of(node.iterable, scope, "what a list is made from")
        if iterable is None:
            return ERRONEOUS
        source = cast(ListType, iterable.type)
        self.new_name(node.variable, scope)
        inner = scope.with_locals(**{node.variable.text: Local(source.item, node.variable.span, "loop variable")})
        condition = None
        if node.condition is not None:
            condition = self.condition(node.condition, inner, "the condition of a list").expression
            inner = inner.with_narrowed(facts_if_true(node.condition, self.type_at(inner)))
        element = self.typed(node.element, inner)
        expression = ir.ComprehensionExpression(element.expression, node.variable.text, iterable.expression, condition)
        return Typed(expression, ListType(element.type, 0 if condition else source.low, source.high))

    def new_name(self, name: nodes.Name, scope: Scope) -> None:
        """Reports a name that is taken already: a name means one thing in a recipe."""
        if name.text in RESERVED:
            self.report(reserved(name, "a loop variable"))
        elif name.text in scope.locals:
            first = scope.locals[name.text]
            self.report(
                names.DUPLICATE.at(
                    name.span,
                    f"`{name.text}` is in use here already",
                    labels=(Label(first.span, f"the {first.what} of that name"),) if first.span else (),
                    help="a name means one thing in a recipe: call this one something else",
                )
            )

    def list_of(self, node: nodes.Expression, scope: Scope, what: str) -> Typed | None:
        """The expression, which must be a list; none where it is not, which has been reported."""
        return self.as_list(node, self.typed(node, scope), what)

    def as_list(self, node: nodes.Expression, typed: Typed, what: str) -> Typed | None:
        """An expression that has been typed, which must be a list."""
        if isinstance(typed.type, ListType):
            return typed
        if isinstance(typed.type, OptionalType) and isinstance(typed.type.item, ListType):
            self._misfit(node, typed, typed.type.item, what)
        elif not isinstance(typed.type, NeverType):
            self.report(
                types.MISMATCH.at(
                    node.span,
                    f"{what} must be a list",
                    label=f"this is `{spelled(typed.type)}`",
                    help="put it in brackets to make a list of one" if isinstance(node, nodes.Name) else "",
                )
            )
        return None

    # ------------------------------------------------------------ operators

    def _unary(self, node: nodes.Unary, scope: Scope) -> Typed:
        if node.operator == "not":
            return Typed(
                ir.UnaryExpression("not", self.condition(node.operand, scope, "what `not` turns round").expression),
                BoolType(),
            )
        operand = self.typed(node.operand, scope)
        if isinstance(operand.type, NeverType):
            return ERRONEOUS
        if not is_number(operand.type):
            self.report(types.BAD_OPERATION.at(node.span, "`-` needs a number", label=f"of `{spelled(operand.type)}`"))
            return ERRONEOUS
        low, high = -operand.high, -operand.low
        type = number_type(low, high, whole=isinstance(operand.type, IntType))
        if isinstance(operand.expression, ir.Constant):
            return Typed(ir.Constant(-cast(float, operand.expression.value)), type, low, high)
        return Typed(ir.UnaryExpression("-", operand.expression), type, low, high)

    def _binary(self, node: nodes.Binary, scope: Scope, wanted: Type | None) -> Typed:
        match node.operator:
            case "and":
                return self._and(node, scope)
            case "or":
                return self._or(node, scope, wanted)
            case "==" | "!=":
                return self._equality(node, scope)
            case "<" | "<=" | ">" | ">=":
                return self._order(node, scope)
            case "in" | "not in":
                return self._membership(node, scope)
            case _:
                return self._arithmetic(node, scope)

    def _and(self, node: nodes.Binary, scope: Scope) -> Typed:
        left = self.condition(node.left, scope, "the left side of `and`")
        guarded = scope.with_narrowed(facts_if_true(node.left, self.type_at(scope)))
        right = self.condition(node.right, guarded, "the right side of `and`")
        return Typed(ir.BinaryExpression("and", left.expression, right.expression), BoolType())

    def _or(self, node: nodes.Binary, scope: Scope, wanted: Type | None) -> Typed:
        left = self.typed(node.left, scope, wanted)
        guarded = scope.with_narrowed(facts_if_false(node.left, self.type_at(scope)))
        if isinstance(left.type, BoolType):
            right = self.condition(node.right, guarded, "the right side of `or`")
            return Typed(ir.BinaryExpression("or", left.expression, right.expression), BoolType())
        right = self.typed(node.right, guarded, wanted)
        self._check_may_be_absent(node, left.type)
        there = without_none(left.type)
        if isinstance(there, ListType):
            there = ListType(there.item, max(1, there.low), there.high)
        joined = join(there, right.type)
        if joined is None:
            self._incompatible(node, left, right, "`or` gives one of its two sides, so they need a common type")
            return ERRONEOUS
        low, high = min(left.low, right.low), max(left.high, right.high)
        return Typed(ir.BinaryExpression("or_else", left.expression, right.expression), joined, low, high)

    def _check_may_be_absent(self, node: nodes.Binary, left: Type) -> None:
        """`or` takes its right side where the left one is none or empty; one that never is would hide a mistake."""
        if isinstance(left, (OptionalType, NoneType, TextType, NeverType)) or (
            isinstance(left, ListType) and left.low == 0
        ):
            return
        self.report(
            types.BAD_OPERATION.at(
                node.right.span,
                "the right side of this `or` is never used",
                labels=(Label(node.left.span, f"`{spelled(left)}`, which is always there"),),
                help="`a or b` is `b` where `a` is none or empty: remove one of the two",
            )
        )

    def _equality(self, node: nodes.Binary, scope: Scope) -> Typed:
        if self._is_bare(node.left, scope):
            right = self.typed(node.right, scope)
            left = self.typed(node.left, scope, right.type)
        else:
            left = self.typed(node.left, scope)
            right = self.typed(node.right, scope, left.type)
        if join(without_none(left.type), without_none(right.type)) is None:
            self._incompatible(node, left, right, "two values of different types are never equal")
            return ERRONEOUS
        operator = cast(Literal["==", "!="], node.operator)
        return Typed(ir.BinaryExpression(operator, left.expression, right.expression), BoolType())

    def _is_bare(self, node: nodes.Expression, scope: Scope) -> bool:
        """Whether it is a word that names nothing here, as an enum's case or a label does."""
        return isinstance(node, nodes.Name) and node.text not in scope.locals and not look_up(scope.module, node.text)

    def _order(self, node: nodes.Binary, scope: Scope) -> Typed:
        left, right = self.typed(node.left, scope), self.typed(node.right, scope)
        one, other = left.type, right.type
        if isinstance(one, NeverType) or isinstance(other, NeverType):
            return Typed(ERRONEOUS.expression, BoolType())
        for side, typed in ((node.left, left), (node.right, right)):
            if isinstance(typed.type, (OptionalType, NoneType)):
                self._misfit(side, typed, without_none(typed.type), f"one side of `{node.operator}`")
                return Typed(ERRONEOUS.expression, BoolType())
        if not (ordered_alike(one, other)):
            self._incompatible(
                node, left, right, f"`{node.operator}` compares values of one kind: numbers, durations, amounts, texts"
            )
            return Typed(ERRONEOUS.expression, BoolType())
        operator = cast(Literal["<", "<=", ">", ">="], node.operator)
        return Typed(ir.BinaryExpression(operator, left.expression, right.expression), BoolType())

    def _membership(self, node: nodes.Binary, scope: Scope) -> Typed:
        operator = cast(Literal["in", "not in"], node.operator)
        before = None if self._is_bare(node.left, scope) else self.typed(node.left, scope)
        right = self.typed(node.right, scope, ListType(before.type) if before is not None else None)
        if isinstance(right.type, TextType):
            left = before or self.typed(node.left, scope, TextType())
            left = self.as_fitting(node.left, left, TextType(), "what is looked for in a text")
            return Typed(ir.BinaryExpression(operator, left.expression, right.expression), BoolType())
        items = self.as_list(node.right, right, f"the right side of `{operator}`")
        if items is None:
            return Typed(ERRONEOUS.expression, BoolType())
        item = cast(ListType, items.type).item
        left = before or self.typed(node.left, scope, item)
        if join(without_none(left.type), without_none(item)) is None:
            self._incompatible(node, left, right, "it can't be in a list of another type")
        return Typed(ir.BinaryExpression(operator, left.expression, items.expression), BoolType())

    def _arithmetic(self, node: nodes.Binary, scope: Scope) -> Typed:
        left, right = self.typed(node.left, scope), self.typed(node.right, scope)
        if isinstance(left.type, NeverType) or isinstance(right.type, NeverType):
            return ERRONEOUS
        for side, typed in ((node.left, left), (node.right, right)):
            if isinstance(typed.type, (OptionalType, NoneType)):
                self._misfit(side, typed, without_none(typed.type), f"one side of `{node.operator}`")
                return ERRONEOUS
        type = arithmetic_type(node.operator, left, right)
        if type is None:
            self._incompatible(node, left, right, f"`{node.operator}` has no meaning for these two")
            return ERRONEOUS
        operator = cast(Literal["+", "-", "*", "/", "%"], node.operator)
        if is_number(type):
            low, high = interval(operator, left, right)
            type = number_type(low, high, whole=isinstance(type, IntType))
            return Typed(ir.BinaryExpression(operator, left.expression, right.expression), type, low, high)
        return Typed(ir.BinaryExpression(operator, left.expression, right.expression), type)

    def _incompatible(self, node: nodes.Binary, left: Typed, right: Typed, why: str) -> None:
        self.report(
            types.BAD_OPERATION.at(
                node.span,
                why,
                label=f"`{spelled(left.type)}` {node.operator} `{spelled(right.type)}`",
                help=conversion_help(left.type, right.type) or conversion_help(right.type, left.type),
                fix=conversion_fix(node.left, left.type, right.type)
                or conversion_fix(node.right, right.type, left.type),
            )
        )

    def _conditional(self, node: nodes.Conditional, scope: Scope, wanted: Type | None) -> Typed:
        condition = self.condition(node.condition, scope, "what `if` asks")
        type_at = self.type_at(scope)
        then = self.typed(node.then, scope.with_narrowed(facts_if_true(node.condition, type_at)), wanted)
        otherwise = self.typed(node.otherwise, scope.with_narrowed(facts_if_false(node.condition, type_at)), wanted)
        joined = join(then.type, otherwise.type)
        if joined is None:
            self.report(
                types.BAD_OPERATION.at(
                    node.span,
                    "both sides of a conditional need a common type",
                    label=f"`{spelled(then.type)}` if …, else `{spelled(otherwise.type)}`",
                )
            )
            return ERRONEOUS
        expression = ir.ConditionalExpression(condition.expression, then.expression, otherwise.expression)
        return Typed(expression, joined, min(then.low, otherwise.low), max(then.high, otherwise.high))

    # ---------------------------------------------------- members and items

    def _member(self, node: nodes.Member, scope: Scope) -> Typed:
        if isinstance(node.target, nodes.Name) and _is_no_value(node.target.text, scope):
            qualified = nodes.Name(f"{node.target.text}.{node.name.text}", span=node.span)
            return self._name(qualified, scope, None)
        target = self.typed(node.target, scope)
        if isinstance(target.type, NeverType):
            return ERRONEOUS
        if isinstance(target.type, OptionalType):
            self._misfit(node.target, target, target.type.item, f"what `.{node.name.text}` is read from")
            return ERRONEOUS
        known = members.of(target.type)
        if node.name.text not in known:
            self._unknown_member(node, target.type, known)
            return ERRONEOUS
        type = known[node.name.text]
        path = path_of(node)
        if path is not None:
            type = scope.narrowed.get(path, type)
        return Typed(ir.MemberExpression(target.expression, node.name.text), type)

    def _unknown_member(self, node: nodes.Member, type: Type, known: dict[str, Type]) -> None:
        near = nearest(node.name.text, known)
        if isinstance(type, ListType) and node.name.text in members.of(type.item):
            advice = f"it is a list: take one of its items, or `[x.{node.name.text} for x in ...]`"
        elif near:
            advice = f"did you mean `{near}`?"
        else:
            advice = f"it has {listed(known)}" if known else "it has no members"
        self.report(
            names.UNKNOWN_MEMBER.at(
                node.name.span,
                f"`{spelled(type)}` has no member `{node.name.text}`",
                help=advice,
                fix=_replace(node.name.span, near),
            )
        )

    def _index(self, node: nodes.Index, scope: Scope) -> Typed:
        target = self.typed(node.target, scope)
        if isinstance(target.type, NeverType):
            return ERRONEOUS
        if target.type == members.METADATA:
            key = self.fitting(node.index, scope, TextType(), "a key of the metadata")
            return Typed(ir.IndexExpression(target.expression, key.expression), OptionalType(TextType()))
        if not isinstance(target.type, ListType):
            self.report(
                types.MISMATCH.at(
                    node.target.span, "only a list has items by number", label=f"this is `{spelled(target.type)}`"
                )
            )
            return ERRONEOUS
        index = self.fitting(node.index, scope, IntType(), "the number of an item")
        there = isinstance(index.type, IntType) and index.low >= 0 and index.high < target.type.low
        if isinstance(index.type, IntType) and target.type.high is not None and index.low >= target.type.high:
            self.report(
                types.OUT_OF_RANGE.at(
                    node.index.span,
                    "there is never such an item",
                    label=f"items of `{spelled(target.type)}` are numbered from 0",
                )
            )
        item = target.type.item
        type = item if there else OptionalType(without_none(item))
        return Typed(ir.IndexExpression(target.expression, index.expression), type)

    # ---------------------------------------------------------------- calls

    def _call(self, node: nodes.Call, scope: Scope) -> Typed:
        name = node.callee.text
        if name == "fail":
            return self.fail(node, scope)
        if name not in FUNCTIONS:
            self._not_a_function(node, scope)
            return ERRONEOUS
        arguments = self._bound_arguments(node, scope)
        if arguments is None:
            return ERRONEOUS
        result = result_of(CallSite(FUNCTIONS[name], arguments, node, scope, self))
        if result is None:
            return ERRONEOUS
        given = tuple(ir.ApplyArgument(name, typed.expression) for name, typed in result.arguments)
        return Typed(ir.ApplyExpression(name, given, result.type), result.type, result.low, result.high)

    def fail(self, node: nodes.Call, scope: Scope) -> Typed:
        """`fail("why")`, which has no value."""
        if not scope.partial:
            self.report(
                calls.FAIL_HERE.at(
                    node.span,
                    "`fail` may stand only in a fallback or as an arm of `choose`",
                    label="an expression never fails",
                    help='make it an arm: `choose x { when ... => ... otherwise => fail("why") }`',
                )
            )
            return ERRONEOUS
        if len(node.arguments) != 1 or node.arguments[0].name is not None:
            self.report(calls.ARGUMENTS.at(node.span, "`fail` takes one argument, the reason", help='`fail("why")`'))
            return ERRONEOUS
        reason = self.fitting(node.arguments[0].value, scope, TextType(), "the reason of `fail`")
        return Typed(ir.FailExpression(reason.expression), NeverType())

    def _not_a_function(self, node: nodes.Call, scope: Scope) -> None:
        name = node.callee.text
        found = look_up(scope.module, name)
        if found and isinstance(found[0].node, (nodes.Role, nodes.Recipe, nodes.Extern)):
            self._name(node.callee, scope, None)
            return
        near = OTHER_NAMES.get(name) or nearest(name, FUNCTIONS)
        self.report(
            names.UNKNOWN_FUNCTION.at(
                node.callee.span,
                f"unknown function `{name}`",
                help=f"did you mean `{near}`?" if near else "the built-in functions are listed in docs/functions.md",
                fix=_replace(node.callee.span, near if name not in OTHER_NAMES else None),
            )
        )

    def _bound_arguments(self, node: nodes.Call, scope: Scope) -> dict[str, list[nodes.Expression]] | None:
        """The arguments by the function's parameter names, or none where they don't fit its signature."""
        function = FUNCTIONS[node.callee.text]
        by_name = {parameter.name: parameter for parameter in function.parameters}
        given: dict[str, list[nodes.Expression]] = {}
        positional = iter(function.parameters)
        current = next(positional, None)
        for argument in node.arguments:
            if argument.name is not None:
                name = argument.name.text
            elif current is not None:
                name = current.name
                current = current if current.variadic else next(positional, None)
            else:
                name = ""
            if name not in by_name or (name in given and not by_name[name].variadic):
                self._bad_argument(argument, function.signature, name, list(by_name), name in given)
                return None
            given.setdefault(name, []).append(argument.value)
        missing = [p.name for p in function.parameters if p.required and p.name not in given]
        if missing:
            self.report(
                calls.ARGUMENTS.at(
                    node.span,
                    f"`{function.name}` also needs {listed(missing)}",
                    notes=(f"its signature is `{function.signature}`",),
                )
            )
            return None
        return given

    def _bad_argument(self, argument: nodes.Argument, signature: str, name: str, known: list[str], twice: bool) -> None:
        message = f"`{name}` is given twice" if twice else f"no argument `{name}`" if name else "one argument too many"
        near = nearest(name, known) if name and not twice else None
        self.report(
            calls.ARGUMENTS.at(
                argument.span,
                message,
                notes=(f"the signature is `{signature}`",),
                help=f"did you mean `{near}`?" if near else "",
                fix=_replace(argument.name.span, near) if argument.name else None,
            )
        )

    def type_at(self, scope: Scope) -> TypeAt:
        """How guards ask for the types of the names and members that they test."""
        quiet = Elaborator(lambda _: None)
        return lambda node, facts: quiet.typed(node, scope.with_narrowed(facts)).type


# ------------------------------------------------------------------- leaves


def _number(node: nodes.Number) -> Typed:
    value = node.value
    match node.kind:
        case nodes.NumberKind.INT:
            return Typed(ir.Constant(value), IntType(int(value), int(value)), value, value)
        case nodes.NumberKind.FLOAT:
            return Typed(ir.Constant(float(value)), number_type(value, value, whole=False), value, value)
        case nodes.NumberKind.DURATION:
            return Typed(ir.Constant(float(value)), DurationType())
        case nodes.NumberKind.MONEY:
            return Typed(ir.Constant(float(value)), MoneyType())


def _record_expression(fields: tuple[tuple[str, Typed], ...]) -> ir.RecordExpression:
    return ir.RecordExpression(tuple(ir.FieldExpression(name, typed.expression) for name, typed in fields))


def _is_label(wanted: Type | None) -> bool:
    return wanted is not None and isinstance(without_none(wanted), EnumType)


def listed(names: Iterable[str]) -> str:
    """The names as a message lists them."""
    return ", ".join(f"`{name}`" for name in names)


def _replace(span: Span, near: str | None) -> Fix | None:
    return None if near is None else Fix(f"use `{near}`", (Edit(span, near),))


def _is_no_value(name: str, scope: Scope) -> bool:
    """Whether what stands before a dot is a file's name here, or is meant to be one, as in `local_models.tiny`."""
    if name in scope.locals or name in scope.unavailable:
        return False
    if any(used.alias == name for used in scope.module.uses):
        return True
    return not look_up(scope.module, name) and name in standard_recipe_names()


def type_of_signal(symbol: Symbol) -> Type:
    """The type of a signal or a band as it is declared; what is wrong with it is reported there."""
    from recipelang.semantics.written_types import TypeReader  # deferred: it knows expressions, as these know types

    match symbol.node:
        case nodes.Band(lowest=lowest, cuts=cuts):
            return EnumType((lowest.text, *(cut.above.text for cut in cuts)))
        case nodes.Signal(type=type):
            return TypeReader(symbol.module, lambda _: None).type_of(type)
        case _:
            raise AssertionError(f"a {symbol.kind} is no signal")  # the caller has looked


def _step_for(symbol: Symbol) -> str:
    return {"role": "ask", "recipe": "run", "extern": "call"}[symbol.kind]
