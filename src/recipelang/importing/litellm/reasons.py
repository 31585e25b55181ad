"""Why a setting of LiteLLM is not carried over: by where it stands, the longest place that fits."""

from __future__ import annotations

from recipelang.importing.reasons import CACHE, bare, reason_in

_LOGS = "`recipelang serve` has tracing, metrics and logs of its own"
_CALLERS = "the `[keys]` of `recipelang serve` say who may call, and for how much"
_RATES = "no rate is kept: an endpoint that says 429 is tried again, or the next one is asked"
_SENT = "a role says what is sent to its model"
_SERVED = "`recipelang serve` has settings of its own"

_REASONS: dict[str, str] = {
    "environment_variables": "a recipe reads only keys from the environment: set these where it is served",
    "general_settings": _SERVED,
    "general_settings.master_key": _CALLERS,
    "general_settings.max_parallel_requests": _CALLERS,
    "general_settings.alerting": _LOGS,
    "litellm_settings": _SERVED,
    "litellm_settings.callbacks": _LOGS,
    "litellm_settings.success_callback": _LOGS,
    "litellm_settings.failure_callback": _LOGS,
    "litellm_settings.set_verbose": _LOGS,
    "litellm_settings.cache": CACHE,
    "litellm_settings.cache_params": CACHE,
    "litellm_settings.max_budget": _CALLERS,
    "litellm_settings.budget_duration": _CALLERS,
    "litellm_settings.default_team_settings": _CALLERS,
    "litellm_settings.drop_params": "what a client may say is said by `recipelang serve`",
    "litellm_settings.stream_timeout": "a `timeout` is for the whole call",
    "router_settings": "a recipe chooses and tries its models itself",
    "router_settings.stream_timeout": "a `timeout` is for the whole call",
    "router_settings.redis_host": _SERVED,
    "router_settings.redis_password": _SERVED,
    "router_settings.redis_port": _SERVED,
    "router_settings.redis_url": _SERVED,
    "router_settings.provider_budget_config": "a budget is for a recipe or a caller, not for a provider",
    "router_settings.num_retries": "what is said for a group or for kinds of failures goes before it",
    "router_settings.retry_policy": "failures that may pass are tried again, others never",
    "router_settings.retry_after": "retries wait as long as the endpoint asks, or half a second and more",
    "model_list.litellm_params": _SENT,
    "model_list.litellm_params.rpm": _RATES,
    "model_list.litellm_params.tpm": _RATES,
    "model_list.rpm": _RATES,
    "model_list.tpm": _RATES,
    "model_list.litellm_params.weight": "the least busy is asked first, whatever its weight",
    "model_list.litellm_params.max_budget": "a budget is for a recipe or a caller, not for one endpoint",
    "model_list.litellm_params.budget_duration": "a budget is for a recipe or a caller, not for one endpoint",
    "model_list.litellm_params.stream_timeout": "a `timeout` is for the whole call",
    "model_list.litellm_params.api_version": "it is no setting of OpenAI's form",
    "model_list.litellm_params.extra_headers": "only the key is sent along",
    "model_list.litellm_params.headers": "only the key is sent along",
    "model_list.litellm_params.organization": "only the key is sent along",
    "model_list.litellm_params.tags": "tags count where `enable_tag_filtering` is on",
    "model_list.litellm_params.reasoning_effort": "how a model thinks is set where it is served",
    "model_list.litellm_params.thinking": "how a model thinks is set where it is served",
    "model_list.model_info": "nothing reads it",
    "credential_list": "a key is read from the environment",
    "guardrails": "have a role look at what was asked or answered, or write a `boundary`",
    "mcp_servers": "the client's tools are passed on, and no others",
    "vector_store_registry": "a recipe fetches no documents: write an `extern` for it",
    "prompts": "prompts are written in roles",
    "include": "one file is read: put what it includes into it",
}


def reason(place: str) -> str:
    """Why what stands at a place is not carried over."""
    return reason_in(_REASONS, bare(place))
