"""A plan as a document: versioned JSON with a digest, its JSON Schema, loading with a check of both."""

from __future__ import annotations

import hashlib
import json
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from recipelang.ir.plan import Plan


class PlanProblem(Exception):
    """A document is not a plan, or not the one that was sealed."""


class PlanDocument(BaseModel):
    """What `recipelang compile` writes and a host loads."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    format: Literal["recipelang.plan"] = "recipelang.plan"
    version: Literal[1] = 1
    digest: str
    plan: Plan


def digest_of(plan: Plan) -> str:
    """`sha256:` and the hash of the plan's canonical JSON (sorted keys, no blanks)."""
    content = PlanDocument(digest="", plan=plan).model_dump(mode="json")["plan"]
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return "sha256:" + hashlib.sha256(canonical.encode()).hexdigest()


def seal(plan: Plan) -> PlanDocument:
    return PlanDocument(digest=digest_of(plan), plan=plan)


def dump(plan: Plan) -> str:
    """The document's JSON text."""
    return seal(plan).model_dump_json(indent=2) + "\n"


def load(text: str | bytes) -> Plan:
    """The plan in a document; raises `PlanProblem` where it is none or was changed after it was sealed."""
    try:
        document = PlanDocument.model_validate_json(text)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in first["loc"]) or "the document"
        raise PlanProblem(f"not a plan of version 1: {place}: {first['msg']}") from error
    if digest_of(document.plan) != document.digest:
        raise PlanProblem("the plan was changed after it was sealed: its digest does not match")
    return document.plan


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of plan documents."""
    return PlanDocument.model_json_schema()
