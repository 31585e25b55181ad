"""Where older versions of the router have what the present one has elsewhere; each part keeps the place where it stands."""

from __future__ import annotations

from collections.abc import Iterator

from recipelang.importing.reading import Part

_FLAT = {
    "keyword_rules": "keywords", "embedding_rules": "embeddings", "fact_check_rules": "fact_check",
    "user_feedback_rules": "user_feedbacks", "reask_rules": "reasks", "preference_rules": "preferences",
    "language_rules": "language", "context_rules": "context", "structure_rules": "structure",
    "complexity_rules": "complexity", "modality_rules": "modality", "role_bindings": "role_bindings",
    "jailbreak": "jailbreak", "pii": "pii", "kb": "kb", "conversation": "conversation", "events": "events",
    "metadata": "metadata", "classifiers": "classifiers", "input_modality": "input_modality",
    "hallucination": "hallucination",
}  # fmt: skip
"""The families of signals that once stood at the top of the file."""
_ADDRESS = ("name", "address", "port", "protocol")
"""What of an endpoint is taken over."""


def routing_of(whole: Part) -> Part:
    """The routing of the file itself: under `routing`, or at its top."""
    routing = whole.get("routing")
    if routing.get("decisions").given or routing.get("signals").given:
        return routing
    if whole.get("decisions").given:
        return whole
    made = [] if not isinstance(whole.data, dict) else [part.data for part in categories(whole)]
    return _of_categories(whole, made) if made else routing


def families_of(whole: Part, routing: Part) -> Iterator[tuple[str, Part]]:
    yield from (entry for entry in routing.get("signals").entries() if entry[0] != "signal_groups")
    if routing.place and routing.place != "routing":
        return
    for key, family in _FLAT.items():
        if whole.get(key).given:
            yield family, whole.get(key)
    if whole.get("categories").given:
        yield "domains", whole.get("categories")


def categories(whole: Part) -> Iterator[Part]:
    """Categories that say which models are good at them: before there were decisions, these were the decisions."""
    for part in whole.get("categories").items():
        if part.get("model_scores").given:
            yield part


def models_of(whole: Part) -> Part:
    """The file with its providers as they are now."""
    data = whole.data if isinstance(whole.data, dict) else {}
    settings, endpoints = (
        whole.get("model_config"),
        {part.get("name").text(): part for part in whole.get("vllm_endpoints").items()},
    )
    if not settings.given and not endpoints:
        return whole
    return _Older(whole, settings, endpoints).models(data)


class _Older:
    """Models that were settings by name and lists of addresses that they prefer."""

    def __init__(self, whole: Part, settings: Part, endpoints: dict[str, Part]) -> None:
        self.whole, self.settings, self.endpoints = whole, settings, endpoints

    def models(self, data: dict[str, object]) -> Part:
        names = [own for own, _ in self.settings.entries()]
        names += [name for part in self.endpoints.values() for name in part.get("models").texts() if name not in names]
        made = [self._model(own) for own in names]
        providers = {"models": [*made, *(self.whole.at("providers.models").data or [])]}
        return Part({**data, "providers": providers}, self.whole.place, self.whole.remarks)

    def _model(self, own: str) -> dict[str, object]:
        part = self.settings.get(own)
        wanted = part.get("preferred_endpoints").texts()
        mine = [
            endpoint
            for name, endpoint in self.endpoints.items()
            if name in wanted or own in endpoint.get("models").texts() or not (wanted or endpoint.get("models").given)
        ]
        for endpoint in mine:
            endpoint.done(*_ADDRESS, "models")
        pricing = part.get("pricing")
        for key in ("currency", "prompt_per_1m", "completion_per_1m"):
            pricing.get(key).done()
        return {"name": own, "backend_refs": [_address(endpoint) for endpoint in mine], "pricing": pricing.data}


def _address(endpoint: Part) -> dict[str, object]:
    return {key: part.data for key, part in endpoint.entries() if key in _ADDRESS}


def _of_categories(whole: Part, made: list[object]) -> Part:
    decisions = []
    for category in made:
        scores = category["model_scores"] if isinstance(category, dict) else []
        if isinstance(scores, dict):
            scores = [{"model": model, "score": score} for model, score in scores.items()]
        if not isinstance(scores, list):
            continue
        ranked = sorted(
            (each for each in scores if isinstance(each, dict) and isinstance(each.get("score"), (int, float))),
            key=lambda each: -each["score"],
        )
        if ranked and isinstance(category, dict):
            name = str(category.get("name"))
            decisions.append(
                {"name": f"{name}_route", "rules": {"type": "domain", "name": name}, "modelRefs": ranked[:1]}
            )
    data = whole.data if isinstance(whole.data, dict) else {}
    return Part({**data, "decisions": decisions}, whole.place, whole.remarks)
