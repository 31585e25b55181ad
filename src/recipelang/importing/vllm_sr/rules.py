"""Rules over signals, as conditions: operators in each other, and references to what is there."""

from __future__ import annotations

from recipelang.importing.conditions import ALWAYS, NEVER, Condition, all_of, any_of, compared, negated
from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.meanings import DOMAIN, field_of
from recipelang.importing.vllm_sr.shapes import limits
from recipelang.importing.vllm_sr.signals import Signals


def condition_of(part: Part, signals: Signals) -> Condition:
    """What rules ask; always so, where they ask for nothing."""
    if not part.given:
        return ALWAYS
    if isinstance(part.data, list):
        return all_of(condition_of(each, signals) for each in part.items())
    if not isinstance(part.data, dict):
        part.lose("rules are conditions and operators")
        return NEVER
    if part.get("type").given:
        return _leaf(part, signals)
    operator = part.get("operator").text("AND").upper()
    inside = [condition_of(each, signals) for each in part.get("conditions").items()]
    if operator in ("NOT", "NOR"):
        return negated(any_of(inside)) if inside else ALWAYS
    if operator not in ("AND", "OR"):
        part.get("operator").lose("`AND`, `OR` and `NOT` are known; the condition does not hold")
        return NEVER
    return all_of(inside) if operator == "AND" or not inside else any_of(inside)


def compose(signals: Signals) -> None:
    """Holds to their conditions those signals that are there only where others are."""
    for kind, own, composer in signals.composed:
        signals.conditions[(kind, own)] = all_of([signals.conditions[(kind, own)], condition_of(composer, signals)])


def _leaf(part: Part, signals: Signals) -> Condition:
    kind, own = part.get("type").text().lower(), part.get("name").text()
    predicate = part.get("predicate")
    value = signals.values.get((kind, own.partition(":")[0]))
    if predicate.given and value is not None:
        return all_of(limits(predicate, value))
    found = signals.conditions.get((kind, own))
    if found is None and kind == "complexity":
        found = signals.conditions.get((kind, f"{own}:hard"))
    if found is None and kind == "domain" and field_of(own):
        found = compared(DOMAIN, "==", field_of(own))  # it need not be declared
    if found is not None:
        return found
    held = part.get("on_error").text() == "match"
    part.lose(f"the signal `{own}` is not carried over: it counts as {'there' if held else 'not there'}")
    return ALWAYS if held else NEVER
