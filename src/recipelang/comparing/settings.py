"""The parts of a plan as settings, each a text as an author would write it, so that two parts can be held side by side."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from recipelang.drawing.spelling import spelled as spelled_expression
from recipelang.ir import plan as ir
from recipelang.ir.amounts import dollars
from recipelang.ir.expressions import Constant, Expression, FailExpression
from recipelang.ir.template import Section, Slot, Template, Words
from recipelang.ir.types import spelled as spelled_type

_SIGNS = re.compile(r"\{\{|\{%")
LONGEST = 2_000
"""Characters of an expression that are told."""
APART = frozenset(("name", "kind", "type", "certificate", "steps"))
"""Fields that follow from others, or are held side by side by themselves."""
TIMES = frozenset(("timeout", "grace", "hedge", "time", "cooldown", "patience"))
MONEY = frozenset(("cost",))
TEMPLATES = frozenset(("system", "prompt"))


def settings_of(node: Any) -> dict[str, str]:  # Any: a declaration of a plan, or a step
    """What a declaration or a step is set to; what is not set is left out."""
    return dict(_settings(node, ""))


def arguments_of(told: Mapping[str, str]) -> str:
    """The arguments among the settings of an exposed name, or of a call of the host, as they stand in a call."""
    given = {name.removeprefix("argument "): value for name, value in told.items() if name.startswith("argument ")}
    return ", ".join(f"{name} = {value}" for name, value in given.items())


def call_of(step: ir.Step) -> str:
    """A step in a line: what it does."""
    told = settings_of(step)
    if isinstance(step, ir.HostCall):
        return f"call {step.extern}({arguments_of(told)})"
    arms = ", ".join(value for name, value in told.items() if name.startswith("arm "))
    return f"{step.kind} {told.get('call') or told.get('value') or arms}"


def _settings(node: Any, before: str) -> Iterator[tuple[str, str]]:  # Any: as above
    for each in fields(node):
        value, name = getattr(node, each.name), f"{before}{each.name}"
        if each.name in APART or value is None or value == () or value == "":
            continue
        match value:
            case ir.Budget() | ir.Price() | ir.Extraction() | ir.Check():
                yield from _settings(value, f"{name}.")
            case _ if each.name == "parameters":
                yield from ((f"parameter {p.name}", _parameter(p)) for p in value)
            case _ if each.name == "arguments" and all(isinstance(item, ir.CallArgument) for item in value):
                yield from ((f"argument {a.name}", spelled_expression(a.value, LONGEST)) for a in value)
            case _ if each.name == "arms":
                yield from ((f"arm {number}", _arm(arm)) for number, arm in enumerate(value, 1))
            case _:
                yield name, _told(each.name, value)


def _told(name: str, value: Any) -> str:  # Any: whatever a field of a node holds
    if name in TEMPLATES:
        return template_text(value)
    if name == "schema":
        return json.dumps(json.loads(value), indent=2, ensure_ascii=False)
    if name in TIMES:
        return f"{value:g}s"
    if name in MONEY or (name in ("input", "output") and isinstance(value, float)):
        return dollars(value)
    match value:
        case bool():
            return str(value).lower()
        case int() | float():
            return f"{value:g}" if isinstance(value, float) else f"{value}"
        case str():
            return value
        case ir.Secret(variable):
            return f"env({variable})"
        case ir.RoleCall() | ir.RecipeCall():
            return _call(value)
        case ir.Planning(workers, steps):
            return f"plan({workers}, {steps})"
        case tuple():
            return ", ".join(map(str, value))
        case _ if name == "returns":
            return spelled_type(value)
        case _ if is_dataclass(value):
            return spelled_expression(value, LONGEST)  # type: ignore[arg-type]  # what else a field holds is an expression
        case _:
            return str(value)


def _parameter(parameter: ir.Parameter) -> str:
    default = "" if parameter.default is None else f" = {spelled_expression(parameter.default, LONGEST)}"
    return f"{spelled_type(parameter.type)}{default}"


def _arm(arm: ir.Arm) -> str:
    guard = "otherwise" if arm.when is None else f"when {spelled_expression(arm.when, LONGEST)}"
    called = arm.call
    call = spelled_expression(called, LONGEST) if isinstance(called, FailExpression) else _call(called)
    said = {name: value for name in ir.ESTIMATES if (value := getattr(arm, name)) is not None}
    told = ", ".join(f"{name} = {_amount(name, value)}" for name, value in said.items())
    return f"{guard} => {call}" + (f" {{ {told} }}" if told else "")


def _amount(name: str, value: Expression) -> str:
    """A number by its unit, which an expression no longer has."""
    return _told(name, value.value) if isinstance(value, Constant) else spelled_expression(value, LONGEST)


def _call(call: ir.Call) -> str:
    arguments = [_argument(argument) for argument in call.arguments]
    if isinstance(call, ir.RecipeCall):
        return f"{call.recipe}({', '.join(arguments)})"
    for name in ("model", "temperature", "max_tokens", "contract"):
        setting = getattr(call, name)
        arguments += [] if setting is None else [f"{name} = {spelled_expression(setting, LONGEST)}"]
    return f"{call.role}({', '.join(arguments)})"


def _argument(argument: ir.CallArgument) -> str:
    return f"{argument.name} = {spelled_expression(argument.value, LONGEST)}"


def template_text(template: Template) -> str:
    """A template as its author would write it."""
    return "".join(_part(part) for part in template)


def _part(part: Words | Slot | Section) -> str:
    match part:
        case Words(text):
            return _SIGNS.sub(r'{{ "\g<0>" }}', text)
        case Slot(path):
            return f"{{{{ {'.'.join(path)} }}}}"
        case Section(path, then, otherwise):
            rest = f"{{% else %}}{template_text(otherwise)}" if otherwise else ""
            return f"{{% if {'.'.join(path)} %}}{template_text(then)}{rest}{{% endif %}}"
