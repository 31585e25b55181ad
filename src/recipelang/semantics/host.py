"""Declarations about the world around a recipe: functions of the host, and boundaries that data must not pass."""

from __future__ import annotations

from recipelang.diagnostics import Edit, Fix
from recipelang.diagnostics.catalogue import names, types, warnings
from recipelang.ir import plan as ir
from recipelang.ir.reading import nodes_in
from recipelang.ir.sizing import DEFAULT_HOST_BYTES, DEFAULT_HOST_TIMEOUT
from recipelang.ir.types import BoolType, FieldType, ModelType, RecordType, Type, is_plain, spelled
from recipelang.semantics.attributes import read_attributes
from recipelang.semantics.declarations import Declarer
from recipelang.semantics.scope import Local
from recipelang.syntax import nodes


def check_extern(node: nodes.Extern, declarer: Declarer) -> ir.Extern:
    """A function of the host: what it takes, what it gives, and what one call may use."""
    known = ("timeout", "cost", "max_bytes", "zone")
    attributes = node.policy.attributes if node.policy is not None else ()
    given = read_attributes("an extern", attributes, known, declarer.report)
    _, parameters = declarer.parameters(node.parameters, "extern")
    zone = given.word("zone")
    return ir.Extern(
        name=declarer.constants.module.qualified(node.name.text),
        parameters=tuple(parameters),
        returns=_returns(node, declarer),
        timeout=given.duration("timeout") or DEFAULT_HOST_TIMEOUT,
        cost=given.money("cost") or 0.0,
        max_bytes=given.integer("max_bytes", 1, 1_000_000) or DEFAULT_HOST_BYTES,
        zone=None if zone is None else zone.text,
        doc=node.doc,
    )


def _returns(node: nodes.Extern, declarer: Declarer) -> Type:
    if not isinstance(node.returns, tuple):
        return _plain(node.returns, declarer)
    declarer.types.check_fields(node.name, node.returns)
    name = declarer.constants.module.qualified(node.name.text)
    return RecordType(name, tuple(FieldType(field.name.text, _plain(field.type, declarer)) for field in node.returns))


def _plain(node: nodes.Type, declarer: Declarer) -> Type:
    """The type, which must be of plain data."""
    type = declarer.types.type_of(node)
    if not is_plain(type):
        declarer.report(
            types.MISMATCH.at(
                node.span,
                "a function of the host gives plain data",
                label=f"not `{spelled(type)}`",
                help="texts, numbers, bools, enums, and records and lists of them",
            )
        )
    return type


def check_boundary(node: nodes.Boundary, declarer: Declarer) -> ir.Boundary | None:
    """A promise about data; none where a part of it is missing."""
    given = read_attributes("a boundary", node.attributes, ("when", "allow"), declarer.report)
    for name, how in (
        ("when", '`when = contains(request.conversation, "internal")`'),
        ("allow", "`allow = it.zone == local`"),
    ):
        if name not in given.values:
            declarer.report(names.MISSING_ATTRIBUTE.at(node.name.span, f"`{node.name.text}` needs `{name}`", help=how))
    if len(given.values) < 2:
        return None
    _check_sees_all(given.values["when"], declarer)
    elaborator, scope = declarer.elaborator, declarer.constants
    when = elaborator.fitting(given.values["when"], scope, BoolType(), "`when`")
    models = scope.with_locals(it=Local(ModelType(), None, "model at hand"))
    allow = elaborator.fitting(given.values["allow"], models, BoolType(), "`allow`")
    return ir.Boundary(declarer.constants.module.qualified(node.name.text), when.expression, allow.expression, node.doc)


def _check_sees_all(when: nodes.Expression, declarer: Declarer) -> None:
    """A warning where a condition reads the last message, and nothing of what came before it."""
    inside = list(nodes_in(when))
    last = next((node for node in inside if isinstance(node, nodes.Member) and _reads(node, "text")), None)
    if last is None or any(_reads(node, "conversation") or _is_whole(node) for node in inside):
        return
    declarer.report(
        warnings.LAST_MESSAGE.at(
            last.span,
            "this boundary looks at the last message only",
            label="what the user said last",
            help="`request.conversation` is all that was said",
            fix=Fix("use `request.conversation`", (Edit(last.span, "request.conversation"),)),
        )
    )


def _reads(node: object, member: str) -> bool:
    match node:
        case nodes.Member(nodes.Name("request"), nodes.Name(name)):
            return name == member
        case _:
            return False


def _is_whole(node: object) -> bool:
    """Whether the request as a whole is looked at: `pii(request)`."""
    match node:
        case nodes.Call(_, arguments):
            return any(isinstance(a.value, nodes.Name) and a.value.text == "request" for a in arguments)
        case _:
            return False
