"""What a server offers: each exposed name with its certificate, its digest, and where it begins to speak."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from recipelang.diagnostics.suggesting import nearest
from recipelang.hosts.engine import Engine
from recipelang.hosts.reaching import part_of
from recipelang.ir.certificate import Certificate, Linear
from recipelang.ir.commitment import answering_calls, commitment
from recipelang.ir.document import digest_of
from recipelang.ir.expressions import MemberExpression, Variable
from recipelang.ir.plan import Entry, Plan, Recipe
from recipelang.ir.reading import nodes_in
from recipelang.quick import dataclass
from recipelang.runtime.values import Json, Wishes
from recipelang.serving.keys import Key
from recipelang.serving.problems import Problem, ProblemKind


@dataclass(frozen=True, slots=True)
class Served:
    """One exposed name. `own_temperature`: whether every role that answers sets one, so that a client's moves nothing."""

    engine: Engine
    entry: Entry
    digest: str
    plan_digest: str
    takes_tools: bool
    answers: bool  # whether its answer is a model's
    own_temperature: bool
    reads_quality: bool
    card: Mapping[str, Json]

    @property
    def fingerprint(self) -> str:
        """The plan's digest as OpenAI's clients know such a thing."""
        return f"fp_{self.plan_digest.rpartition(':')[2][:12]}"

    def unheeded(self, wishes: Wishes) -> tuple[str, ...]:
        """The fields that reach no call of this recipe, as the recipe's author decided."""
        asked = [*(("temperature",) if wishes.temperature is not None else ()), *wishes.others]
        asked += ["logprobs"] if wishes.logprobs else []
        if not self.answers:
            return tuple(asked)
        return ("temperature",) if self.own_temperature and wishes.temperature is not None else ()


class Menu:
    """The exposed names of all engines."""

    def __init__(self, engines: Sequence[Engine], since: int) -> None:
        self.names: dict[str, Served] = {}
        for engine in engines:
            whole = digest_of(engine.plan)
            for name, entry in engine.plan.entries.items():
                if name in self.names:
                    raise ValueError(f"two of the recipes expose `{name}`")
                self.names[name] = _served(engine, entry, whole, since)
        if not self.names:
            raise ValueError("there is nothing to serve: the recipes expose no name, and no models to run them with")

    def known_to(self, key: Key | None) -> dict[str, Served]:
        """What a key may ask for; without keys all."""
        if key is None or key.recipes is None:
            return self.names
        return {name: served for name, served in self.names.items() if name in key.recipes}

    def find(self, name: str, key: Key | None = None) -> Served:
        """Raises `Problem`: what a key may not ask for isn't there for it."""
        names = self.known_to(key)
        if name in names:
            return names[name]
        near = nearest(name, names)
        hint = (
            f"did you mean `{near}`?" if near else f"there are {', '.join(f'`{known}`' for known in names) or 'none'}"
        )
        raise Problem(
            404, ProblemKind.NOT_FOUND, f"there is no model `{name:.100}`; {hint}", "model_not_found", "model"
        )


def _served(engine: Engine, entry: Entry, whole: str, since: int) -> Served:
    plan = engine.plan
    part = part_of(plan, entry)
    roles = [plan.roles[call.role] for call in answering_calls(plan, entry.recipe)]
    own = [call.temperature is not None for call in answering_calls(plan, entry.recipe)]
    digest = digest_of(part)
    return Served(
        engine,
        entry,
        digest,
        whole,
        takes_tools=any(role.may_call for role in part.roles.values()),
        answers=bool(roles),
        reads_quality=MemberExpression(Variable("request"), "quality") in nodes_in(_expressions_of(part)),
        own_temperature=all(said or role.temperature is not None for role, said in zip(roles, own, strict=True)),
        card=_card(plan, entry, digest, since),
    )


def _expressions_of(part: Plan) -> tuple[object, ...]:
    """What of a plan may read the request."""
    return (*part.recipes.values(), *part.signals.values(), *part.boundaries.values(), *part.entries.values())


def _card(plan: Plan, entry: Entry, digest: str, since: int) -> dict[str, Json]:
    """What `GET /v1/models` says of a name: as a model of OpenAI's and of Anthropic's, and as the recipe that it is."""
    recipe = plan.recipes[entry.recipe]
    doc = entry.doc or recipe.doc
    point = commitment(plan, entry.recipe)
    return {
        "id": entry.name,
        "object": "model",
        "created": since,
        "owned_by": "recipelang",
        "type": "model",
        "display_name": entry.name,
        "created_at": _stamp(since),
        "recipelang": {
            "recipe": entry.recipe,
            "doc": doc,
            "digest": digest,
            "certificate": _certified(entry.certificate, recipe),
            "streams": {"from": point.step, "unless": point.unless or None, "why_not": point.why or None},
        },
    }


def _certified(certificate: Certificate | None, recipe: Recipe) -> Json:
    """The most that an answer takes; tokens and money are `constant + per_byte × bytes of the request`."""
    if certificate is None:
        return None
    total = certificate.total
    return {
        "calls": total.calls,
        "prompt_tokens": _line(total.prompt_tokens),
        "completion_tokens": total.completion_tokens,
        "cost": None if total.cost is None else _line(total.cost),
        "seconds": _finite(total.seconds),
        "parallel": total.parallel,
        "critical_path": list(certificate.critical_path),
        "unpriced": list(certificate.unpriced),
        "request_bytes": recipe.budget.request,
    }


def _line(line: Linear) -> dict[str, Json]:
    return {"constant": _finite(line.constant), "per_byte": _finite(line.per_byte)}


def _finite(number: float) -> float | None:
    return number if math.isfinite(number) else None


def _stamp(since: int) -> str:
    from datetime import UTC, datetime  # deferred: once a server, and nowhere else

    return datetime.fromtimestamp(since, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
