"""The models of a profile and where they are reached, as backends and models of a recipe."""

from __future__ import annotations

import re
from collections.abc import Iterator

from recipelang.importing.providers import OPEN, api_address, is_address, provider
from recipelang.importing.reading import Part
from recipelang.importing.writing import MOST_NUMBER, Names, doc, money, number, text, texts
from recipelang.quick import dataclass, field

_ZONE = "deployment:"
_SEES = {"vision", "image", "multimodal", "image_input", "vlm"}
_CALLS = {"tools", "tool_use", "tool_calling", "function_calling", "function-calling"}
LEAST_CONTEXT = 4_096
"""Tokens in which the answers of the standard recipes fit, and what they answer to."""
_NOWHERE = "put its address into the backend `nowhere`"
_DURATION = re.compile(r"^(\d+)(ms|s|m|h)$")


@dataclass
class Models:
    """The models by the names that the profile has for them."""

    names: Names
    by_name: dict[str, str] = field(default_factory=dict)
    prices: dict[str, float] = field(default_factory=dict)  # of output, by the recipe's name; where they are known
    ratings: dict[str, float] = field(default_factory=dict)
    sizes: dict[str, float] = field(default_factory=dict)  # billions of parameters
    _adapters: dict[tuple[str, str], str] = field(default_factory=dict)
    _settings: dict[str, list[str]] = field(default_factory=dict)
    _bases: dict[str, str] = field(default_factory=dict)  # adapters to the models that have them
    _nowhere: str = ""  # the backend of models that have no address
    later: list[str] = field(default_factory=list)  # declarations that came up as models were referred to

    def declared(self, whole: Part) -> Iterator[str]:
        cards = {card.get("name").text(): card for card in _cards(whole)}
        scores = self._scores(whole)
        ended = set()
        for model in _provided(whole):
            own = model.get("name").text()
            ended.add(own)
            yield from self._model(own, model, cards.get(own), scores.get(own))
        for own, card in cards.items():
            self._bases |= {
                adapter.get("name").text(): own for adapter in card.get("loras").items() if adapter.get("name").given
            }
            if own and own not in ended:
                card.get("name").change(f"no provider has this model: {_NOWHERE}")
                yield from self._model(own, Part(None, "", whole.remarks), card, scores.get(own))

    def called(self, part: Part) -> str | None:
        """The recipe's name of a model that is referred to, by a name or with an adapter."""
        named = part.get("model") if isinstance(part.data, dict) else part
        own = named.text()
        if not own:
            named.lose("it names no model")
            return None
        if own not in self.by_name and self._bases.get(own) in self.by_name:
            return self._with_adapter(self._bases[own], own)
        if own not in self.by_name:
            named.change(f"nothing else says what model this is: {_NOWHERE}")
            self.later += self._model(own, Part(None, "", named.remarks), None, None)
        adapter = part.get("lora_name").text() or part.get("lora").text() if isinstance(part.data, dict) else ""
        return self._with_adapter(own, adapter) if adapter else self.by_name[own]

    def _with_adapter(self, own: str, adapter: str) -> str:
        """An adapter is a model of the same address, called by the adapter's name."""
        base = self.by_name[own]
        if (own, adapter) not in self._adapters:
            name = self.names.name(adapter, base)
            settings = [f"id = {text(adapter)}" if each.startswith("id = ") else each for each in self._settings[base]]
            self.later.append(f"model {name} {{ {', '.join(settings)} }}\n")
            for known in (self.prices, self.ratings, self.sizes):
                if base in known:
                    known[name] = known[base]
            self._adapters[(own, adapter)] = name
        return self._adapters[(own, adapter)]

    def _model(self, own: str, model: Part, card: Part | None, score: Part | None) -> Iterator[str]:
        backend = self._backend(own, model)
        name = self.names.name(own.rpartition("/")[2])
        self.by_name[own] = name
        if backend is None:
            if not self._nowhere:
                self._nowhere = self.names.name("nowhere")
                yield "# Put an address here: the profile has none for the models of this backend."
                yield f'backend {self._nowhere} {{ kind = openai, url = "https://nowhere.invalid/v1" }}\n'
            settings = [f"backend = {self._nowhere}", f"id = {text(model.get('provider_model_id').text(own))}"]
            settings += self._price(name, model.get("pricing"))
            settings += self._card(name, card, score)
            self._settings[name] = settings
            yield from doc(card.get("description").text() if card else "")
            yield f"model {name} {{ {', '.join(settings)} }}\n"
            return
        address = self.names.name(f"{name}_backend")
        settings = [f"backend = {address}", f"id = {text(model.get('provider_model_id').text(own))}"]
        settings += self._price(name, model.get("pricing"))
        settings += self._card(name, card, score)
        self._settings[name] = settings
        yield f"backend {address} {{ {', '.join(backend)} }}"
        yield from doc(card.get("description").text() if card else "")
        yield f"model {name} {{ {', '.join(settings)} }}\n"

    # -------------------------------------------------------------- backends

    def _backend(self, own: str, model: Part) -> list[str] | None:
        refs = list(model.either("backend_refs", "endpoints", "preferred_endpoints").items())
        if not refs:
            if model.given:
                model.get("name").change(f"it has no address of its own: {_NOWHERE}")
            return None
        addresses = [self._address(ref) for ref in refs]
        keys = [self._key(ref, own) or self._key(model, own) for ref in refs]
        if not addresses[0]:
            model.get("name").change(f"it has no address that is known: {_NOWHERE}")
            return None
        same = [a for a, key in zip(addresses, keys, strict=True) if a and key == keys[0]]
        for ref, address, key in zip(refs, addresses, keys, strict=True):
            if not address or key != keys[0]:
                ref.lose("the addresses of one backend have the same key")
        if len(same) > 1 and any(ref.get("weight").given for ref in refs):
            model.either("backend_refs", "endpoints").change(
                "of several addresses the one with the fewest calls is taken, whatever its weight"
            )
        for ref in refs:
            ref.done("name")
            if len(refs) > 1:
                ref.done("weight")
            else:
                _passed_over("there is one address", ref.get("weight"))
        if not model.get("api_format").is_one_of("openai", ""):
            model.get("api_format").lose("its endpoint speaks another form than OpenAI's, which is what recipes speak")
        where = f"url = {text(same[0])}" if len(set(same)) == 1 else f"urls = {texts(dict.fromkeys(same))}"
        settings = ["kind = openai", where, *([f"key = env({text(keys[0])})"] if keys[0] else [])]
        return settings + list(self._circuit(model.get("reliability")))

    def _address(self, ref: Part) -> str:
        if not isinstance(ref.data, dict):
            return ""
        base, path = ref.get("base_url").text(), ref.get("chat_path").text()
        endpoint, protocol, port = ref.either("endpoint", "address"), ref.get("protocol"), ref.get("port")
        kind = ref.either("provider", "type")
        known = provider(kind.text())
        if base:
            _passed_over("`base_url` goes before it", endpoint, protocol, port)
        elif endpoint.given:
            base = endpoint.text()
            if "://" in base:
                _passed_over("the address has its own", protocol, port)
            else:
                base = f"{protocol.text('http')}://{base}{f':{port.text()}' if port.given else ''}"
            base = base if base.count("/") > 2 else f"{base}/v1"
        if not base:
            base = known.url if known is not None else ""
        elif kind.text().lower() not in OPEN:
            _passed_over("it is reached at its address, in OpenAI's form", kind)
        if path and base and not path.endswith("/chat/completions"):
            ref.get("chat_path").lose("a recipe calls `/chat/completions`")
        elif path and base and path != "/chat/completions":
            base = f"{'/'.join(base.split('/')[:3])}{path}"
        if base and not is_address(base):
            ref.get("base_url" if ref.get("base_url").given else "endpoint").lose("it is no address of http or https")
            return ""
        return api_address(base)

    def _key(self, ref: Part, own: str) -> str:
        if not isinstance(ref.data, dict):
            return ""
        variable = ref.get("api_key_env").text()
        literal = ref.either("api_key", "access_key")
        header, prefix = ref.get("auth_header"), ref.get("auth_prefix")
        if not header.is_one_of("Authorization", "authorization") or not prefix.is_one_of("Bearer", "bearer"):
            header.done()
            (header if header.given else prefix).lose("a key is sent as `authorization: Bearer`")
        if literal.given:
            written = str(literal.data)
            named = re.fullmatch(r"\$\{?(\w+)(?::?-[^}]*)?\}?", written)
            variable = (
                named[1] if named else variable or f"{re.sub(r'[^A-Z0-9]+', '_', own.upper()).strip('_')}_API_KEY"
            )
            literal.done()
            if not named:
                literal.change(f"a key is not written into a recipe: put it into the environment as {variable}")
        known = provider(ref.get("provider").text())
        return variable or (
            known.key if known and not ref.get("base_url").given and not ref.get("endpoint").given else ""
        )

    def _circuit(self, reliability: Part) -> Iterator[str]:
        failures = int(reliability.get("consecutive_5xx").number())
        if failures > 0:
            yield f"circuit = {min(1000, failures)}"
            span = reliability.get("base_ejection_time").text()
            if _DURATION.match(span):
                yield f"cooldown = {span}"
            elif span:
                reliability.get("base_ejection_time").lose("a time is a number with ms, s, m or h")

    # ----------------------------------------------------------------- cards

    def _price(self, name: str, pricing: Part) -> Iterator[str]:
        into = pricing.either("prompt_per_1m", "input_cost_per_million_tokens").maybe_number()
        out = pricing.either("completion_per_1m", "output_cost_per_million_tokens").maybe_number()
        currency = pricing.get("currency")
        if not currency.is_one_of("USD", "usd"):
            pricing.lose("prices are in dollars")
            return
        if into is not None or out is not None:
            self.prices[name] = out or 0.0
            yield f"price = {{ input = {money(into or 0)}, output = {money(out or 0)} }}"

    def _card(self, name: str, card: Part | None, score: Part | None) -> Iterator[str]:
        quality = card.get("quality_score").maybe_number() if card else None
        if quality is None and score is not None:
            quality = score.maybe_number()
            score.remarks.whole().at("evaluation").change(
                "the first score of a model is its `rating`, times a thousand"
            )
        elif quality is not None and card is not None:
            card.get("quality_score").change("it is the model's `rating`, times a thousand")
        size = card.get("context_window_size").maybe_number() if card is not None else None
        if size is not None and card is not None and not LEAST_CONTEXT <= size <= MOST_NUMBER:
            card.get("context_window_size").lose("the answers of the standard recipes would not fit")
        elif size is not None:
            yield f"context = {size:.0f}"
        if quality is not None:
            self.ratings[name] = max(-100_000.0, min(100_000.0, 1000 * quality))
            yield f"rating = {number(self.ratings[name])}"
        if card is None:
            return
        self._size(name, card.get("param_size"))
        yield from self._abilities(card)
        for tag in card.get("tags").items():
            if isinstance(tag.data, str) and tag.data.startswith(_ZONE):
                yield f"zone = {re.sub(r'[^a-z0-9_]+', '_', tag.text()[len(_ZONE) :].lower()).strip('_') or 'unnamed'}"
                break

    def _size(self, name: str, part: Part) -> None:
        found = re.match(r"(\d+(?:\.\d+)?)\s*([bBmM])", str(part.data or ""))
        if found:
            self.sizes[name] = float(found[1]) * (1 if found[2] in "bB" else 0.001)

    def _abilities(self, card: Part) -> Iterator[str]:
        found = {"vision": False, "tools": False}
        for part in (*card.get("capabilities").items(), *card.at("modalities.input").items()):
            for ability, words in (("vision", _SEES), ("tools", _CALLS)):
                if isinstance(part.data, str) and part.data.lower() in words:
                    part.done()
                    found[ability] = True
        yield from (f"{ability} = true" for ability, there in found.items() if there)

    def _scores(self, whole: Part) -> dict[str, Part]:
        found: dict[str, Part] = {}
        for record in whole.at("evaluation.records").items():
            own, score = record.get("model").text(), record.at("metrics.score")
            if score.given and own not in found:
                record.get("model").done()
                found[own] = score
            else:
                record.lose("only a model's first score is taken over, as its rating")
        return found


def _passed_over(why: str, *parts: Part) -> None:
    for part in parts:
        if part.given:
            part.lose(why)


def _cards(whole: Part) -> Iterator[Part]:
    yield from whole.get("routing").either("modelCards", "models").items()


def _provided(whole: Part) -> Iterator[Part]:
    yield from whole.at("providers.models").items()
