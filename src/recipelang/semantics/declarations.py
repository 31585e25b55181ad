"""Declarations but recipes: backends, models, records, contracts and roles, from syntax to nodes of the plan."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Literal, cast

from recipelang.diagnostics import Label, Report
from recipelang.diagnostics.catalogue import calls, modules, names, types, warnings
from recipelang.diagnostics.suggesting import nearest
from recipelang.ir import plan as ir
from recipelang.ir.patterns import BadPattern, compiled_pattern
from recipelang.ir.schema import BadSchema, has_schema, schema_text, schema_validator
from recipelang.ir.sizing import DEFAULT_MAX_TOKENS
from recipelang.ir.types import (
    AnswerType,
    BoolType,
    ContractType,
    DurationType,
    EnumType,
    FieldType,
    FloatType,
    IntType,
    ListType,
    ModelType,
    MoneyType,
    NeverType,
    OptionalType,
    RecordType,
    RequestType,
    ScoreType,
    TextType,
    Type,
    spelled,
)
from recipelang.semantics.attributes import Attributes, read_attributes
from recipelang.semantics.expressions import Elaborator, listed, local
from recipelang.semantics.modules import beside
from recipelang.semantics.scope import Local, Scope, Symbol, look_up, visible_names
from recipelang.semantics.templates import TemplateReader
from recipelang.source import Loader, LoadProblem
from recipelang.syntax import nodes

PLAIN_TYPES: dict[str, Type] = {
    "text": TextType(),
    "float": FloatType(),
    "bool": BoolType(),
    "score": ScoreType(),
    "duration": DurationType(),
    "money": MoneyType(),
    "model": ModelType(),
    "answer": AnswerType(),
    "request": RequestType(),
}
TYPE_NAMES = (*PLAIN_TYPES, "int", "enum", "contract")
CALL_SETTINGS = ("model", "temperature", "max_tokens", "contract")
"""What may be set at a role's call besides its parameters, which therefore can't have these names."""
RESERVED_VALUES = ("request", "it", "tried", "fail")
MAX_REPAIRS = 3


@dataclass(frozen=True, slots=True)
class Declarer:
    """Reads declarations of one module; `constants` is the scope in which defaults and attributes are read."""

    elaborator: Elaborator
    loader: Loader
    constants: Scope
    report: Report

    # ---------------------------------------------------------------- types

    def type_of(self, node: nodes.Type) -> Type:
        match node:
            case nodes.OptionalType(item):
                inner = self.type_of(item)
                return inner if isinstance(inner, (OptionalType, NeverType)) else OptionalType(inner)
            case nodes.ListType(item, limits):
                inner = self.type_of(item)
                low, high = self._limits(limits) if limits else (0, None)
                return ListType(inner, low or 0, high)
            case nodes.NamedType():
                return self._named_type(node)

    def _named_type(self, node: nodes.NamedType) -> Type:
        name = node.name.text
        if name == "int":
            return IntType(*self._limits(node.bounds)) if node.bounds else IntType()
        if name == "contract":
            return ContractType(self._limits(node.bounds)[1] or 0) if node.bounds else ContractType()
        if name == "enum":
            return self._enum(node)
        if node.bounds or node.cases:
            self.report(
                types.TYPE_ARGUMENTS.at(
                    node.span,
                    f"`{name}` takes nothing in parentheses",
                    help="numbers with bounds are `int(1..16)`, choices `enum(a, b)`, lists `answer[2..8]`",
                )
            )
        if name in PLAIN_TYPES:
            return PLAIN_TYPES[name]
        return self._record_type(node.name)

    def _record_type(self, name: nodes.Name) -> Type:
        found = look_up(self.constants.module, name.text)
        if found and isinstance(found[0].node, nodes.Record):
            symbol = self.elaborator.symbol(name, self.constants, "type")
            return NeverType() if symbol is None else self.record(symbol, ())
        near = nearest(name.text, [*TYPE_NAMES, *visible_names(self.constants.module)])
        what = f"the {found[0].kind} `{name.text}` is not a type" if found else f"unknown type `{name.text}`"
        self.report(
            names.UNKNOWN_TYPE.at(
                name.span,
                what,
                help=f"did you mean `{near}`?"
                if near
                else f"types are {listed(TYPE_NAMES)}, records, `T?` and `T[2..8]`",
            )
        )
        return NeverType()

    def _enum(self, node: nodes.NamedType) -> Type:
        cases = [case.text for case in node.cases]
        if not cases:
            self.report(types.TYPE_ARGUMENTS.at(node.span, "an enum needs its cases", help="`enum(low, high)`"))
            return NeverType()
        for case in node.cases:
            if cases.count(case.text) > 1:
                self.report(names.DUPLICATE.at(case.span, f"`{case.text}` is there twice"))
                break
        return EnumType(tuple(dict.fromkeys(cases)))

    def _limits(self, limits: nodes.Bounds) -> tuple[int | None, int | None]:
        low, high = limits.low, limits.high
        if low is not None and high is not None and low > high:
            self.report(
                types.EMPTY_RANGE.at(limits.span, f"the range {low}..{high} is empty", help=f"`{high}..{low}`, perhaps")
            )
            return high, low
        return low, high

    def record(self, symbol: Symbol, inside: tuple[str, ...]) -> Type:
        """The record's type; one that contains itself is reported where it is declared."""
        node = cast(nodes.Record, symbol.node)
        if symbol.qualified in inside:
            return NeverType()
        deeper = (*inside, symbol.qualified)
        fields = (FieldType(field.name.text, self._field_type(field.type, symbol, deeper)) for field in node.fields)
        return RecordType(symbol.qualified, tuple(fields))

    def _field_type(self, node: nodes.Type, symbol: Symbol, inside: tuple[str, ...]) -> Type:
        match node:
            case nodes.OptionalType(item):
                return OptionalType(self._field_type(item, symbol, inside))
            case nodes.ListType(item, limits):
                low, high = (limits.low, limits.high) if limits else (0, None)
                return ListType(self._field_type(item, symbol, inside), low or 0, high)
            case nodes.NamedType(name):
                found = look_up(symbol.module, name.text)
                if name.text not in TYPE_NAMES and len(found) == 1 and isinstance(found[0].node, nodes.Record):
                    return self.record(found[0], inside)
                return Declarer(
                    self.elaborator, self.loader, Scope(symbol.module, self.constants.locals), lambda _: None
                ).type_of(node)

    def check_record(self, node: nodes.Record) -> None:
        """Reports unknown types, fields that are there twice, and a record inside itself."""
        seen: dict[str, nodes.Name] = {}
        for field in node.fields:
            if field.name.text in seen:
                labels = (Label(seen[field.name.text].span, "the first is here"),)
                self.report(names.DUPLICATE.at(field.name.span, f"`{field.name.text}` is there twice", labels=labels))
            seen[field.name.text] = field.name
        if not node.fields:
            self.report(types.EMPTY_RECORD.at(node.name.span, f"the record `{node.name.text}` has no fields"))
        symbol = Symbol(self.constants.module, node)
        circle = _record_circle(symbol, ())
        if circle:
            self.report(
                types.RECORD_CIRCLE.at(
                    node.name.span,
                    f"the record `{node.name.text}` contains itself",
                    notes=(" → ".join(circle),),
                    help="a record has a fixed depth: leave one of these fields out",
                )
            )
            return
        for field in node.fields:
            self.type_of(field.type)

    # ------------------------------------------------- backends and models

    def backend(self, node: nodes.Backend) -> ir.Backend | None:
        given = read_attributes("a backend", node.attributes, ("kind", "url", "key"), self.report)
        kind = given.choice("kind", ("openai", "local"))
        if "kind" not in given.values:
            self._missing(node.name, "kind", "`kind = openai`, or `kind = local` for a model that is started here")
            return None
        url = given.text("url")
        if kind == "openai" and "url" not in given.values:
            self._missing(node.name, "url", '`url = "http://127.0.0.1:8000/v1"`')
        if kind == "local" and url is not None:
            self.report(
                calls.SETTING.at(url.span, "a local backend has no `url`: it is started here", help="remove it")
            )
        if url is not None and not _is_url(url.value):
            self.report(
                modules.BAD_URL.at(
                    url.span,
                    "this is not the address of an endpoint",
                    label="no `http://host/...` or `https://host/...`, or one with a password, a query or a blank in it",
                    help='it is the part before `/chat/completions`, such as "https://api.example.com/v1"; keys go in `key = env("NAME")`',
                )
            )
        key = self._secret(given)
        return ir.Backend(
            self.constants.module.qualified(node.name.text),
            cast(Literal["openai", "local"], kind or "openai"),
            url.value.rstrip("/") if url is not None else None,
            key,
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
                    )
                )
            case _:
                self.report(
                    types.ATTRIBUTE_VALUE.at(node.span, "`key` has the wrong value", label='it takes `env("MY_KEY")`')
                )
        return None

    def model(self, node: nodes.Model) -> ir.Model | None:
        known = ("backend", "id", "context", "price", "rating", "zone", "logprobs")
        given = read_attributes("a model", node.attributes, known, self.report)
        backend = given.word("backend")
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
        logprobs = given.boolean("logprobs")
        price = self._price(given)
        rating, context = given.number("rating", -100_000, 100_000), given.integer("context", 1, 1_000_000_000)
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
            logprobs=logprobs is not False,
        )

    def _backend_of(self, name: nodes.Name | None) -> str | None:
        if name is None:
            return None
        symbol = self.elaborator.symbol(name, Scope(self.constants.module, {}), "backend")
        if symbol is None:
            return None
        if not isinstance(symbol.node, nodes.Backend):
            self.report(types.MISMATCH.at(name.span, f"`{name.text}` is a {symbol.kind}, not a backend"))
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
        for name in ("input", "output"):
            if name not in price.values:
                self.report(names.MISSING_ATTRIBUTE.at(node.span, f"the price needs `{name}`"))
        amounts = price.money("input"), price.money("output")
        return None if amounts[0] is None or amounts[1] is None else ir.Price(amounts[0], amounts[1])

    def _missing(self, name: nodes.Name, attribute: str, how: str) -> None:
        self.report(names.MISSING_ATTRIBUTE.at(name.span, f"`{name.text}` needs `{attribute}`", help=how))

    # ------------------------------------------------------------ contracts

    def contract(self, node: nodes.Contract) -> ir.Contract:
        given = read_attributes(
            "a contract", node.attributes, ("extract", "check", "schema", "repair", "hint"), self.report
        )
        hint = given.text("hint")
        if "schema" in given.values and ("extract" in given.values or "check" in given.values):
            self.report(
                calls.SETTING.at(
                    given.values["schema"].span,
                    "a contract has either a `schema` or `extract` and `check`",
                    help="a schema takes the whole answer as JSON: remove the others",
                )
            )
        if not given.values.keys() & {"extract", "check", "schema"}:
            self.report(
                names.MISSING_ATTRIBUTE.at(
                    node.name.span,
                    f"the contract `{node.name.text}` demands nothing",
                    help='say what it takes from an answer, as in `extract = r"ANSWER:\\s*([A-J])"`',
                )
            )
        return ir.Contract(
            name=self.constants.module.qualified(node.name.text),
            extract=self._extraction(given),
            check=self._check(given),
            schema=self._contract_schema(given),
            repair=given.integer("repair", 0, MAX_REPAIRS) or 0,
            hint=hint.value if hint else "",
        )

    def _extraction(self, given: Attributes) -> ir.Extraction:
        node = given.get("extract")
        match node:
            case None:
                return ir.Extraction("whole")
            case nodes.Text(pattern):
                self._check_pattern(node)
                return ir.Extraction("pattern", pattern)
            case nodes.Call(nodes.Name("fence"), ()):
                return ir.Extraction("fence")
            case nodes.Call(nodes.Name("fence"), (nodes.Argument(None, nodes.Text(language)),)):
                return ir.Extraction("fence", language)
            case _:
                label = 'it takes a pattern such as `r"ANSWER:\\s*([A-J])"`, or `fence("python")`'
                self.report(types.ATTRIBUTE_VALUE.at(node.span, "`extract` has the wrong value", label=label))
                return ir.Extraction("whole")

    def _check(self, given: Attributes) -> ir.Check | None:
        node = given.get("check")
        match node:
            case None:
                return None
            case nodes.Call(nodes.Name("parses"), (nodes.Argument(None, nodes.Text("python" | "json" as language)),)):
                return ir.Check("parses", (language,))
            case nodes.Call(nodes.Name("matches"), (nodes.Argument(None, nodes.Text(pattern) as text),)):
                self._check_pattern(text)
                return ir.Check("matches", (pattern,))
            case nodes.Call(nodes.Name("one_of"), (nodes.Argument(None, nodes.ListLiteral(items)),)) if items and all(
                isinstance(item, nodes.Text) for item in items
            ):
                return ir.Check("one_of", tuple(cast(nodes.Text, item).value for item in items))
            case _:
                label = 'it takes `parses("python")`, `parses("json")`, `matches(r"...")` or `one_of(["yes", "no"])`'
                self.report(types.ATTRIBUTE_VALUE.at(node.span, "`check` has the wrong value", label=label))
                return None

    def _check_pattern(self, text: nodes.Text) -> None:
        try:
            compiled_pattern(text.value)
        except BadPattern as problem:
            self.report(
                types.BAD_PATTERN.at(
                    text.span,
                    "this pattern is not understood",
                    label=str(problem),
                    help="patterns are RE2's, which run in linear time on any text: no look-around, no back-references",
                )
            )

    def _contract_schema(self, given: Attributes) -> str | None:
        node = given.get("schema")
        match node:
            case None:
                return None
            case nodes.Call(nodes.Name("file"), (nodes.Argument(None, nodes.Text() as path),)):
                return self._schema_file(path)
            case nodes.Name():
                type = self.type_of(nodes.NamedType(node, span=node.span))
                return self._record_schema(type, node)
            case _:
                label = 'it takes `file("name.schema.json")` or the name of a record'
                self.report(types.ATTRIBUTE_VALUE.at(node.span, "`schema` has the wrong value", label=label))
                return None

    def _record_schema(self, type: Type, node: nodes.Node) -> str | None:
        if isinstance(type, RecordType) and has_schema(type):
            return schema_text(type)
        if not isinstance(type, NeverType):
            self.report(
                types.NO_SCHEMA.at(
                    node.span,
                    f"`{spelled(type)}` can't be told in JSON",
                    help="use texts, numbers, bools, enums, and records and lists of them",
                )
            )
        return None

    def _schema_file(self, path: nodes.Text) -> str | None:
        try:
            text = self.loader.load(beside(self.constants.module.source.name, path.value)).text
            schema: Any = json.loads(text)
        except LoadProblem as problem:
            self.report(modules.NOT_LOADED.at(path.span, f"can't read {problem.name}", label=problem.reason))
            return None
        except ValueError as problem:
            self.report(types.NO_SCHEMA.at(path.span, "this file is not JSON", label=str(problem)))
            return None
        if _refers_elsewhere(schema):
            self.report(
                types.NO_SCHEMA.at(path.span, "a schema may only refer to itself", label="it has a remote `$ref`")
            )
            return None
        canonical = json.dumps(schema, ensure_ascii=False)
        try:
            schema_validator(canonical)
        except BadSchema as problem:
            self.report(types.NO_SCHEMA.at(path.span, "this is not a JSON Schema", label=str(problem)))
            return None
        return canonical

    # ---------------------------------------------------------------- roles

    def parameters(self, given: tuple[nodes.Parameter, ...], owner: str) -> tuple[dict[str, Local], list[ir.Parameter]]:
        """The parameters as names to read and as nodes of the plan; defaults see the request and the constants."""
        locals_: dict[str, Local] = {}
        parameters: list[ir.Parameter] = []
        for node in given:
            name, type = node.name.text, self.type_of(node.type)
            self._check_parameter(node.name, locals_, owner)
            default = None
            if node.default is not None:
                default = self.elaborator.fitting(
                    node.default, self.constants, type, f"the default of `{name}`"
                ).expression
            locals_[name] = local(type, node.name.span, "parameter")
            parameters.append(ir.Parameter(name, type, default))
        return locals_, parameters

    def _check_parameter(self, name: nodes.Name, before: dict[str, Local], owner: str) -> None:
        if name.text in before:
            first = before[name.text].span
            labels = (Label(first, "the first is here"),) if first else ()
            self.report(names.DUPLICATE.at(name.span, f"there are two parameters `{name.text}`", labels=labels))
        elif name.text in RESERVED_VALUES or (owner == "role" and name.text in CALL_SETTINGS):
            why = "is set at every call of a role" if name.text in CALL_SETTINGS else "has a meaning of its own"
            self.report(names.RESERVED.at(name.span, f"a parameter can't be called `{name.text}`", label=why))

    def returns(self, node: nodes.Type | None) -> Type:
        return AnswerType() if node is None else self.type_of(node)

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
        )
        given = read_attributes("a role", node.attributes, known, self.report)
        locals_, parameters = self.parameters(node.parameters, "role")
        returns = self._role_returns(node)
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
            self._record_schema(returns, node.returns) if isinstance(returns, RecordType) and node.returns else None
        )
        if "contract" in given.values and schema is not None:
            self.report(
                calls.SETTING.at(given.values["contract"].span, "a role that returns a record has no other contract")
            )
        return ir.Role(
            name=self.constants.module.qualified(node.name.text),
            parameters=tuple(parameters),
            returns=returns,
            max_tokens=given.integer("max_tokens", 1, 1_000_000) or DEFAULT_MAX_TOKENS,
            system=system_template,
            prompt=prompt_template,
            temperature=given.number("temperature", 0, 2),
            model=self._constant(given, "model", ModelType()),
            contract=self._constant(given, "contract", ContractType(MAX_REPAIRS)),
            schema=schema,
            repair=self._role_repair(given, schema),
            conversation=conversation,
            shuffle=given.boolean("shuffle") is not False,
            doc=node.doc,
        )

    def _role_returns(self, node: nodes.Role) -> Type:
        returns = self.returns(node.returns)
        if isinstance(returns, (AnswerType, RecordType, NeverType)):
            return returns
        assert node.returns is not None  # the type of a role without one is `answer`
        self.report(
            types.ROLE_RETURNS.at(
                node.returns.span,
                "a role returns an `answer` or a record",
                label=f"not `{spelled(returns)}`",
                help="put it into a record: `record grade { score: score }`",
            )
        )
        return NeverType()

    def _role_repair(self, given: Attributes, schema: str | None) -> int:
        repair = given.integer("repair", 0, MAX_REPAIRS) or 0
        if repair and schema is None:
            self.report(
                calls.SETTING.at(
                    given.values["repair"].span,
                    "`repair` of a role is for one that returns a record",
                    help="an answer's repairs are those of its contract",
                )
            )
        return repair

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


