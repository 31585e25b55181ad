"""A plan as a sealed document, alone or in a bundle with its sources: versioned JSON, its schema, loading with all checks."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails

from recipelang.ir.plan import Plan

FORMAT: Literal["recipelang.plan"] = "recipelang.plan"
BUNDLE: Literal["recipelang.bundle"] = "recipelang.bundle"
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


class Bundle(BaseModel):
    """A plan document that also has the texts that it was made from. `digest` is that of the plan, `seal` that of the rest."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, title="A bundle of recipelang")

    format: Literal["recipelang.bundle"]
    version: Literal[1]
    digest: str
    seal: str
    release: str  # of recipelang, which made it
    root: str  # the source that was compiled; the others are those it uses
    sources: dict[str, str]  # texts by their paths from one folder; standard recipes as `std.name`
    plan: Plan


def digest_of(plan: Plan) -> str:
    """`sha256:` and the hash of the plan's canonical JSON (sorted keys, no blanks)."""
    content = PlanDocument(format=FORMAT, version=VERSION, digest="", plan=plan).model_dump(mode="json")["plan"]
    return _digest(content)


def digest_of_text(text: str) -> str:
    """`sha256:` and the hash of a text in UTF-8."""
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def seal(plan: Plan) -> PlanDocument:
    return PlanDocument(format=FORMAT, version=VERSION, digest=digest_of(plan), plan=plan)


def sealed_bundle(plan: Plan, root: str, sources: Mapping[str, str], release: str) -> Bundle:
    """The bundle of a plan and the texts that it was made from."""
    bundle = Bundle(
        format=BUNDLE, version=VERSION, digest=digest_of(plan), seal="", release=release, root=root,
        sources=dict(sources), plan=plan,
    )  # fmt: skip
    return bundle.model_copy(update={"seal": _seal_of(bundle)})


def dump(plan: Plan | Bundle) -> str:
    """The document's JSON text; raises `PlanProblem` for a plan that could not be loaded again, as one that nests too deeply."""
    try:
        document = seal(plan) if isinstance(plan, Plan) else plan
        text = document.model_dump_json(indent=2) + "\n"
    except ValueError as error:
        deep = "depth exceeded" in str(error)
        raise PlanProblem("it nests too deeply" if deep else "it has a number that is none, or infinite") from error
    load(text)
    return text


def load(text: str | bytes) -> Plan:
    """The plan in a document or a bundle; raises `PlanProblem` where there is none, or it was changed after it was sealed.

    That the document is well formed does not make the plan sound: `recipelang.validation.graph.validate` looks at its
    graph, which hosts do before they run one.
    """
    return _loaded(text).plan


def load_bundle(text: str | bytes) -> Bundle:
    """The bundle in a document; raises `PlanProblem` as `load` does, and where it is a plan by itself."""
    document = _loaded(text)
    if isinstance(document, PlanDocument):
        raise PlanProblem("this is a plan by itself, with no sources: it is no bundle")
    return document


def _loaded(text: str | bytes) -> PlanDocument | Bundle:
    try:
        is_bundle = _Header.model_validate_json(text).format == BUNDLE
    except ValidationError:
        is_bundle = False  # whatever it is, it is told as no plan
    try:
        document = (Bundle if is_bundle else PlanDocument).model_validate_json(text)
    except ValidationError as error:
        raise PlanProblem(_problem(error)) from error
    if digest_of(document.plan) != document.digest:
        raise PlanProblem("the plan was changed after it was sealed: its digest does not match")
    if isinstance(document, Bundle):
        _must_be_whole(document)
    return document


def _must_be_whole(bundle: Bundle) -> None:
    """That all around the plan is as it was sealed, and that no name in it leads out of a folder."""
    if _seal_of(bundle) != bundle.seal:
        raise PlanProblem("the bundle was changed after it was sealed: its seal does not match")
    if bundle.root not in bundle.sources:
        raise PlanProblem(f"the bundle has no source `{bundle.root}`")
    for name in bundle.sources:
        if not name or name.startswith("/") or "\\" in name or ":" in name or ".." in name.split("/") or "\0" in name:
            raise PlanProblem(f"the bundle has a source that leads out of its folder: {name!r:.60}")


def _seal_of(bundle: Bundle) -> str:
    """The hash of all but the plan, which `digest` covers, and itself."""
    return _digest(bundle.model_dump(mode="json", exclude={"plan", "seal"}))


def _digest(content: object) -> str:
    canonical = json.dumps(content, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return digest_of_text(canonical)


class _Header(BaseModel):
    """What a document says it is."""

    format: str = ""


def json_schema() -> dict[str, Any]:
    """The published JSON Schema of plan documents."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **PlanDocument.model_json_schema()}


def bundle_schema() -> dict[str, Any]:
    """The published JSON Schema of bundles."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Bundle.model_json_schema()}


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
