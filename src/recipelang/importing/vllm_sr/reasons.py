"""Why a setting of vLLM Semantic Router is not carried over: by where it stands, the longest place that fits."""

from __future__ import annotations

import re

from recipelang.importing.reasons import CACHE, bare, reason_in

_THINKING = "how a model thinks is set where it is served"
_RETRIEVAL = "a recipe fetches and keeps no documents: write an `extern` for it"
_OWN = "the standard recipe has its own"
_MEASURED = "it trains on what the router has seen"

_REASONS: dict[str, str] = {
    "listeners": "`recipelang serve` says where it listens, and its `[keys]` who may call",
    "global": "it sets up the router's own processes",
    "global.services.observability": "`recipelang serve` has tracing and metrics of its own",
    "global.services.authz": "the `[keys]` of `recipelang serve` say who may call",
    "global.services.ratelimit": "the `[keys]` of `recipelang serve` have limits for each caller",
    "global.services.router_replay": "a trace is kept by `recipelang serve`",
    "global.services.response_api": "`recipelang serve` keeps responses in a store of its own",
    "global.stores": "`recipelang serve` has a store of its own",
    "global.integrations.looper": "a recipe calls its models itself",
    "global.model_catalog": "nothing here runs the router's classifiers and encoders",
    "global.router.learning": _MEASURED,
    "global.router.model_selection": _MEASURED,
    "evaluation": "only a model's first score is taken over, as its rating",
    "providers.defaults": _THINKING,
    "providers.models.reliability": "retries and the health of addresses are set in the steps of a recipe and its backends",
    "providers.models.reasoning": _THINKING,
    "providers.models.reasoning_family": _THINKING,
    "providers.models.external_model_ids": "a model has one id here",
    "providers.models.pricing.cached_input_per_1m": "a price is for what is sent, cached or not",
    "providers.models.pricing.cache_write_per_1m": "a price is for what is sent, cached or not",
    "providers.models.backend_refs.extra_headers": "only the key is sent along",
    "providers.models.backend_refs.api_version": "it is no setting of OpenAI's form",
    "vllm_endpoints.weight": "of several addresses the one with the fewest calls is taken",
    "vllm_endpoints.type": "it is reached at its address, in OpenAI's form",
    "semantic_cache": CACHE,
    "modelCards": "nothing reads it",
    "modelCards.param_size": "only the order in which models are asked goes by it",
    "modelCards.loras": "an adapter is a model where a decision asks for it",
    "modelCards.tags": "nothing reads tags but `deployment:`, which is the zone",
    "modelCards.capabilities": "nothing reads capabilities but vision and tools",
    "modelCards.max_output_tokens": "roles say how many tokens an answer may have",
    "signals.keywords": "how alike words must be is said in mistyped characters",
    "signals.hallucination": "an answer is looked at by a role of a recipe, not by a classifier",
    "signals.topic_continuity": "no decision can ask for it",
    "projections.mappings.name": "its cases are signals of their own",
    "candidate_requirements": "the checker looks at what models are declared to be able to do",
    "data_policy": "a boundary says what may leave: write one",
    "model_bindings": "nothing here runs the router's classifiers and encoders",
    "fallback": "a failure takes the `fallback` of its step",
    "decisions.modelRefs.weight": "the first model is taken, or the one that the algorithm chooses",
    "decisions.modelRefs.use_reasoning": _THINKING,
    "decisions.modelRefs.reasoning_mode": _THINKING,
    "decisions.modelRefs.reasoning_effort": _THINKING,
    "decisions.modelRefs.reasoning_description": _THINKING,
    "decisions.output_contract": "write a `contract`, and return the answer with it",
    "decisions.output_contract_spec": "write a `contract`, and return the answer with it",
    "decisions.adaptations": _MEASURED,
    "decisions.emits": "a run keeps nothing for the next one",
    "decisions.annotations": "nothing reads it",
    "decisions.candidateIterations": "the models of a decision are its `modelRefs`",
    "decisions.rules.on_unknown": "a signal is always known here",
    "decisions.rules.on_error": "a signal never fails here",
    "decisions.algorithm.on_error": "the standard recipe goes on without what fails",
    "decisions.algorithm.minimum_candidates": "the checker counts the models of a recipe",
    "decisions.algorithm": _OWN,
    "decisions.plugins": "plugins change requests and answers around a recipe",
    "decisions.plugins.response_cache": CACHE,
    "decisions.plugins.semantic-cache": CACHE,
    "decisions.plugins.semantic_cache": CACHE,
    "decisions.plugins.prompt_cache": "the endpoint caches prompts as it likes",
    "decisions.plugins.tools": "a role without a prompt offers the client's tools as they are",
    "decisions.plugins.tool_selection": "a role without a prompt offers the client's tools as they are",
    "decisions.plugins.rag": _RETRIEVAL,
    "decisions.plugins.memory": _RETRIEVAL,
    "decisions.plugins.pii": "write a `boundary` over `pii(request)`",
    "decisions.plugins.jailbreak": "guard an arm with `injection(request)`",
    "decisions.plugins.response_jailbreak": "have a role look at the answer, and `fail` where it is not fit",
    "decisions.plugins.content_safety": "have a role look at the answer, and `fail` where it is not fit",
    "decisions.plugins.hallucination": "have a role check the answer: `critique_and_revise` is a recipe for it",
    "decisions.plugins.header_mutation": "a recipe sends no headers",
    "decisions.plugins.router_replay": "a trace is kept by `recipelang serve`",
    "decisions.plugins.request_params": "roles say what is sent to their models",
    "decisions.plugins.shadow_dispatch": "a recipe calls the models that its answer needs",
    "decisions.plugins.context_compression": "a conversation is passed on as it came",
    "decisions.plugins.fast_response": "only its message is taken over",
}


def reason(place: str) -> str:
    """Why what stands at a place is not carried over."""
    whole = bare(place)
    within = re.sub(r"^(?:recipes\.)?(?:routing\.)?", "", whole)
    plugin = re.search(r"\.plugins\[(?:\d+:)?([\w-]+)\]", place)
    if plugin is not None and f"decisions.plugins.{plugin[1]}" in _REASONS:
        return _REASONS[f"decisions.plugins.{plugin[1]}"]
    if ".rules." in f"{whole}.":
        within = f"decisions.rules.{whole.rpartition('.')[2]}"
    return reason_in(_REASONS, within)
