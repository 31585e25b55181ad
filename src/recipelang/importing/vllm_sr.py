"""A profile of vLLM Semantic Router as recipes: its signals, projections, decisions, algorithms and entry points."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from dataclasses import field

from recipelang.importing.reading import Data, Part, Remarks
from recipelang.quick import dataclass

LIKENESS = 0.6
"""Of a threshold between embeddings, the share that is right for likeness of words."""
LEAN = 2.0
"""Of a distance between embeddings, how far a contrast of words is from the middle."""
STANDARD = ("facts", "dissatisfied")
"""The standard signals that stand in for classifiers."""
_PATTERN = re.compile(r"[\\^$|()\[\]{}*+?]")
_COMPARED = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<", "eq": "==", "equals": "=="}
_LANGUAGES = ("ar", "de", "en", "es", "fr", "hi", "it", "ja", "ko", "nl", "pl", "pt", "ru", "tr", "zh")
_USED = {"direct", "confidence", "fusion", "remom", "workflows", "ratings"}
_RESERVED = {
    *("request", "it", "tried", "fail", "true", "false", "none", "not", "and", "or", "in", "if", "else", "for"), *_USED, *_LANGUAGES, *STANDARD
}  # fmt: skip


_WHY = {
    "plugins": "plugins change requests and answers around a recipe: write a role with this prompt, or leave it to the server",
    "use_reasoning": "how a model thinks is set where it is served",
    "reasoning_effort": "how a model thinks is set where it is served",
    "reasoning_family": "how a model thinks is set where it is served",
    "listeners": "`recipelang serve` says where it listens",
    "min_successful_responses": "the standard recipe has a quorum of its own",
    "round_timeout_seconds": "the standard recipe has times of its own",
    "max_completion_tokens": "the roles of the standard recipe have their own",
    "temperature": "the roles of the standard recipe have their own",
    "on_error": "the standard recipe goes on without what fails",
    "cached_input_per_1m": "a price is for what is sent, cached or not",
    "description": "a model has no description here",
    "capabilities": "nothing reads it",
    "tags": "nothing reads them but `deployment`, which is the zone",
    "modality": "nothing reads it",
}


@dataclass(frozen=True, slots=True)
class Imported:
    """The recipes, and what of the profile they don't carry over or carry over as something else, by its place."""

    recipe: str
    lost: tuple[tuple[str, str], ...]
    changed: tuple[tuple[str, str], ...]


def imported(profile: Data) -> Imported:
    """The recipes of a profile; raises `ValueError` for what is none."""
    if not isinstance(profile, dict) or not ("routing" in profile or "recipes" in profile):
        raise ValueError("this is no profile of vLLM Semantic Router: it has neither `routing` nor `recipes`")
    remarks = Remarks()
    whole = Part(profile, "", remarks)
    text = "\n".join(_Import(whole).file())
    for part in whole.unread():
        part.lose(_WHY.get(part.place.rpartition(".")[2], "recipes have nothing like it"))
    return Imported(text, tuple(remarks.lost), tuple(remarks.changed))


