"""Whether models can do what a recipe asks of them; of what nobody declared nothing is said."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from recipelang.ir.plan import Entry, Model, Plan, Role
from recipelang.ir.sureness import Place, Reading, readings, steps_asked
from recipelang.ir.template import Section, Template, Words
from recipelang.quick import dataclass
from recipelang.validation.bounds import Prover, Visit
from recipelang.validation.evaluating import evaluate
from recipelang.validation.values import Nothing

MOST_BYTES = 8
"""Bytes of a prompt's words that one token holds, on average, at most."""

What = Literal["logprobs", "json_schema", "needs", "context"]
WAYS_OUT = {
    "tools": "leave tools out of what the role needs, or give it a model that calls them",
    "vision": "leave images out of what the role needs, or give it a model that sees them",
    "seed": "leave the seed out of what the role needs, or give it a model that keeps to one",
}


@dataclass(frozen=True, slots=True)
class Lack:
    """What a role needs and a model that may play it is declared not to have; `paths` are the ways to the calls."""

    what: What
    message: str
    help: str
    paths: tuple[str, ...] = ()


def lacks(plan: Plan, entry: Entry) -> list[Lack]:
    """What the models of an entry lack of what its calls need, each said once."""
    if not any(_is_declared(model) for model in plan.models.values()):
        return []
    prover = Prover(plan)
    prover.exposed(entry)
    sure = _relied_on(plan, prover)
    found: dict[tuple[What, str], tuple[Lack, dict[str, None]]] = {}
    for visit in prover.visits:
        for model in sorted(visit.models or ()):
            for lack in _lacking(visit, plan, plan.models.get(model), visit.place in sure):
                _, paths = found.setdefault((lack.what, lack.message), (lack, {}))
                paths[f"{' → '.join(visit.trail)} → {visit.role} on {model}"] = None
    return [Lack(lack.what, lack.message, lack.help, tuple(paths)) for lack, paths in found.values()]


def lacks_of_role(plan: Plan, role: Role) -> list[Lack]:
    """What a role's own model lacks of what the role itself needs."""
    if role.model is None:
        return []
    names = getattr(evaluate(role.model, {}, Prover(plan).facts), "names", None) or ()
    return [lack for name in sorted(names) for lack in _of_role(role, plan.models[name], role.max_tokens)]


def _is_declared(model: Model) -> bool:
    able = (model.logprobs, model.json_schema, model.tools, model.vision, model.seed)
    return model.context is not None or any(each is not None for each in able)


def _relied_on(plan: Plan, prover: Prover) -> set[Place]:
    """The steps whose answers' confidence is read where nothing stands in for one that there is not."""
    return steps_asked(plan.recipes, [r for r in readings(plan.recipes, plan.roles) if _relies(r, prover)])


def _relies(reading: Reading, prover: Prover) -> bool:
    if reading.optional:
        return False
    missing = reading.missing
    if missing is None:
        return True
    given = prover.called.get(reading.recipe, ())
    return any(isinstance(evaluate(missing, known, prover.facts), Nothing) for known in given)


def _lacking(visit: Visit, plan: Plan, model: Model | None, sure: bool) -> Iterator[Lack]:
    role = plan.roles.get(visit.role or "")
    if model is None or role is None:
        return
    if sure and model.logprobs is False and role.schema is None and role.planning is None:
        yield Lack(
            "logprobs",
            f"`{model.name}` gives no log-probabilities, and `{role.name}` is asked how sure its answer is",
            "say what counts instead, `confidence(..., missing = 0)`; or let a judge say it, as `std.self_verified` does",
        )
    yield from _of_role(role, model, visit.tokens)


def _of_role(role: Role, model: Model, tokens: int) -> Iterator[Lack]:
    if model.json_schema is False and role.json == "schema" and (role.schema or role.planning):
        yield Lack(
            "json_schema",
            f"`{model.name}` keeps to no JSON Schema, and `{role.name}` returns a {'plan' if role.planning else 'record'}",
            f"show it the schema instead: `json = prompted` in `{role.name}`, with `repair = 1`",
        )
    for need in role.needs:
        if getattr(model, need) is False:
            yield Lack("needs", f"`{role.name}` needs {need}, and `{model.name}` is declared without", WAYS_OUT[need])
    if model.context is not None:
        yield from _too_long(role, model, model.context, tokens)


def _too_long(role: Role, model: Model, context: int, tokens: int) -> Iterator[Lack]:
    least = sum(_least(template or ()) for template in (role.system, role.prompt)) // MOST_BYTES
    if tokens >= context:
        why = f"{tokens} tokens of the answer"
    elif tokens + least > context:
        why = f"{tokens} tokens of the answer and at least {least} of the prompt"
    else:
        return
    yield Lack(
        "context",
        f"`{role.name}` does not fit `{model.name}`: {why}, and {context} in all",
        "give the role fewer `max_tokens`, or a model that takes more",
    )


def _least(template: Template) -> int:
    """Bytes that a template has whatever its parameters are."""
    total = 0
    for part in template:
        match part:
            case Words(text):
                total += len(text.encode())
            case Section(_, then, otherwise):
                total += min(_least(then), _least(otherwise))
            case _:
                pass
    return total
