"""Projections of a profile: partitions, weighted sums and their bands, as signals and bands of a recipe."""

from __future__ import annotations

import math
from collections.abc import Iterator
from itertools import pairwise

from recipelang.importing.conditions import Condition, all_of, any_of, compared, negated
from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.knowledge import Knowledge
from recipelang.importing.vllm_sr.shapes import limits
from recipelang.importing.vllm_sr.signals import Signals
from recipelang.importing.writing import number, remarks_above


def valued(routing: Part) -> set[tuple[str, str]]:
    """The signals of which a sum asks a number."""
    inputs = (part for score in routing.at("projections.scores").items() for part in score.get("inputs").items())
    asked = (part for part in inputs if str(part.get("value_source").data).lower() in ("raw", "confidence", "score"))
    return {(str(part.get("type").data).lower(), str(part.get("name").data).partition(":")[0]) for part in asked}


def project(signals: Signals, routing: Part, knowledge: Knowledge) -> None:
    projections = routing.get("projections")
    for part in (*projections.get("partitions").items(), *routing.at("signals.signal_groups").items()):
        _partition(signals, part)
    scores = {part.get("name").text(): "" for part in projections.get("scores").items()}
    for own in scores:
        scores[own] = signals.names.name(own, signals.within)
    for part in projections.get("scores").items():
        _score(signals, part, scores, knowledge)
    for part in projections.get("mappings").items():
        _mapping(signals, part, scores)


def _partition(signals: Signals, part: Part) -> None:
    """Of several signals the one that is surest is there, or else the one that is so by default."""
    members = part.get("members").texts()
    kind = next(
        (kind for kind in ("embedding", "domain") if all((kind, own) in signals.conditions for own in members)), ""
    )
    if not kind or not members:
        part.lose("not all of its members are signals of one kind that is carried over")
        return
    part.done("name", "temperature")
    if not part.get("semantics").is_one_of("exclusive", "softmax_exclusive"):
        part.get("semantics").lose("the surest of its members is there")
    if kind == "embedding" and len(members) > 1 and not signals.one_wins():
        values = {own: signals.values[("embedding", own)] for own in members}
        nearest = signals.names.name(f"nearest_{part.get('name').text()}", signals.within)
        signals.lines.append(f"signal {nearest}: score = max({', '.join(values.values())})\n")
        for own, value in values.items():
            signals.conditions[(kind, own)] = all_of([signals.conditions[(kind, own)], compared(value, "==", nearest)])
    default = part.get("default").text()
    if (kind, default) in signals.conditions:
        others = [signals.conditions[(kind, own)] for own in members if own != default]
        now = any_of([signals.conditions[(kind, default)], negated(any_of(others))])
        name = signals.names.name(default, signals.within)
        signals.lines += ["# It stands in where none of the others is there.", f"signal {name}: bool = {now.text}\n"]
        signals.conditions[(kind, default)] = Condition(name)


def _score(signals: Signals, part: Part, scores: dict[str, str], knowledge: Knowledge) -> None:
    own = part.get("name").text()
    if not part.get("method").is_one_of("weighted_sum"):
        part.get("method").lose("only weighted sums are known here")
    terms = [term for each in part.get("inputs").items() for term in _terms(signals, each, scores, knowledge)]
    signals.lines += remarks_above(part)
    signals.lines.append(f"signal {scores[own]}: float = {_sum(terms)}\n")


