"""Settings of LiteLLM become a pool of models and a recipe for each name, and drop nothing in silence."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.hosts.requests import request_of
from recipelang.hosts.routing import route
from recipelang.importing.documents import BadDocument, Document, document
from recipelang.importing.litellm import imported
from recipelang.importing.reading import Imported
from recipelang.ir.plan import Plan
from silence import silent

FILE = Path(__file__).parents[2] / "corpus" / "importing" / "litellm.yaml"


def of(text: str) -> Imported:
    return imported(document(text.encode()))


@lru_cache
def of_file() -> Imported:
    return imported(document(FILE.read_bytes()))


def plan_of(found: Imported) -> Plan:
    compilation = compile_text(found.recipe, "imported.recipe")
    assert compilation.plan is not None, render(compilation.diagnostics)
    return compilation.plan


def one(params: str, more: str = "") -> Imported:
    return of(f"model_list: [{{model_name: x, litellm_params: {{{params}}}{more}}}]")


def test_each_name_is_exposed_and_so_are_its_aliases() -> None:
    assert sorted(plan_of(of_file()).entries) == ["claude", "gpt-4", "gpt-4o", "hidden-one", "local"]


def test_deployments_are_asked_in_their_order_and_then_those_of_fallbacks() -> None:
    assert "for m in [gpt_4o_eu, openai_gpt_4o, claude_sonnet_5, qwen3_8b] { on_error = skip }" in of_file().recipe


@pytest.mark.parametrize(
    ("strategy", "by"),
    [("simple-shuffle", "load(it)"), ("least-busy", "load(it)"), ("latency-based-routing", "latency(it)"),
     ("usage-based-routing-v2", "load(it)"), ("cost-based-routing", "it.price.output if it.price != none else $1k"), ("new", "load(it)")],
)  # fmt: skip
def test_deployments_of_the_same_order_go_by_the_strategy(strategy: str, by: str) -> None:
    found = of(
        f"model_list: [{{model_name: x, litellm_params: {{model: openai/a}}}}, {{model_name: x, litellm_params: {{model: groq/b}}}}]\n"
        f"router_settings: {{routing_strategy: {strategy}}}"
    )
    assert f"for m in sort([a, b], by = {by})" in found.recipe
    assert bool(found.changed) is (strategy in ("simple-shuffle", "usage-based-routing-v2", "new"))
    plan_of(found)


def test_tags_choose_where_they_are_asked_to() -> None:
    plan = plan_of(of_file())

    def taken(tags: dict[str, str]) -> str:
        arm = route(plan, plan.entries["gpt-4o"], request_of("Hello.", metadata=tags)).choices[0].taken
        assert arm is not None
        return arm.calls

    assert (taken({"tags": "free"}), taken({"tags": "paid"}), taken({})) == (
        "gpt_4o_free()",
        "gpt_4o_plain()",
        "gpt_4o_plain()",
    )


def test_a_request_that_is_too_long_goes_to_those_that_take_more() -> None:
    found = of(
        "model_list: [{model_name: s, litellm_params: {model: openai/s}, model_info: {max_input_tokens: 8000}}, {model_name: l, litellm_params: {model: openai/l}}]\n"
        "litellm_settings: {context_window_fallbacks: [{s: [l]}]}"
    )
    plan = plan_of(found)
    ways = [route(plan, plan.entries["s"], request_of("word " * times)).choices[0].taken for times in (10, 10_000)]
    assert [way.calls for way in ways if way is not None] == ["s_plain()", "s_longer()"]


@pytest.mark.parametrize(
    ("params", "url", "key"),
    [
        ("model: openai/gpt-4o", "https://api.openai.com/v1", "OPENAI_API_KEY"),
        ("model: gpt-4o, api_key: os.environ/MINE", "https://api.openai.com/v1", "MINE"),
        ("model: claude-sonnet-5", "https://api.anthropic.com/v1", "ANTHROPIC_API_KEY"),
        ("model: gemini/gemini-3-pro", "https://generativelanguage.googleapis.com/v1beta/openai", "GEMINI_API_KEY"),
        ("model: openrouter/meta/llama", "https://openrouter.ai/api/v1", "OPENROUTER_API_KEY"),
        ("model: hosted_vllm/qwen, api_base: 'http://gpu:8000/v1/'", "http://gpu:8000/v1", None),
        ("model: openai/qwen, api_base: 'http://gpu:8000/v1', api_key: none", "http://gpu:8000/v1", None),
        ("model: ollama/llama3", "http://localhost:11434/v1", None),
        ("model: ollama/llama3, api_base: 'http://box:11434'", "http://box:11434/v1", None),
        ("model: azure/mine, api_base: 'https://me.openai.azure.com', api_key: os.environ/AZ", "https://me.openai.azure.com/openai/v1", "AZ"),
    ],
)  # fmt: skip
def test_providers_are_reached_where_they_speak_openais_form(params: str, url: str, key: str | None) -> None:
    backend = next(iter(plan_of(one(params)).backends.values()))
    assert (backend.url, backend.key.variable if backend.key is not None else None) == (url, key)


@pytest.mark.parametrize(
    ("params", "more", "why"),
    [
        ("model: bedrock/x", "", "not reached in OpenAI's form"),
        ("model: 'openai/*'", "", "a name stands for one model"),
        ("model: openai/embed", ", model_info: {mode: embedding}", "a model for `embedding`"),
        ("rpm: 3", "", "a deployment has a `model_name`"),
        ("model: openai/x, api_base: 'ftp://x'", "", "begins with http"),
    ],
)
def test_what_a_recipe_cannot_call_is_said(params: str, more: str, why: str) -> None:
    assert any(why in each.says for each in one(params, more).lost)


def test_no_secret_is_written_anywhere() -> None:
    found = of_file()
    assert not any(secret in repr(found) for secret in ("sk-very-secret-literal-key", "hunter2"))
    assert 'key = env("OPENAI_API_KEY")' in found.recipe


def test_retries_timeouts_and_circuits_are_those_of_the_settings() -> None:
    plan = plan_of(of_file())
    assert {(backend.circuit, backend.cooldown) for backend in plan.backends.values()} == {(4, 30.0)}
    assert "{ timeout = 30s, retries = 3 }" in of_file().recipe
    assert "{ max_tokens = 2048, temperature = 0.2 }" in of_file().recipe


def test_an_answer_fits_the_models_that_may_give_it() -> None:
    plan_of(one("model: openai/old", ", model_info: {max_tokens: 4096}"))


def test_nothing_is_dropped_in_silence() -> None:
    dropped = silent(document(FILE.read_bytes()), imported)
    assert dropped == ["model_list[2].litellm_params.order"]  # it is the only one with its tag


def test_a_setting_that_nobody_has_heard_of_is_in_the_report_with_its_line() -> None:
    data: dict[str, Any] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    data["unheard"] = {"of": 1}
    data["model_list"][0]["litellm_params"]["strange"] = [1]
    lost = {each.place for each in imported(Document(data)).lost}
    assert {"unheard", "model_list[0].litellm_params.strange"} <= lost


@pytest.mark.parametrize("data", [None, [], {}, {"model_list": []}, {"model_list": "x"}, {"routing": {}}])
def test_what_are_no_settings_is_refused(data: object) -> None:
    with pytest.raises(BadDocument, match="no settings of LiteLLM"):
        imported(Document(data))
