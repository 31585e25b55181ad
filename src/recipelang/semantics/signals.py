"""Signals and bands: what is read off a request, typed and bounded as all else is."""

from __future__ import annotations

from collections.abc import Mapping

from recipelang.diagnostics import Label, Report
from recipelang.diagnostics.catalogue import bounds, names, types
from recipelang.ir import expressions
from recipelang.ir import plan as ir
from recipelang.ir.reading import names_in
from recipelang.ir.types import DurationType, EnumType, MoneyType, NeverType, TextType, is_plain, spelled
from recipelang.semantics.arithmetic import ordered_alike
from recipelang.semantics.declarations import Declarer
from recipelang.semantics.typing import is_number
from recipelang.source import Span
from recipelang.syntax import nodes


def check_signal(node: nodes.Signal, declarer: Declarer) -> ir.Signal | None:
    """`signal name: type = value`; none where either has a mistake."""
    type = declarer.types.type_of(node.type)
    if not is_plain(type) and not isinstance(type, (DurationType, MoneyType)):
        declarer.report(
            types.MISMATCH.at(
                node.type.span,
                "a signal is plain data",
                label=f"not `{spelled(type)}`",
                help="texts, numbers, bools, enums, times, amounts, and records and lists of them",
            )
        )
        return None
    value = declarer.elaborator.fitting(node.value, declarer.constants, type, f"the signal `{node.name.text}`")
    name = declarer.constants.module.qualified(node.name.text)
    return None if isinstance(type, NeverType) else ir.Signal(name, type, value.expression, node.doc)


def check_band(node: nodes.Band, declarer: Declarer) -> ir.Signal | None:
    """`band name = value { low < 0.3 <= high }` as the signal that it is: an enum, found by comparing."""
    elaborator = declarer.elaborator
    value = elaborator.typed(node.value, declarer.constants)
    cases = (node.lowest, *(cut.above for cut in node.cuts))
    _check_cases(cases, declarer.report)
    if isinstance(value.type, NeverType):
        return None
    if not is_number(value.type) and not isinstance(value.type, (DurationType, MoneyType)):
        declarer.report(
            types.MISMATCH.at(node.value.span, "a band needs a number", label=f"this is `{spelled(value.type)}`")
        )
        return None
    before: nodes.Cut | None = None
    for cut in node.cuts:
        at = elaborator.typed(cut.at, declarer.constants)
        if not ordered_alike(value.type, at.type) or isinstance(at.type, TextType):
            declarer.report(
                types.BAD_OPERATION.at(
                    cut.at.span,
                    "the thresholds of a band are of its own kind",
                    label=f"`{spelled(at.type)}`, but the band is of `{spelled(value.type)}`",
                )
            )
            return None
        if before is not None and cut.at.value <= before.at.value:
            declarer.report(
                types.OUT_OF_RANGE.at(
                    cut.at.span,
                    "the thresholds of a band grow",
                    label=f"nothing would be `{before.above.text}`",
                    labels=(Label(before.at.span, "the one before"),),
                )
            )
        before = cut
    case: expressions.Expression = expressions.Constant(cases[-1].text)
    for cut, below in reversed(list(zip(node.cuts, cases, strict=False))):
        at = elaborator.typed(cut.at, declarer.constants)
        under = expressions.BinaryExpression("<=" if cut.belongs_below else "<", value.expression, at.expression)
        case = expressions.ConditionalExpression(under, expressions.Constant(below.text), case)
    name = declarer.constants.module.qualified(node.name.text)
    return ir.Signal(name, EnumType(tuple(case.text for case in cases)), case, node.doc)


def _check_cases(cases: tuple[nodes.Name, ...], report: Report) -> None:
    seen: dict[str, Span] = {}
    for case in cases:
        if case.text in seen:
            report(
                names.DUPLICATE.at(
                    case.span,
                    f"`{case.text}` is a case of this band already",
                    labels=(Label(seen[case.text], "the first is here"),),
                )
            )
        seen.setdefault(case.text, case.span)


def check_readings(
    signals: Mapping[str, ir.Signal], boundaries: Mapping[str, ir.Boundary], places: Mapping[str, Span], report: Report
) -> None:
    """Reports signals and boundaries that are computed from each other."""
    read = {name: [*names_in(signal.value)] for name, signal in signals.items()}
    read |= {name: [*names_in(boundary.when)] for name, boundary in boundaries.items()}
    done: dict[str, bool] = {}  # false while it is on the path
    for start in read:
        path = [(start, iter(read[start]))] if start not in done else []
        done.setdefault(start, False)
        while path:
            name, rest = path[-1]
            following = next((each for each in rest if each in read), None)
            if following is None:
                path.pop()
                done[name] = True
            elif following not in done:
                done[following] = False
                path.append((following, iter(read[following])))
            elif not done[following]:
                on_path = [each for each, _ in path]
                circle = " → ".join((*on_path[on_path.index(following) :], following))
                report(
                    bounds.SIGNAL_CIRCLE.at(
                        places[following],
                        "a signal can't read itself" if name == following else "these signals read each other",
                        label="here the circle closes",
                        notes=(circle,),
                    )
                )