@dataclass
class _Import:
    whole: Part
    names: dict[str, str] = field(default_factory=dict)  # the models' own names to those of the recipe
    taken: set[str] = field(default_factory=set)
    used: set[str] = field(default_factory=set)  # standard recipes
    standard: bool = False  # whether the standard signals are

    def file(self) -> Iterator[str]:
        self.whole.get("version").take()
        body = [*self.models(), *self.policies()]
        yield "language 1\n"
        yield from (f"use std.{name}" for name in sorted({*self.used, *(["signals"] if self.standard else [])}))
        yield ""
        yield from body

    def name(self, wanted: str) -> str:
        """A name of the language that nothing else has."""
        bare = re.sub(r"[^a-z0-9]+", "_", wanted.lower()).strip("_") or "unnamed"
        bare = f"m_{bare}" if bare[0].isdigit() else bare
        found, number = bare, 2
        while found in self.taken or found in _RESERVED:
            found, number = f"{bare}_{number}", number + 1
        self.taken.add(found)
        return found

    # --------------------------------------------------------------- models

    def models(self) -> Iterator[str]:
        cards = {card.get("name").text(): card for card in self.whole.at("routing.modelCards").items()}
        for model in self.whole.at("providers.models").items():
            own = model.get("name").text()
            refs = list(model.get("backend_refs").items())
            if not refs:
                model.lose("it has no backend")
                continue
            first, *others = refs
            for other in others:
                other.lose("a model has one address here")
            name = self.name(own.rpartition("/")[2])
            self.names[own] = name
            backend = self.name(f"{name}_backend")
            yield f"backend {backend} {{ {self.address(first)} }}"
            settings = [f"backend = {backend}", f"id = {_text(model.get('provider_model_id').text(own))}"]
            price = model.get("pricing")
            price.get("currency").take()
            if price.data:
                into, out = price.get("prompt_per_1m").number(), price.get("completion_per_1m").number()
                settings.append(f"price = {{ input = ${into:g}, output = ${out:g} }}")
            settings += self.card(cards.get(own))
            yield f"model {name} {{ {', '.join(settings)} }}\n"

    def address(self, ref: Part) -> str:
        url = ref.get("base_url").text() or f"{ref.get('protocol').text('http')}://{ref.get('endpoint').text()}/v1"
        for key in ("name", "type", "weight", "protocol", "provider"):
            ref.get(key).take()
        variable = ref.get("api_key_env").text()
        for key in ("auth_header", "auth_prefix"):
            if ref.get(key).data in ("Authorization", "Bearer", None):
                ref.get(key).take()
        return f"kind = openai, url = {_text(url.rstrip('/'))}" + (
            f", key = env({_text(variable)})" if variable else ""
        )

    def card(self, card: Part | None) -> Iterator[str]:
        if card is None:
            return
        if size := card.get("context_window_size").number():
            yield f"context = {size:.0f}"
        if quality := card.get("quality_score").number():
            card.get("quality_score").change("it is the model's `rating`, times a thousand")
            yield f"rating = {1000 * quality:.0f}"
        for tag in card.get("tags").data or ():
            kind, _, value = str(tag).partition(":")
            if kind == "deployment":
                yield f"zone = {re.sub(r'[^a-z0-9_]', '_', value.lower())}"
                break

    def model(self, part: Part) -> str | None:
        """The name of a model that is referred to."""
        own = part.text()
        if own in self.names:
            return self.names[own]
        part.lose(f"there is no model `{own}`")
        return None

    # ------------------------------------------------------------- policies

    def policies(self) -> Iterator[str]:
        entries = {part.get("recipe").text(): part for part in self.whole.get("entrypoints").items()}
        recipes = list(self.whole.get("recipes").items())
        for recipe in recipes:
            own = recipe.get("name").text()
            policy = _Policy(self, recipe.get("routing"), self.name(own), recipe.get("description").text())
            yield from policy.lines()
            for client in entries[own].get("model_names").texts() if own in entries else ():
                yield f"expose {_text(client)} = {policy.name}()\n"
        if self.whole.at("routing.decisions").data:
            policy = _Policy(self, self.whole.get("routing"), self.name("policy"), "")
            yield from policy.lines()
            for client in self.whole.at("global.router.auto_model_names").texts() or ["vllm-sr/auto"]:
                yield f"expose {_text(client)} = {policy.name}()\n"


