"""A plan as a document: versioned JSON with a digest, its JSON Schema, loading with a check of both."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from recipelang.ir.plan import Plan

FORMAT: Literal["recipelang.plan"] = "recipelang.plan"
VERSION: Literal[1] = 1


class PlanProblem(Exception):
    """A document is not a plan, or not the one that was sealed."""


class PlanDocument(BaseModel):
    """What `recipelang compile` writes and a host loads."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, title="A sealed plan of recipelang")

    format: Literal["recipelang.plan"]
    version: Literal[1]
    digest: str
    plan: Plan


def digest_of(plan: Plan) -> str:
    """`sha256:` and the hash of the plan's canonical JSON (sorted keys, no blanks)."""
    content = PlanDocument(format=FORMAT, version=VERSION, digest="", plan=plan).model_dump(mode="json")["plan"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def seal(plan: Plan) -> PlanDocument:
    return PlanDocument(format=FORMAT, version=VERSION, digest=digest_of(plan), plan=plan)


def dump(plan: Plan) -> str:
    """The document's JSON text; raises `PlanProblem` for a plan that could not be loaded again, as one that nests too deeply."""
    try:
        text = seal(plan).model_dump_json(indent=2) + "\n"
    except ValueError as error:
        deep = "depth exceeded" in str(error)
        raise PlanProblem("it nests too deeply" if deep else "it has a number that is none, or infinite") from error
    load(text)
    return text


def load(text: str | bytes) -> Plan:
    """The plan in a document; raises `PlanProblem` where it is none or was changed after it was sealed.

    That the document is well formed does not make the plan sound: `recipelang.validation.graph.validate` looks at its
    graph, which hosts do before they run one.
    """
    try:
        document = PlanDocument.model_validate_json(text)
    except ValidationError as error:
        raise PlanProblem(_problem(error)) from error
    if digest_of(document.plan) != document.digest:
        raise PlanProblem("the plan was changed after it was sealed: its digest does not match")
    return document.plan


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of plan documents."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlanDocument.model_json_schema()}


def _problem(error: ValidationError) -> str:
    """The one thing to say: what the document is comes before what is in it."""
    found = error.errors(include_url=False)
    first = min(found, key=lambda one: _HEADER.index(one["loc"][0]) if one["loc"][:1] in _HEADERS else len(_HEADER))
    place = ".".join(map(str, first["loc"]))
    match first["loc"]:
        case () if "recursion limit" in first["msg"]:
            return "it nests too deeply"
        case ():
            return f"not a plan: {_lowered(first)}"
        case ("format",):
            return f"not a plan: its `format` is not `{FORMAT}`"
        case ("version",):
            given = "without a version" if first["type"] == "missing" else f"of version {first['input']!r:.40}"
            return f"a plan {given}: this release of recipelang reads version {VERSION}"
        case _:
            return f"not a plan of version {VERSION}: {place}: {_lowered(first)}"


def _lowered(error: ErrorDetails) -> str:
    message = error["msg"].rstrip(".")
    return message[:1].lower() + message[1:]


_HEADER = ("format", "version")
_HEADERS = tuple((name,) for name in _HEADER)