def _terms(signals: Signals, part: Part, scores: dict[str, str], knowledge: Knowledge) -> Iterator[tuple[float, str]]:
    kind, own = part.get("type").text().lower(), part.get("name").text()
    weight, source = part.get("weight").number(), part.get("value_source").text("binary").lower()
    if kind == "kb_metric":
        sides = knowledge.metric(part.get("kb").text(), part.get("metric").text())
        if sides is None:
            part.lose(f"nothing measures it here, and its weight {number(weight)} is left out")
            return
        part.change("the groups of the metric count 1 and -1, by what their labels are called")
        yield weight, _counted(sides[0])
        yield -weight, _counted(sides[1])
        return
    if kind == "projection" and own in scores:
        yield weight, scores[own]
        return
    there = signals.conditions.get((kind, own))
    if there is None:
        part.lose(f"the signal `{own}` is not carried over, and its weight {number(weight)} is left out")
        return
    value = signals.values.get((kind, own.partition(":")[0]))
    if value is not None and source in ("raw", "score"):
        yield weight, value
    elif value is not None and source == "confidence" and kind in ("embedding", "reask", "complexity"):
        yield weight, f"{value} * {_counted(there)}"
    else:
        if source not in ("binary", "confidence", "raw", "score"):
            part.get("value_source").lose("a signal counts 1 where it is there")
        elif source in ("raw", "score") or (
            source == "confidence" and kind in ("domain", "jailbreak", "preference", "structure", "event", "classifier")
        ):
            part.get("value_source").change("a signal counts 1 where it is there, however sure it is")
        match, miss = part.get("match").number(1) or 1.0, part.get("miss").number()
        if miss:
            yield weight * miss, _counted(negated(there))
        yield weight * match, _counted(there)


def _counted(condition: Condition) -> str:
    return condition.within(3)


def _sum(terms: list[tuple[float, str]]) -> str:
    written = ""
    for weight, value in terms:
        sign = (" - " if weight < 0 else " + ") if written else ("-" if weight < 0 else "")
        written += sign + (
            f"{number(abs(weight))} * {value}" if abs(weight) != 1 else value if "*" in value else f"1 * {value}"
        )
    return written or "0.0"


def _mapping(signals: Signals, part: Part, scores: dict[str, str]) -> None:
    source = scores.get(part.get("source").text())
    outputs = list(part.get("outputs").items())
    method = part.get("method").text("threshold_bands")
    if part.get("calibration").given:
        part.get("calibration").lose("a band is there or not, however sure it is")
    if source is None:
        part.lose("its score is not there")
        return
    if method not in ("threshold_bands", "multi_emit"):
        part.get("method").change("the first band that holds is there")
    free = not any(output.get("name").text() in signals.names.taken for output in outputs)
    band = _band(outputs) if method != "multi_emit" and free else None
    if band is not None:
        signals.names.keep(output.get("name").text() for output in outputs)
        name = signals.names.name(part.get("name").text(), signals.within)
        signals.lines += remarks_above(part)
        signals.lines.append(f"band {name} = {source} {{ {band} }}\n")
        for output in outputs:
            own = output.get("name").text()
            signals.conditions[("projection", own)] = compared(name, "==", own)
        return
    before: list[Condition] = []
    for output in outputs:
        own = output.get("name").text()
        asked = all_of(limits(output, source))
        first = asked if method == "multi_emit" else all_of([asked, *map(negated, before)])
        before.append(asked)
        name = signals.names.name(own, signals.within)
        signals.lines.append(f"signal {name}: bool = {first.text}\n")
        signals.conditions[("projection", own)] = Condition(name)


def _band(outputs: list[Part]) -> str | None:
    """The outputs as the cases of a band, where they share out all numbers without a gap."""
    rows = []
    for output in outputs:
        own = output.get("name").text()
        low = next(((output.get(key).number(), key) for key in ("gte", "gt") if output.get(key).given), (-math.inf, ""))
        high = next(((output.get(key).number(), key) for key in ("lt", "lte") if output.get(key).given), (math.inf, ""))
        rows.append((low, high, own))
    rows.sort(key=lambda row: row[0][0])
    names = [own for _, _, own in rows]
    if len(rows) < 2 or len(set(names)) < len(names) or not all(_is_name(own) for own in names):
        return None
    if rows[0][0][0] != -math.inf or rows[-1][1][0] != math.inf:
        return None
    written = rows[0][2]
    for (_, high, _), (low, _, own) in pairwise(rows):
        if high[0] != low[0] or (high[1], low[1]) not in (("lt", "gte"), ("lte", "gt")):
            return None
        signs = ("<", "<=") if low[1] == "gte" else ("<=", "<")
        written += f" {signs[0]} {number(low[0])} {signs[1]} {own}"
    return written


def _is_name(value: str) -> bool:
    return value.isidentifier() and value.islower() and value.isascii()
