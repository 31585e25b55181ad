"""What a decision does with its models, as a call of a standard recipe or of a role of its own."""

from __future__ import annotations

import math

from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.models import Models
from recipelang.importing.writing import Names, block, listed, number, text
from recipelang.quick import dataclass, field

_MEASURES = {"avg_logprob": "logprob", "logprob": "logprob", "margin": "margin", "hybrid": "hybrid"}
_ENOUGH = {"logprob": 0.37, "margin": 0.5, "hybrid": 0.5}
"""Where nothing is said, the confidence that is enough."""


@dataclass
class Algorithms:
    """The calls of decisions, and what they need besides."""

    models: Models
    names: Names
    used: set[str] = field(default_factory=set)  # standard recipes
    roles: list[str] = field(default_factory=list)

    def body(self, decision: Part, refs: list[Part], own: str, default: str | None) -> str | None:
        """The steps of a decision's recipe; none where it has no model."""
        plugins = {str(part.get("type").data): part for part in decision.get("plugins").items()}
        answer = plugins.get("fast_response")
        if answer is not None and answer.at("configuration.message").given:
            message = answer.at("configuration.message")
            message.change("the client gets these words as an error")
            answer.get("type").done()
            for ref in refs:
                ref.lose("the words of its plugin are the answer")
            return f"  choose reply {{ otherwise => fail({text(message.text())}) }}\n"
        destination = decision.at("action.destination")
        if destination.given:
            refs = [destination]
            if not decision.at("action.type").is_one_of("route"):
                decision.at("action.type").lose("`route` is known, and is what is done")
        pairs = [(ref, name) for ref in refs if (name := self.models.called(ref))]
        models = list(dict.fromkeys(name for _, name in pairs))
        if not models and (default or self.models.by_name):
            models = [default or next(iter(self.models.by_name.values()))]
            decision.get("name").change(f"no model is assigned to it: `{models[0]}` stands in")
        if not models:
            return None
        algorithm = decision.get("algorithm")
        kind = "static" if destination.given else algorithm.get("type").text("static").lower()
        before = self._chosen(algorithm, kind, models)
        if before is not None:
            return before + self._one(plugins.get("system_prompt"), own, "chosen" if before else models[0])
        return f"  run reply = {self._team(algorithm, kind, models)}\n"

    # ------------------------------------------------------------- one model

    def _one(self, prompt: Part | None, own: str, model: str) -> str:
        """One call of one model, with the words that a plugin puts before it."""
        words = prompt.at("configuration.system_prompt") if prompt is not None else None
        if prompt is None or words is None or not words.given or not prompt.at("configuration.enabled").flag(True):
            self.used.add("direct")
            return f"  run reply = direct({model})\n"
        prompt.get("type").done()
        if not prompt.at("configuration.mode").is_one_of("insert"):
            prompt.at("configuration.mode").change("the words go before the client's own system message")
        role = self.names.name(f"{own}_role")
        said = words.text().replace("{{", '{{ "{{" }}').replace("{%", "{{ '{%' }}")
        self.roles.append(f"role {role}() {{\n  system = {block(said)}\n}}\n")
        return f"  ask reply = {role}(model = {model})\n"

    def _chosen(self, algorithm: Part, kind: str, models: list[str]) -> str | None:
        """How the one model is chosen: nothing for the first of them; none where several models are at work."""
        own = algorithm.get(kind)
        if kind in ("confidence", "automix", "cascade", "fusion", "remom", "workflows", "ratings") and not (
            len(models) == 1 and kind in ("fusion", "ratings")
        ):
            return None
        if len(models) == 1 and kind != "static":
            algorithm.change("there is one model, and nothing to choose")
        if len(models) == 1 or kind == "static":
            return ""
        if kind == "latency_aware":
            own.change("the model whose answers took the least of late is taken")
            return f"  let chosen = first(sort({listed(models)}, by = latency(it)))\n"
        if kind == "multi_factor":
            return self._weighed(own, models)
        algorithm.get("type").change(f"`{kind}` is the strongest of its models, by their ratings")
        return f"  let chosen = strongest({listed(models)})\n"

    def _weighed(self, own: Part, models: list[str]) -> str:
        weights = {
            key: part.number()
            for key, part in own.get("weights").entries()
            if key in ("quality", "cost", "latency", "load")
        }
        if own.at("objective.strategy").text() == "lexicographic":
            ranked = [part.get("factor").text() for part in own.at("objective.priorities").items()]
            weights = {factor: 10.0**-place for place, factor in enumerate(ranked)}
            own.get("objective").change("the factors are weighed, each ten times as much as the next")
        weights = {key: weight for key, weight in weights.items() if weight > 0} or {"quality": 1.0}
        if set(weights) == {"quality"}:
            return f"  let chosen = strongest({listed(models)})\n"
        if set(weights) == {"cost"}:
            return f"  let chosen = cheapest({listed(models)})\n"
        own.get("weights").change(
            "each factor is a share of the greatest: of ratings and prices that are declared, of 10 s, of 10 calls"
        )
        best = max((self.models.ratings.get(name, 0) for name in models), default=0) or 1000
        dearest = max((self.models.prices.get(name, 0) for name in models), default=0) or 1
        factors = {
            "quality": f"(it.rating or 0) / {number(best)}",
            "cost": f"(it.price.output / ${number(dearest)} if it.price != none else 1)",
            "latency": "((latency(it) or 0s) / 10s)",
            "load": "((load(it) or 0) / 10)",
        }
        terms = [
            f"{'+' if key == 'quality' else '-'} {number(weights[key])} * {factor}"
            for key, factor in factors.items()
            if key in weights
        ]
        return f"  let chosen = best({listed(models)}, by = {' '.join(terms).removeprefix('+ ')})\n"

    # --------------------------------------------------------- several models

    def _team(self, algorithm: Part, kind: str, models: list[str]) -> str:
        own = algorithm.get(kind)
        match kind:
            case "confidence" | "automix" | "cascade":
                return self._cascade(own, kind, models)
            case "fusion":
                return self._fusion(own, models)
            case "remom":
                return self._remom(own, models)
            case "workflows":
                return self._workflows(own, models)
            case _:
                self.used.add("ratings")
                most = own.get("max_concurrent")
                at_once = f", max_concurrent = {max(1, min(8, int(most.number())))}" if most.given else ""
                return f"ratings(panel = {listed(self._at_most(algorithm, models, 8))}{at_once})"

    def _cascade(self, own: Part, kind: str, models: list[str]) -> str:
        self.used.add("confidence")
        measure = _MEASURES.get(
            own.get("confidence_method").text("avg_logprob" if kind == "confidence" else "hybrid").lower()
        )
        if measure is None:
            own.get("confidence_method").change("confidence is read off log-probabilities")
            measure = "hybrid"
        asked = own.either("threshold", "verification_threshold")
        given = asked.maybe_number()
        threshold = _ENOUGH[measure] if given is None else math.exp(given) if given < 0 else given
        if kind != "confidence":
            own.change("cheap models go first, and a dearer one where they are unsure")
        ordered = self._ladder(own, kind, models)
        return (
            f"confidence(candidates = {listed(self._at_most(own, ordered, 8))}, "
            f"threshold = {number(round(min(1.0, max(0.0, threshold)), 4))}, measure = {measure})"
        )

    def _ladder(self, own: Part, kind: str, models: list[str]) -> list[str]:
        order = own.get("escalation_order").text("small_to_large" if kind == "automix" else "")
        known = next(
            (known for known in (self.models.sizes, self.models.prices) if all(name in known for name in models)), None
        )
        if order in ("small_to_large", "cost", "automix") and known is not None:
            return sorted(models, key=lambda name: known[name])
        if order and own.get("escalation_order").given:
            own.get("escalation_order").change("the models are asked in the order in which they stand")
        return models

    def _fusion(self, own: Part, models: list[str]) -> str:
        self.used.add("fusion")
        panel = [name for each in own.get("analysis_models").items() if (name := self.models.called(each))] or models
        if len(panel) < 2:
            own.get("analysis_models").change("a panel has two members at least: all models of the decision sit on it")
            panel = models
        judge = self._named(own.get("model")) or models[-1]
        return f"fusion(panel = {listed(self._at_most(own, panel, 8))}, judge_model = {judge})"

    def _remom(self, own: Part, models: list[str]) -> str:
        self.used.add("remom")
        asked = [int(each) for each in own.get("breadth_schedule").numbers()] or [3, 2]
        breadth = [min(16, max(1, each)) for each in asked[:3]]
        if breadth != asked:
            own.get("breadth_schedule").change("three rounds of sixteen thoughts are the most")
        writer = self._named(own.get("synthesis_model")) or models[-1]
        return f"remom(thinkers = {listed(self._at_most(own, models, 8))}, writer = {writer}, breadth = {breadth})"

    def _workflows(self, own: Part, models: list[str]) -> str:
        self.used.add("workflows")
        if not own.get("mode").is_one_of("dynamic"):
            own.get("mode").change("a planner shares out the work, not roles that are written down")
        planner = self._named(own.at("planner.model")) or self._named(own.at("final.model")) or models[0]
        steps, parallel = int(own.get("max_steps").number(4)), int(own.get("max_parallel").number(2))
        most = (min(12, max(1, steps)), min(4, max(1, parallel)))
        if most != (steps, parallel):
            own.change("twelve tasks, four of them at once, are the most")
        return (
            f"workflows(planner_model = {planner}, workers = {listed(self._at_most(own, models, 6))}, verifier_model = {planner}, "
            f"max_steps = {most[0]}, max_parallel = {most[1]})"
        )

    def _named(self, part: Part) -> str | None:
        return self.models.called(part) if part.given else None

    def _at_most(self, part: Part, models: list[str], most: int) -> list[str]:
        if len(models) > most:
            part.change(f"{most} models are the most that the standard recipe takes")
        return models[:most]