@dataclass
class _Policy:
    """The signals and decisions of one recipe of a profile."""

    file: _Import
    routing: Part
    name: str
    description: str
    conditions: dict[tuple[str, str], str] = field(default_factory=dict)  # what a reference to a signal comes to
    recipes: dict[str, str] = field(default_factory=dict)  # the names of its decisions, by their places

    def lines(self) -> Iterator[str]:
        decisions = self.routing.get("decisions").items()
        self.recipes = {
            part.place: self.file.name(part.get("name").text()) for part in decisions
        }  # they keep their names
        for kind, signals in self.routing.get("signals").entries():
            reader = _READERS.get(kind)
            if reader is None:
                signals.lose("signals of this kind are not known here; where they are asked, they count as not there")
                continue
            for signal in signals.items():
                yield from self.signal(signal, kind, reader)
        yield from self.projections()
        yield from self.decisions()

    def signal(self, part: Part, kind: str, reader: Callable[[Part], dict[str, str] | None]) -> Iterator[str]:
        own, doc = part.get("name").text(), part.get("description").text()
        for suffix, value in (reader(part) or {}).items():
            name = self.file.name(f"in_{own}" if kind == "language" else f"{own}_{suffix}" if suffix else own)
            self.conditions[(_ONE.get(kind, kind), f"{own}:{suffix}" if suffix else own)] = name
            self.file.standard |= value in STANDARD
            yield from _doc(doc)
            yield f"signal {name}: bool = {value}\n"

    # ---------------------------------------------------------- projections

    def projections(self) -> Iterator[str]:
        scores: dict[str, str] = {}
        for score in self.routing.at("projections.scores").items():
            own = score.get("name").text()
            if score.get("method").text("weighted_sum") != "weighted_sum":
                score.get("method").lose("only weighted sums are known here")
            terms = [term for part in score.get("inputs").items() if (term := self.term(part))]
            scores[own] = self.file.name(own)
            yield f"signal {scores[own]}: float = {_sum(terms)}\n"
        for mapping in self.routing.at("projections.mappings").items():
            yield from self.mapping(mapping, scores)

    def term(self, part: Part) -> str | None:
        kind, own, weight = part.get("type").text(), part.get("name").text(), part.get("weight").number()
        if part.get("value_source").text() == "confidence":
            part.get("value_source").change("a signal counts 1 where it is there, however sure it is")
        value = self.conditions.get((kind, own))
        if value is None:
            part.lose(f"the signal `{own}` is not carried over, and its weight {weight:g} is left out")
            return None
        return f"{weight:g} * {value}"

    def mapping(self, part: Part, scores: dict[str, str]) -> Iterator[str]:
        source = scores.get(part.get("source").text())
        for key in ("name", "method"):
            part.get(key).take()
        if part.get("calibration").data:
            part.get("calibration").lose("a band has no confidence")
        if source is None:
            part.lose("its score is not there")
            return
        for output in part.get("outputs").items():
            label = output.get("name").text()
            asked = [
                f"{source} {sign} {output.get(key).number():g}"
                for key, sign in _COMPARED.items()
                if output.get(key).data is not None
            ]
            name = self.file.name(label)
            self.conditions[("projection", label)] = name
            yield f"signal {name}: bool = {' and '.join(asked) or 'true'}\n"

    # ------------------------------------------------------------ decisions

    def decisions(self) -> Iterator[str]:
        self.routing.get("strategy").take()
        parts = list(self.routing.get("decisions").items())
        ranked = sorted(parts, key=lambda part: (part.get("tier").number(), -part.get("priority").number()))
        arms: list[str] = []
        ended = False
        for part in ranked:
            own = self.recipes[part.place]
            call = self.algorithm(part)
            if call is None:
                part.lose("none of its models is there")
                continue
            yield from _doc(part.get("description").text())
            yield f"recipe {own}() -> answer {{\n  run reply = {call}\n  return reply\n}}\n"
            condition = self.rules(part.get("rules"))
            if ended:
                part.lose("a decision before it is always taken")
            elif condition == "":
                arms.append(f"    otherwise => {own}()")
                ended = True
            else:
                arms.append(f"    when {condition} => {own}()")
        if not arms:
            return
        if not ended:
            named = self.file.whole.at("providers.defaults.default_model")
            default = self.file.model(named) if named.data is not None else None
            self.file.used |= {"direct"} if default else set()
            arms.append(
                f"    otherwise => direct({default})" if default else '    otherwise => fail("no decision applies")'
            )
        yield from _doc(self.description)
        yield "\n".join(
            [f"recipe {self.name}() -> answer {{", "  choose reply {", *arms, "  }", "  return reply", "}\n"]
        )

    def rules(self, part: Part) -> str:
        """A condition; empty where there is none."""
        if part.get("type").data is not None:
            kind, own = part.get("type").text(), part.get("name").text()
            value = self.conditions.get((kind, own))
            if value is None:
                part.lose(f"the signal `{own}` is not carried over: it counts as not there")
                return "false"
            return value
        operator = part.get("operator").text("AND").upper()
        inside = [text for each in part.get("conditions").items() if (text := self.rules(each))]
        if operator == "NOT":
            plain = len(inside) == 1 and " " not in inside[0]
            return f"not {inside[0]}" if plain else f"not ({' or '.join(inside)})" if inside else ""
        return f" {operator.lower()} ".join(f"({each})" if " " in each else each for each in inside)

    def algorithm(self, part: Part) -> str | None:
        found = [(ref, name) for ref in part.get("modelRefs").items() if (name := self.file.model(ref.get("model")))]
        models = list(dict.fromkeys(name for _, name in found))
        if not models:
            return None
        algorithm = part.get("algorithm")
        kind = algorithm.get("type").text("static")
        own = algorithm.get(kind)
        match kind:
            case "confidence":
                self.file.used.add("confidence")
                threshold = own.get("threshold").number(0.72)
                return f"confidence(candidates = {_list(models[:8])}, threshold = {min(1.0, max(0.0, threshold)):g})"
            case "fusion" if len(models) > 1:
                panel = self._models(own.get("analysis_models")) or models
                judge = self.file.names.get(own.get("model").text(), models[-1])
                self.file.used.add("fusion")
                return f"fusion(panel = {_list(panel[:8] if len(panel) > 1 else models[:8])}, judge_model = {judge})"
            case "remom":
                breadth = [min(16, int(each)) for each in own.get("breadth_schedule").take() or [3, 2]][:3]
                writer = self.file.names.get(own.get("synthesis_model").text(), models[-1])
                self.file.used.add("remom")
                return f"remom(thinkers = {_list(models[:8])}, writer = {writer}, breadth = {breadth})"
            case "workflows":
                planner = self.file.names.get(own.at("planner.model").text(), models[0])
                steps, parallel = own.get("max_steps").number(4), own.get("max_parallel").number(2)
                self.file.used.add("workflows")
                return (
                    f"workflows(planner_model = {planner}, workers = {_list(models[:6])}, verifier_model = {planner}, "
                    f"max_steps = {min(12, max(1, int(steps)))}, max_parallel = {min(4, max(1, int(parallel)))})"
                )
            case "static":
                self.file.used.add("direct")
                return f"direct({models[0]})"
            case _:
                return self._chosen(own, kind, models)

    def _chosen(self, own: Part, kind: str, models: list[str]) -> str:
        """An algorithm that picks one model by what is seen of it: here by what is declared of it."""
        self.file.used.add("direct")
        weights = own.get("weights")
        quality, cost = weights.get("quality").number(), weights.get("cost").number()
        for key in ("latency", "load"):
            if weights.get(key).data is not None:
                weights.get(key).lose("a model is not chosen by what is measured of it")
        how = "strongest" if quality >= cost and quality > 0 else "cheapest"
        own.change(f"`{kind}` is the {how} of its models, by what is declared of them")
        return f"direct({how}({_list(models)}))" if len(models) > 1 else f"direct({models[0]})"

    def _models(self, part: Part) -> list[str]:
        return [self.file.names[own] for own in part.texts() if own in self.file.names]


