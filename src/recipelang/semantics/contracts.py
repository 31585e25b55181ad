"""Contracts: what an author demands of an answer, from syntax to a node of the plan."""

from __future__ import annotations

import json
from typing import Any, cast

from recipelang.diagnostics import Report
from recipelang.diagnostics.catalogue import calls, modules, names, types
from recipelang.ir import plan as ir
from recipelang.ir.patterns import BadPattern, compiled_pattern
from recipelang.ir.schema import BadSchema, schema_text, schema_validator
from recipelang.ir.types import NeverType, RecordType, Type, is_plain, spelled
from recipelang.quick import dataclass
from recipelang.semantics.attributes import Attributes, dotted, read_attributes
from recipelang.semantics.modules import beside
from recipelang.semantics.scope import Module
from recipelang.semantics.written_types import TypeReader
from recipelang.source import Loader, LoadProblem
from recipelang.syntax import nodes

MAX_REPAIRS = 3


@dataclass(frozen=True, slots=True)
class ContractReader:
    """Reads the contracts of one module."""

    module: Module
    loader: Loader
    report: Report

    def read(self, node: nodes.Contract) -> ir.Contract:
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
            name=self.module.qualified(node.name.text),
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
                self._check_pattern(node, most_groups=1)
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

    def _check_pattern(self, text: nodes.Text, most_groups: int | None = None) -> None:
        try:
            groups: int = compiled_pattern(text.value).groups
            if most_groups is not None and groups > most_groups:
                self.report(
                    types.BAD_PATTERN.at(
                        text.span,
                        "which group of this pattern is the value?",
                        label=f"it has {groups} groups",
                        help="keep one, and write `(?:...)` for those that only hold things together",
                    )
                )
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
            case nodes.Name() | nodes.Member(nodes.Name()):
                name = cast(nodes.Name, dotted(node))
                type = TypeReader(self.module, self.report).type_of(nodes.NamedType(name, None, (), span=node.span))
                return record_schema(type, node, self.report)
            case _:
                label = 'it takes `file("name.schema.json")` or the name of a record'
                self.report(types.ATTRIBUTE_VALUE.at(node.span, "`schema` has the wrong value", label=label))
                return None

    def _schema_file(self, path: nodes.Text) -> str | None:
        try:
            text = self.loader.load(beside(self.module.source.name, path.value)).text
            schema: Any = json.loads(text)
        except LoadProblem as problem:
            help = "the path is taken from the folder of this file"
            self.report(modules.NOT_LOADED.at(path.span, f"can't read {problem.name}", label=problem.reason, help=help))
            return None
        except (ValueError, RecursionError) as problem:
            where = f"{problem.msg}, on line {problem.lineno}" if isinstance(problem, json.JSONDecodeError) else ""
            self.report(types.NO_SCHEMA.at(path.span, "this file is not JSON", label=where.lower()))
            return None
        if _refers_elsewhere(schema):
            self.report(
                types.NO_SCHEMA.at(
                    path.span,
                    "a schema may only refer to itself",
                    label="it has a `$ref` to another document",
                    help="copy what it needs into its `$defs`, and refer to that: `#/$defs/name`",
                )
            )
            return None
        canonical = json.dumps(schema, ensure_ascii=False)
        try:
            schema_validator(canonical)
        except BadSchema as problem:
            self.report(types.NO_SCHEMA.at(path.span, "this is not a JSON Schema", label=str(problem)))
            return None
        return canonical


def record_schema(type: Type, node: nodes.Node, report: Report) -> str | None:
    """The JSON Schema of a record that is named at `node`; reports one that can't be told in JSON."""
    if isinstance(type, RecordType) and is_plain(type):
        return schema_text(type)
    if not isinstance(type, NeverType):
        report(
            types.NO_SCHEMA.at(
                node.span,
                f"`{spelled(type)}` can't be told in JSON",
                help="use texts, numbers, bools, enums, and records and lists of them",
            )
        )
    return None


def _refers_elsewhere(schema: Any) -> bool:
    match schema:
        case dict():
            references = (schema.get(keyword) for keyword in ("$ref", "$dynamicRef", "$recursiveRef"))
            remote = any(isinstance(reference, str) and not reference.startswith("#") for reference in references)
            return remote or any(_refers_elsewhere(value) for value in schema.values())
        case list():
            return any(_refers_elsewhere(value) for value in schema)
        case _:
            return False
