"""A profile of vLLM Semantic Router as recipes: its models, signals, projections, decisions, algorithms and entry points."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.importing.documents import BadDocument, Document
from recipelang.importing.reading import Imported, Part, Remarks
from recipelang.importing.vllm_sr.algorithms import Algorithms
from recipelang.importing.vllm_sr.decisions import Decisions
from recipelang.importing.vllm_sr.families import read
from recipelang.importing.vllm_sr.knowledge import Knowledge
from recipelang.importing.vllm_sr.legacy import families_of, models_of, routing_of
from recipelang.importing.vllm_sr.models import Models
from recipelang.importing.vllm_sr.projections import project, valued
from recipelang.importing.vllm_sr.reasons import reason
from recipelang.importing.vllm_sr.rules import compose
from recipelang.importing.vllm_sr.signals import STANDARD, Signals
from recipelang.importing.writing import Names
from recipelang.quick import dataclass, field

RUNNABLE = ("direct", "confidence", "fusion", "remom", "workflows", "ratings")
DEFAULT = "default"
"""What the routing of the file itself is called."""
AUTO = "vllm-sr/auto"
"""What clients can always ask for."""
_SHOWN = ("routing", "recipes", "decisions", "categories", "signals")


def imported(document: Document) -> Imported:
    """The recipes of a profile; raises `BadDocument` for what is none."""
    if not isinstance(document.data, dict) or not any(document.data.get(key) for key in _SHOWN):
        raise BadDocument(
            f"this is no profile of vLLM Semantic Router: it has none of {', '.join(_SHOWN[:-1])} and {_SHOWN[-1]}"
        )
    remarks = Remarks(document)
    return remarks.imported("\n".join(_File(remarks.whole()).lines()), reason)


@dataclass(frozen=True, slots=True)
class _Policy:
    """A routing and the entry points that lead to it, with the names that its recipes get."""

    routing: Part
    own: str  # what the profile calls it
    description: str
    entries: tuple[Part, ...]
    name: str
    decisions: dict[str, str]  # the names of its decisions, by their places
    assigned: Part | None = None  # the entry point that says which models they have


@dataclass
class _File:
    whole: Part
    names: Names = field(default_factory=Names)
    standard: set[str] = field(default_factory=set)  # files of standard signals
    shared: dict[tuple[str, str, str], str] = field(default_factory=dict)  # signals that other policies have declared

    def __post_init__(self) -> None:
        self.names.keep(
            (
                *RUNNABLE,
                *STANDARD,
                *STANDARD.values(),
                "signals",
                "difficulty",
                "easy",
                "medium",
                "hard",
                "chosen",
                "reply",
            )
        )
        self.models = Models(self.names)
        self.algorithms = Algorithms(self.models, self.names)
        bases = self.whole.at("global.model_catalog.kbs").items()
        self.knowledge = Knowledge({kb.get("name").text(): kb for kb in bases})

    def lines(self) -> Iterator[str]:
        version = " ".join(self.whole.get("version").text("with no version").split())
        policies = list(self._policies())  # decisions have the first choice of names: they are what is looked for
        body = [
            *self.models.declared(models_of(self.whole)),
            *(line for each in policies for line in self._policy(each)),
        ]
        yield "language 1\n"
        yield f"# From a profile of vLLM Semantic Router ({version}). The report of the import says what it does not carry over.\n"
        yield from (f"use std.{name}" for name in sorted({*self.algorithms.used, *self.standard}))
        yield ""
        yield from body

    def _policies(self) -> Iterator[_Policy]:
        entries = list(self.whole.get("entrypoints").items())
        found = [
            (each.get("routing"), each.get("name").text(), each.get("description").text())
            for each in self.whole.get("recipes").items()
        ]
        routing = routing_of(self.whole)
        found += [(routing, DEFAULT, "")] if routing.get("decisions").given else []
        named = [
            {part.place: self.names.name(part.get("name").text(), own) for part in routing.get("decisions").items()}
            for routing, own, _ in found
        ]
        for (routing, own, description), decisions in zip(found, named, strict=True):
            mine = [entry for entry in entries if entry.get("recipe").data == own]
            with_models = [entry for entry in mine if entry.get("assignments").given]
            name = "policy" if own == DEFAULT else own
            if not with_models:
                yield _Policy(routing, own, description, tuple(mine), self.names.name(name), decisions)
            for number, entry in enumerate(with_models):
                again = (
                    {place: self.names.name(each, f"{name}_{number + 1}") for place, each in decisions.items()}
                    if number
                    else decisions
                )
                yield _Policy(
                    routing, own, description, (entry,), self.names.name(name), again, entry.get("assignments")
                )

    def _policy(self, policy: _Policy) -> Iterator[str]:
        if policy.own != DEFAULT:
            yield f"# {' '.join(policy.own.split())}\n"
        signals = self._signals(policy.routing, policy.own)
        yield from signals.lines
        decisions = Decisions(policy.name, policy.routing, signals, self.algorithms, policy.decisions, policy.assigned)
        yield from decisions.lines(policy.description, self._default())
        self.standard |= signals.standard
        call = f"{policy.name}()"
        for entry in policy.entries:
            entry.get("recipe").done()
            for client in entry.get("model_names").items():
                yield from self.names.expose(client, client.text(), call)
        if policy.own == DEFAULT:
            router = self.whole.at("global.router")
            told = [
                each for each in (*router.get("auto_model_names").items(), router.get("auto_model_name")) if each.given
            ]
            for part in told:
                yield from self.names.expose(part, part.text(), call)
            if AUTO not in self.names.exposed:
                yield from self.names.expose(policy.routing, AUTO, call)

    def _signals(self, routing: Part, own: str) -> Signals:
        settings = self.whole.at("global.model_catalog.embeddings.semantic.embedding_config")
        signals = Signals(self.names, own, valued(routing), settings, declared=self.shared)
        for family, part in families_of(self.whole, routing):
            if family == "kb":
                self.knowledge.read(signals, part)
            else:
                read(signals, family, part)
        compose(signals)
        project(signals, routing, self.knowledge)
        return signals

    def _default(self) -> str | None:
        """The model that answers where no decision applies."""
        places = (
            "providers.defaults.default_model",
            "providers.defaults.model",
            "providers.default_model",
            "default_model",
        )
        named = next((part for place in places if (part := self.whole.at(place)).given), None)
        return self.models.called(named) if named is not None else None


__all__ = ["imported"]