# ------------------------------------------------------------------ signals


def _keywords(part: Part) -> dict[str, str]:
    words, operator = part.get("keywords").texts(), part.get("operator").text("OR").upper()
    if part.get("case_sensitive").take():
        part.get("case_sensitive").lose("phrases are found in any case")
    if part.get("method").text("regex") not in ("regex", "exact", "keyword"):
        part.get("method").change("phrases are found as whole words")
    patterns = [f"regex({_raw(f'(?i){word}')})" for word in words if _PATTERN.search(word)]
    phrases = [word for word in words if not _PATTERN.search(word)]
    if operator == "AND":
        return {"": " and ".join([*(f"keywords([{_text(word)}])" for word in phrases), *patterns]) or "true"}
    asked = " or ".join([*([f"keywords({_texts(phrases)})"] if phrases else []), *patterns]) or "false"
    return {"": f"not ({asked})" if operator in ("NOR", "NOT") else asked}


def _context(part: Part) -> dict[str, str]:
    least, most = part.get("min_tokens").number(), part.get("max_tokens").number()
    asked = [f"request.tokens >= {least:.0f}"] + ([f"request.tokens <= {most:.0f}"] if most else [])
    return {"": " and ".join(asked)}


def _language(part: Part) -> dict[str, str] | None:
    code = part.get("name").text()
    part.get("threshold").take()
    if code not in _LANGUAGES:
        part.lose("this language is not told from others here")
        return None
    return {"": f"language() == {code}"}


def _conversation(part: Part) -> dict[str, str] | None:
    feature, source = part.at("feature.type").text(), part.at("feature.source.type").text()
    role = part.at("feature.source.role").text()
    counted = {
        ("message", "user"): "request.turns", ("tool_definition", ""): "request.tools",
        ("active_tool_loop", ""): "request.tool_results", ("tool_result", ""): "request.tool_results",
        ("image", ""): "request.images",
    }.get((source, role))  # fmt: skip
    if counted is None:
        part.lose("this is not counted here")
        return None
    return {"": f"{counted} > 0" if feature == "exists" else _asked(counted, part.get("predicate"))}