def _record_circle(symbol: Symbol, before: tuple[str, ...]) -> tuple[str, ...]:
    """The names along a circle of records that leads back to the first, or nothing."""
    name = symbol.node.name.text
    if before and name == before[0]:
        return (*before, name)
    if name in before:
        return ()
    for field in cast(nodes.Record, symbol.node).fields:
        type: nodes.Type = field.type
        while not isinstance(type, nodes.NamedType):
            type = type.item
        for found in look_up(symbol.module, type.name.text):
            if isinstance(found.node, nodes.Record):
                circle = _record_circle(found, (*before, name))
                if circle:
                    return circle
    return ()


def _refers_elsewhere(schema: Any) -> bool:
    match schema:
        case dict():
            reference = schema.get("$ref")
            remote = isinstance(reference, str) and not reference.startswith("#")
            return remote or any(_refers_elsewhere(value) for value in schema.values())
        case list():
            return any(_refers_elsewhere(value) for value in schema)
        case _:
            return False


def _is_url(text: str) -> bool:
    from urllib.parse import urlsplit  # deferred: start-up cost

    try:
        parts = urlsplit(text)
        _ = parts.port
    except ValueError:
        return False
    plain = not (parts.username or parts.password or parts.query or parts.fragment or any(c.isspace() for c in text))
    return parts.scheme in ("http", "https") and bool(parts.hostname) and plain


def _is_variable(name: str) -> bool:
    return name.isidentifier() and name.isascii()


__all__ = ["CALL_SETTINGS", "RESERVED_VALUES", "Declarer"]
