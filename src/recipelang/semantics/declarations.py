"""Backends, models and roles: from syntax to nodes of the plan."""

from __future__ import annotations

from typing import Any, Literal, cast

from recipelang.diagnostics import Edit, Fix, Label, Report
from recipelang.diagnostics.catalogue import calls, modules, names, types, warnings
from recipelang.ir import plan as ir
from recipelang.ir.plan import DEFAULT_COOLDOWN, DEFAULT_QUEUE
from recipelang.ir.sizing import DEFAULT_MAX_TOKENS
from recipelang.ir.types import (
    AnswerType,
    ContractType,
    ModelType,
    NeverType,
    RecordType,
    Type,
    spelled,
)
from recipelang.quick import dataclass
from recipelang.semantics.attributes import Attributes, read_attributes
from recipelang.semantics.contracts import MAX_REPAIRS, record_schema
from recipelang.semantics.expressions import Elaborator, listed
from recipelang.semantics.planning import is_plan, plan_return
from recipelang.semantics.reserved import CALL_SETTINGS, RESERVED, reserved
from recipelang.semantics.scope import Local, Scope
from recipelang.semantics.templates import TemplateReader
from recipelang.semantics.written_types import TypeReader
from recipelang.syntax import nodes

MAX_TEMPERATURE = 2
BACKEND = ("kind", "url", "urls", "key", "circuit", "cooldown", "parallel", "queue", "load", "patience")
MAX_CIRCUIT = 1_000
"""Failures after which a circuit opens, at most."""
MAX_AT_ONCE = 10_000
"""Calls of a backend at once, or in its queue, at most."""
CAPABILITIES = ("logprobs", "json_schema", "tools", "vision", "seed")
"""What a model may be declared to be able to do, or not."""
NEEDS: tuple[ir.Need, ...] = ("tools", "vision", "seed")
"""Those that a role may say it needs; the others show from what it returns, and from what is read of its answers."""
CALL_PATH = "/chat/completions"
PLAN_REPAIRS = 1
"""Repairs of a plan that can't be carried out, where its role does not say."""