def _structure(part: Part) -> dict[str, str] | None:
    feature, source = part.at("feature.type").text(), part.at("feature.source")
    source.get("type").take()
    match feature:
        case "density" if source.get("keywords").data:
            return {"": _asked(f"frequency({_texts(source.get('keywords').texts())})", part.get("predicate"))}
        case "sequence":
            rows = source.get("sequences").take() or []
            return {"": " or ".join(f"ordered({_texts([str(word) for word in row])})" for row in rows) or "false"}
        case "exists" if source.get("pattern").data:
            return {"": f"regex({_raw(source.get('pattern').text())})"}
        case "exists" if source.get("keywords").data:
            return {"": f"keywords({_texts(source.get('keywords').texts())})"}
        case _:
            part.lose("this is not seen of a request here")
            return None


def _complexity(part: Part) -> dict[str, str]:
    sides = {side: _texts(part.at(f"{side}.candidates").texts()) for side in ("hard", "easy")}
    away = min(0.45, LEAN * part.get("threshold").number(0.1))
    part.change("it is a contrast of words, not of embeddings")
    contrast = f"contrast(hard = {sides['hard']}, easy = {sides['easy']})"
    return {"hard": f"{contrast} >= {0.5 + away:g}", "easy": f"{contrast} <= {0.5 - away:g}"}


def _embeddings(part: Part) -> dict[str, str]:
    if part.get("aggregation_method").text("max") != "max":
        part.get("aggregation_method").change("the example that is nearest counts")
    threshold = LIKENESS * part.get("threshold").number(0.75)
    part.change(f"it is likeness of words, not of embeddings: the threshold is {threshold:.2f}")
    return {"": f"similar({_texts(part.get('candidates').texts())}) >= {threshold:.2f}"}


def _reasks(part: Part) -> dict[str, str]:
    if part.get("lookback_turns").number(1) > 1:
        part.get("lookback_turns").lose("only the message before is compared")
    return {"": f"reask(request) >= {part.get('threshold').number(0.8):g}"}


def _by_words(value: str, how: str) -> Callable[[Part], dict[str, str]]:
    def read(part: Part) -> dict[str, str]:
        for key in ("threshold", "method"):
            part.get(key).take()
        part.change(how)
        return {"": value}

    return read


def _feedback(part: Part) -> dict[str, str] | None:
    if part.get("name").text() not in ("wrong_answer", "need_clarification", "want_different"):
        part.lose("this feedback is not seen here")
        return None
    return _by_words("dissatisfied", "it is the standard signal `dissatisfied`, which knows words and no classifier")(
        part
    )


_READERS: dict[str, Callable[[Part], dict[str, str] | None]] = {
    "keywords": _keywords,
    "context": _context,
    "language": _language,
    "conversation": _conversation,
    "structure": _structure,
    "complexity": _complexity,
    "embeddings": _embeddings,
    "reasks": _reasks,
    "fact_check": _by_words("facts", "it is the standard signal `facts`, which knows words and no classifier"),
    "user_feedbacks": _feedback,
    "jailbreak": _by_words("injection(request)", "it is `injection`, which knows forms and no classifier"),
    "pii": _by_words("pii(request)", "it is `pii`, which knows forms and no classifier"),
}
_ONE = {"keywords": "keyword", "embeddings": "embedding", "reasks": "reask", "user_feedbacks": "user_feedback"}
"""How one signal of a kind is referred to, where not as the kind is called."""


def _asked(what: str, predicate: Part) -> str:
    asked = [
        f"{what} {sign} {predicate.get(key).number():g}"
        for key, sign in _COMPARED.items()
        if predicate.get(key).data is not None
    ]
    return " and ".join(asked) or f"{what} > 0"


def _sum(terms: list[str]) -> str:
    joined = " + ".join(terms).replace("+ -", "- ")
    return joined or "0.0"


def _doc(text: str) -> Iterator[str]:
    yield from (f"## {line}" for line in text.splitlines())


def _list(names: list[str]) -> str:
    return f"[{', '.join(names)}]"


def _texts(texts: list[str]) -> str:
    return f"[{', '.join(map(_text, texts))}]"


def _text(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _raw(pattern: str) -> str:
    return f'r"{pattern}"' if '"' not in pattern and "\n" not in pattern else _text(pattern)
