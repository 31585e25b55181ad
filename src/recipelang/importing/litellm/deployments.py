"""The deployments of a LiteLLM model list, as backends and models of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipelang.importing.providers import OPEN, OTHERS, api_address, is_address, provider
from recipelang.importing.reading import Part
from recipelang.importing.writing import Names, doc, money, remarks_above, text
from recipelang.quick import dataclass, field

_FROM_ENVIRONMENT = re.compile(r"^os\.environ/(\w+)$")
_FAMILIES = (
    ("claude", "anthropic"),
    ("gemini", "gemini"),
    ("deepseek", "deepseek"),
    ("mistral", "mistral"),
    ("grok", "xai"),
)
_MEANINGLESS = ("", "none", "null", "empty", "dummy", "fake-key", "not-needed", "sk-1234", "anything")
"""Keys that say that there is none."""


@dataclass(frozen=True, slots=True)
class Deployment:
    """One model at one address."""

    name: str  # in the recipe
    group: str  # the name that clients ask for
    part: Part
    order: float
    price: float | None
    context: float | None
    tags: tuple[str, ...]


@dataclass
class Deployments:
    names: Names
    circuit: str = ""  # what each backend says of failures
    parallel: int = 0
    credentials: dict[str, Part] = field(default_factory=dict)
    _backends: dict[tuple[str, str, int], str] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)

    def declared(self, part: Part) -> Deployment | None:
        """A deployment, declared; none for what a recipe can't call."""
        group, params = part.get("model_name").text(), part.get("litellm_params")
        kind, model = self._model(params)
        if not group or not model:
            part.lose("a deployment has a `model_name` and a `litellm_params.model`")
            return None
        if "*" in group or "*" in model:
            part.lose("a name stands for one model here: write down those that are asked for")
            return None
        mode = part.at("model_info.mode")
        if not mode.is_one_of("chat", "completion", "responses"):
            part.lose(f"it is a model for `{mode.data}`, and a recipe asks for text")
            return None
        address = self._address(params, kind)
        if address is None:
            part.lose(f"`{kind}` is not reached in OpenAI's form: have a gateway speak it")
            return None
        backend = self._backend(params, kind, address)
        name = self.names.name(self._wanted(part, group, model), kind)
        price, settings = self._price(part), list(self._abilities(part))
        limit = next(
            (
                p.maybe_number()
                for p in (part.at("model_info.max_input_tokens"), part.at("model_info.max_tokens"))
                if p.given
            ),
            None,
        )
        declared = [
            f"backend = {backend}",
            f"id = {text(model)}",
            *price[0],
            *([f"context = {limit:.0f}"] if limit and limit >= 1 else []),
            *settings,
        ]
        self.lines += remarks_above(part)
        self.lines += doc(part.at("model_info.description").text())
        self.lines.append(f"model {name} {{ {', '.join(declared)} }}\n")
        order = params.get("order").number(float("inf"))
        return Deployment(name, group, part, order, price[1], limit, tuple(params.get("tags").texts()))

    # --------------------------------------------------------------- address

    def _model(self, params: Part) -> tuple[str, str]:
        """The provider and what it calls the model."""
        spelled = params.get("model").text()
        first, _, rest = spelled.partition("/")
        told = params.get("custom_llm_provider").text().lower()
        if told:
            return told, rest if first == told else spelled
        if rest and (provider(first) is not None or first in OPEN or first in OTHERS):
            return first.lower(), rest
        known = next((kind for family, kind in _FAMILIES if spelled.startswith(family)), "openai")
        return ("openai" if params.get("api_base").given else known), spelled

    def _address(self, params: Part, kind: str) -> str | None:
        base = params.either("api_base", "base_url")
        if not base.given:
            base = self._credential(params, "api_base")
        if base.given:
            written = base.text()
            named = _FROM_ENVIRONMENT.match(written)
            if named:
                base.change(f"an address is written down here: put that of {named[1]} in the place of this one")
                return f"https://{named[1].lower().replace('_', '-')}.invalid/v1"
            if not is_address(written):
                base.lose("an address begins with http:// or https://")
                return None
            if kind in ("azure", "azure_ai"):
                base.change("it is reached in the form that needs no version")
                bare = api_address(written).removesuffix("/openai")
                return bare if bare.endswith("/v1") else f"{bare}/openai/v1"
            if kind in ("ollama", "ollama_chat") and not written.rstrip("/").endswith("/v1"):
                return f"{api_address(written)}/v1"
            return api_address(written)
        known = provider(kind)
        return known.url if known is not None else None

    def _backend(self, params: Part, kind: str, address: str) -> str:
        key, most = self._key(params, kind), int(params.get("max_parallel_requests").number(self.parallel))
        known = (address, key, most)
        if known not in self._backends:
            local = re.match(r"https?://(?:localhost|127\.|0\.0\.0\.0|[\w-]+(?::|/))", address)
            name = self.names.name(kind if kind not in OPEN or not local else "local_models")
            self._backends[known] = name
            settings = ["kind = openai", f"url = {text(address)}", *([f"key = env({text(key)})"] if key else [])]
            settings += [f"parallel = {min(10_000, most)}"] if most > 0 else []
            settings += [self.circuit] if self.circuit else []
            self.lines.append(f"backend {name} {{ {', '.join(settings)} }}\n")
        return self._backends[known]

    def _key(self, params: Part, kind: str) -> str:
        given = params.get("api_key")
        if not given.given:
            given = self._credential(params, "api_key")
        known = provider(kind)
        usual = known.key if known is not None else "AZURE_API_KEY" if kind.startswith("azure") else ""
        if not given.given:
            return usual if known is not None and not params.get("api_base").given else ""
        written = given.text()
        named = _FROM_ENVIRONMENT.match(written)
        if named:
            return named[1]
        if written.lower() in _MEANINGLESS:
            return ""
        variable = usual or f"{re.sub(r'[^A-Z0-9]+', '_', kind.upper()).strip('_')}_API_KEY"
        given.change(f"a key is not written into a recipe: put it into the environment as {variable}")
        return variable

    def _credential(self, params: Part, key: str) -> Part:
        named = params.get("litellm_credential_name")
        return (
            self.credentials[named.text()].at(f"credential_values.{key}")
            if named.data in self.credentials
            else Part(None, "", params.remarks)
        )

    # ---------------------------------------------------------------- the rest

    def _wanted(self, part: Part, group: str, model: str) -> str:
        own = part.at("model_info.id")
        if (
            isinstance(own.data, str)
            and re.match(r"^[A-Za-z][\w.-]{2,40}$", own.data)
            and not re.fullmatch(r"[0-9a-f-]{16,}", own.data)
        ):
            return own.text()
        return model.rpartition("/")[2] if "/" in model or len(model) < 40 else group

    def _price(self, part: Part) -> tuple[list[str], float | None]:
        found = {}
        for side in ("input", "output"):
            told = [part.at(f"{where}.{side}_cost_per_token") for where in ("litellm_params", "model_info")]
            found[side] = next((each.maybe_number() for each in told if each.given), None)
        if all(value is None for value in found.values()):
            return [], None
        into, out = (1_000_000 * (found[side] or 0.0) for side in ("input", "output"))
        return [f"price = {{ input = {money(round(into, 6))}, output = {money(round(out, 6))} }}"], out

    def _abilities(self, part: Part) -> Iterator[str]:
        for key, ability in (
            ("supports_vision", "vision"),
            ("supports_function_calling", "tools"),
            ("supports_response_schema", "json_schema"),
        ):
            given = part.at(f"model_info.{key}")
            if isinstance(given.data, bool):
                yield f"{ability} = {str(given.flag()).lower()}"