@dataclass(frozen=True, slots=True)
class Declarer:
    """Reads declarations of one module; `constants` is the scope in which defaults and attributes are read."""

    elaborator: Elaborator
    constants: Scope
    report: Report

    @property
    def types(self) -> TypeReader:
        return TypeReader(self.constants.module, self.report)

    # ------------------------------------------------- backends and models

    def backend(self, node: nodes.Backend) -> ir.Backend | None:
        given = read_attributes("a backend", node.attributes, BACKEND, self.report)
        kind = given.choice("kind", ("openai", "local"))
        if "kind" not in given.values:
            self._missing(node.name, "kind", "`kind = openai`, or `kind = local` for a model that is started here")
            return None
        url = given.text("url")
        urls = [url] if url is not None else self._urls(given)
        if kind == "openai" and "url" not in given.values and "urls" not in given.values:
            self._missing(node.name, "url", '`url = "http://127.0.0.1:8000/v1"`')
        for name in ("url", "urls") if kind == "local" else ("urls",) if url is not None else ():
            if name in given.values:
                why = "a local backend has no addresses: it is started here" if kind == "local" else "there is a `url`"
                self.report(
                    calls.SETTING.at(given.values[name].span, f"`{name}` has no place here: {why}", help="remove it")
                )
        for place in urls:
            self._look_at(place)
        key = self._secret(given)
        return ir.Backend(
            self.constants.module.qualified(node.name.text),
            cast(Literal["openai", "local"], kind or "openai"),
            urls[0].value.rstrip("/") if urls else None,
            key,
            tuple(place.value.rstrip("/") for place in urls[1:]),
            given.integer("circuit", 1, MAX_CIRCUIT) or 0,
            given.duration("cooldown") or DEFAULT_COOLDOWN,
            given.integer("parallel", 1, MAX_AT_ONCE),
            DEFAULT_QUEUE if (queue := given.integer("queue", 0, MAX_AT_ONCE)) is None else queue,
            cast(Literal["vllm"] | None, given.choice("load", ("vllm",))),
            given.duration("patience"),
        )

    def _urls(self, given: Attributes) -> list[nodes.Text]:
        """The addresses of one backend with several."""
        node = given.get("urls")
        if node is None:
            return []
        items = node.items if isinstance(node, nodes.ListLiteral) else ()
        texts = [item for item in items if isinstance(item, nodes.Text)]
        if not texts or len(texts) < len(items) or len({text.value.rstrip("/") for text in texts}) < len(texts):
            wanted = 'it takes addresses, each another: `["http://gpu-1:8000/v1", "http://gpu-2:8000/v1"]`'
            self.report(types.ATTRIBUTE_VALUE.at(node.span, "`urls` has the wrong value", label=wanted))
        return texts

    def _look_at(self, url: nodes.Text) -> None:
        if _what_is_wrong_with(url.value):
            self.report(
                modules.BAD_URL.at(
                    url.span,
                    "this is not the address of an endpoint",
                    label=_what_is_wrong_with(url.value),
                    help='it is the part before `/chat/completions`, such as `"https://api.example.com/v1"`',
                    fix=_shorter_url(url),
                    secret="@" in url.value,  # what stands before it may be a password
                )
            )

    def _secret(self, given: Attributes) -> ir.Secret | None:
        node = given.get("key")
        match node:
            case None:
                return None
            case nodes.Call(nodes.Name("env"), (nodes.Argument(None, nodes.Text(name)),)) if _is_variable(name):
                return ir.Secret(name)
            case nodes.Text():
                self.report(
                    modules.SECRET_IN_FILE.at(
                        node.span,
                        "a key never stands in a recipe",
                        help='read it from the environment: `key = env("MY_KEY")`',
                        secret=True,
                    )
                )
            case _:
                self.report(
                    types.ATTRIBUTE_VALUE.at(node.span, "`key` has the wrong value", label='it takes `env("MY_KEY")`')
                )
        return None

    def model(self, node: nodes.Model) -> ir.Model | None:
        known = (
            *("backend", "id", "context", "price", "rating", "zone", *CAPABILITIES),
            *("tokens_per_byte", "image_tokens", "reasoning_tokens"),
        )
        given = read_attributes("a model", node.attributes, known, self.report)
        backend = given.declaration("backend", "backend")
        if "backend" not in given.values:
            self._missing(node.name, "backend", "`backend = name`")
        identifier = given.text("id")
        if "id" not in given.values:
            self._missing(node.name, "id", 'the name that the backend knows it by: `id = "qwen3-8b"`')
        place = self._backend_of(backend)
        if "price" not in given.values:
            self.report(
                warnings.NO_PRICE.at(
                    node.name.span,
                    f"`{node.name.text}` has no price, so what it costs is unknown",
                    help="dollars per million tokens: `price = { input = $0.10, output = $0.40 }`, or $0 for one that is free",
                )
            )
        zone = given.word("zone")
        able = {name: given.boolean(name) for name in CAPABILITIES}
        price = self._price(given)
        rating, context = given.number("rating", -100_000, 100_000), given.integer("context", 1, 1_000_000_000)
        factor, image = given.number("tokens_per_byte", 1, 100), given.integer("image_tokens", 0, 1_000_000)
        thinking = given.integer("reasoning_tokens", 0, 1_000_000)
        if place is None or identifier is None:
            return None
        return ir.Model(
            name=self.constants.module.qualified(node.name.text),
            backend=place,
            id=identifier.value,
            context=context,
            price=price,
            rating=rating,
            zone=zone.text if zone is not None else None,
            **able,
            tokens_per_byte=1.0 if factor is None else factor,
            image_tokens=image,
            reasoning_tokens=thinking or 0,
        )

    def _backend_of(self, name: nodes.Name | None) -> str | None:
        if name is None:
            return None
        symbol = self.elaborator.symbol(name, Scope(self.constants.module), "backend")
        if symbol is None:
            return None
        if not isinstance(symbol.node, nodes.Backend):
            self.report(
                types.MISMATCH.at(
                    name.span,
                    f"the {symbol.kind} `{name.text}` is not a backend",
                    help="`backend` names where the model is reached, one that `backend name { ... }` declares",
                )
            )
            return None
        return symbol.qualified

    def _price(self, given: Attributes) -> ir.Price | None:
        node = given.get("price")
        if node is None:
            return None
        if not isinstance(node, nodes.RecordLiteral):
            self.report(
                types.ATTRIBUTE_VALUE.at(
                    node.span, "`price` has the wrong value", label="it takes `{ input = $0.10, output = $0.40 }`"
                )
            )
            return None
        price = read_attributes("a price", node.fields, ("input", "output"), self.report)
        missing = [name for name in ("input", "output") if name not in price.values]
        if missing:
            self.report(
                names.MISSING_ATTRIBUTE.at(
                    node.span,
                    f"the price needs {listed(missing)}",
                    help="dollars per million tokens: `price = { input = $0.10, output = $0.40 }`",
                )
            )
        amounts = price.money("input"), price.money("output")
        return None if amounts[0] is None or amounts[1] is None else ir.Price(amounts[0], amounts[1])

    def _missing(self, name: nodes.Name, attribute: str, how: str) -> None:
        self.report(names.MISSING_ATTRIBUTE.at(name.span, f"`{name.text}` needs `{attribute}`", help=how))

    # ---------------------------------------------------------------- roles

    def parameters(self, given: tuple[nodes.Parameter, ...], owner: str) -> tuple[dict[str, Local], list[ir.Parameter]]:
        """The parameters as names to read and as nodes of the plan; defaults see the request and the constants."""
        locals_: dict[str, Local] = {}
        parameters: list[ir.Parameter] = []
        own = {node.name.text: "a parameter; a default reads the request and declarations only" for node in given}
        scope = self.constants.without(own)
        for node in given:
            name, type = node.name.text, self.types.type_of(node.type)
            self._check_parameter(node.name, locals_, owner)
            default = None
            if node.default is not None:
                default = self.elaborator.fitting(node.default, scope, type, f"the default of `{name}`").expression
            locals_[name] = Local(type, node.name.span, "parameter")
            parameters.append(ir.Parameter(name, type, default))
        return locals_, parameters

    def _check_parameter(self, name: nodes.Name, before: dict[str, Local], owner: str) -> None:
        if name.text in before:
            first = before[name.text].span
            labels = (Label(first, "the first is here"),) if first else ()
            self.report(
                names.DUPLICATE.at(
                    name.span,
                    f"there are two parameters `{name.text}`",
                    labels=labels,
                    help="call one of the two something else",
                )
            )
        elif name.text in RESERVED:
            self.report(reserved(name, "a parameter"))
        elif owner == "role" and name.text in CALL_SETTINGS:
            self.report(reserved(name, "a role's parameter", "it may be set at every call of a role"))

    def returns(self, node: nodes.Type | None) -> Type:
        return AnswerType() if node is None else self.types.type_of(node)

    def role(self, node: nodes.Role) -> ir.Role:
        known = (
            "system",
            "prompt",
            "temperature",
            "max_tokens",
            "model",
            "contract",
            "repair",
            "conversation",
            "shuffle",
            "tools",
            "json",
            "needs",
        )
        given = read_attributes("a role", node.attributes, known, self.report)
        locals_, parameters = self.parameters(node.parameters, "role")
        returns, planning = self._role_returns(node, parameters)
        conversation = given.boolean("conversation") is not False
        reader = TemplateReader({name: value.type for name, value in locals_.items()}, self.report)
        system, prompt = given.text("system"), given.text("prompt")
        system_template = reader.read(system) if system else None
        prompt_template = reader.read(prompt) if prompt else None
        self._check_sees_something(node, conversation, given)
        for name, value in locals_.items():
            if name not in reader.used and value.span is not None:
                self.report(
                    warnings.UNUSED.at(
                        value.span,
                        f"no template of the role reads `{name}`",
                        help=f"show it with `{{{{ {name} }}}}`, or leave it out",
                    )
                )
        schema = (
            record_schema(returns, node.returns, self.report)
            if isinstance(returns, RecordType) and node.returns
            else None
        )
        if "contract" in given.values and schema is not None:
            self.report(
                calls.SETTING.at(given.values["contract"].span, "a role that returns a record has no other contract")
            )
        if "tools" in given.values and not isinstance(returns, AnswerType):
            self.report(
                calls.SETTING.at(given.values["tools"].span, "only a role that returns an answer can call tools")
            )
        return ir.Role(
            name=self.constants.module.qualified(node.name.text),
            parameters=tuple(parameters),
            returns=returns,
            max_tokens=given.integer("max_tokens", 1, 1_000_000) or DEFAULT_MAX_TOKENS,
            system=system_template,
            prompt=prompt_template,
            temperature=given.number("temperature", 0, MAX_TEMPERATURE),
            model=self._constant(given, "model", ModelType()),
            contract=self._constant(given, "contract", ContractType(MAX_REPAIRS)),
            schema=schema,
            planning=planning,
            repair=self._role_repair(given, schema, planning),
            json=self._how_json(given, schema, planning),
            needs=self._needs(given),
            conversation=conversation,
            shuffle=given.boolean("shuffle") is not False,
            tools=given.boolean("tools") is True,
            doc=node.doc,
        )

    def _role_returns(self, node: nodes.Role, parameters: list[ir.Parameter]) -> tuple[Type, ir.Planning | None]:
        if isinstance(node.returns, nodes.NamedType) and is_plan(node.returns):
            found = plan_return(node.returns, parameters, self.report)
            return (found.type, found.planning) if found is not None else (NeverType(), None)
        returns = self.returns(node.returns)
        if isinstance(returns, (AnswerType, RecordType, NeverType)):
            return returns, None
        assert node.returns is not None  # the type of a role without one is `answer`
        self.report(
            types.ROLE_RETURNS.at(
                node.returns.span,
                "a role returns an `answer`, a record or a plan",
                label=f"not `{spelled(returns)}`",
                help="put it into a record: `record grade { score: score }`",
            )
        )
        return NeverType(), None

    def _role_repair(self, given: Attributes, schema: str | None, planning: ir.Planning | None) -> int:
        repair = given.integer("repair", 0, MAX_REPAIRS)
        if planning is not None:
            return PLAN_REPAIRS if repair is None else repair
        if repair and schema is None:
            self.report(
                calls.SETTING.at(
                    given.values["repair"].span,
                    "`repair` of a role is for one that returns a record",
                    help="an answer's repairs are those of its contract",
                )
            )
        return repair or 0

    def _how_json(
        self, given: Attributes, schema: str | None, planning: ir.Planning | None
    ) -> Literal["schema", "prompted"]:
        how = given.choice("json", ("schema", "prompted"))
        if how is not None and schema is None and planning is None:
            self.report(
                calls.SETTING.at(
                    given.values["json"].span,
                    "`json` of a role is for one that returns a record or a plan",
                    help="an answer in words has no form in JSON; a contract with a `schema` can give it one",
                )
            )
        return "prompted" if how == "prompted" else "schema"

    def _needs(self, given: Attributes) -> tuple[ir.Need, ...]:
        node = given.get("needs")
        if node is None:
            return ()
        items = node.items if isinstance(node, nodes.ListLiteral) else (node,)
        found = [item.text for item in items if isinstance(item, nodes.Name)]
        if len(found) < len(items) or not set(found) <= set(NEEDS) or not isinstance(node, nodes.ListLiteral):
            self.report(
                types.ATTRIBUTE_VALUE.at(
                    node.span, "`needs` of a role has the wrong value", label=f"it takes a list of {listed(NEEDS)}"
                )
            )
        return tuple(need for need in NEEDS if need in found)

    def _check_sees_something(self, node: nodes.Role, conversation: bool, given: Attributes) -> None:
        if not conversation and "prompt" not in given.values:
            self.report(
                calls.SETTING.at(
                    given.values["conversation"].span,
                    f"the role `{node.name.text}` sees nothing: neither the conversation nor a prompt",
                    help="give it a `prompt`",
                )
            )

    def _constant(self, given: Attributes, name: str, wanted: Type) -> Any:
        node = given.get(name)
        if node is None:
            return None
        return self.elaborator.fitting(node, self.constants, wanted, f"`{name}` of a role").expression


def _what_is_wrong_with(url: str) -> str:
    """Why a text is not the address of an endpoint, or nothing."""
    from urllib.parse import urlsplit  # deferred: start-up cost

    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as problem:
        return str(problem).lower()
    if any(not c.isprintable() or c.isspace() for c in url):
        return "it has a blank in it"
    if parts.scheme not in ("http", "https") or not parts.hostname:
        return "`http://` or `https://` is missing, or the host after it"
    if parts.username or parts.password:
        return 'it holds a password: use `key = env("NAME")`'
    if parts.query or parts.fragment:
        return "it has no `?` and no `#`"
    return "it goes on too far" if parts.path.rstrip("/").endswith(CALL_PATH) else ""


def _shorter_url(url: nodes.Text) -> Fix | None:
    base = url.value.rstrip("/").removesuffix(CALL_PATH)
    whole = url.span.text == f'"{url.value}"' and not _what_is_wrong_with(base)
    return Fix("leave out the end", (Edit(url.span, f'"{base}"'),)) if whole else None


def _is_variable(name: str) -> bool:
    return name.isidentifier() and name.isascii()
