"""The probes of imported profiles: each request with the decision that it must lead to, routed without a model.

    python tests/routed_probes.py FOLDER...

prints for each folder with a `config.yaml` and a `probes.yaml`, or for each such folder in it, how many lead there, and why others don't.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.hosts.requests import request_of
from recipelang.hosts.routing import Route, route
from recipelang.importing.documents import document
from recipelang.importing.vllm_sr import imported
from recipelang.importing.writing import bare_name
from recipelang.ir.plan import Plan

NONE = "none"
"""What is taken where no decision applies."""


@dataclass(frozen=True)
class Probed:
    """A probe, the decision that was expected and the one that was taken."""

    name: str
    expected: str
    taken: str
    route: Route


def routed(folder: Path) -> Plan:
    """The plan of a profile."""
    found = imported(document((folder / "config.yaml").read_bytes()))
    compilation = compile_text(found.recipe, "imported.recipe")
    assert compilation.plan is not None, render(compilation.diagnostics)
    return compilation.plan


def probed(folder: Path) -> Iterator[Probed]:
    """Every probe of a profile."""
    plan = routed(folder)
    suite = yaml.safe_load((folder / "probes.yaml").read_text(encoding="utf-8"))
    for decision in suite["decisions"]:
        for variant in decision["variants"]:
            name = variant.get("model", decision.get("model", "vllm-sr/auto"))
            way = route(plan, plan.entries[name], _request(variant))
            taken = way.choices[0].taken
            yield Probed(
                f"{decision['id']}/{variant['id']}",
                bare_name(decision.get("expected_decision") or NONE),
                NONE if taken is None or not taken.calls.endswith("()") else taken.calls.removesuffix("()"),
                way,
            )


def _request(variant: dict[str, Any]) -> Any:
    messages = variant.get("messages")
    if messages is None:
        text = " ".join([variant["query"]] * variant.get("repeat", 1))
        padding = variant.get("padding")
        if padding:
            around = " ".join([padding["text"]] * padding.get("repeat", 1))
            text = f"{around} {text}" if padding.get("placement", "before") == "before" else f"{text} {around}"
        messages = [{"role": "user", "content": text}]
    for number, message in enumerate(messages):
        message.setdefault("content", "")
        if message["role"] == "tool":
            message.setdefault("tool_call_id", f"call-{number}")
    told = {**variant.get("metadata", {}), **{key.lower(): value for key, value in variant.get("headers", {}).items()}}
    return request_of(
        messages, tools=variant.get("tools", []), metadata={key: str(value) for key, value in told.items()}
    )


def why(probe: Probed) -> str:
    """Why the expected decision was not taken, as far as the route tells."""
    arms = {arm.calls.removesuffix("()"): arm for arm in probe.route.choices[0].arms}
    wanted = arms.get(probe.expected)
    if wanted is None:
        return f"no arm leads to {probe.expected}"
    if wanted.condition is None or wanted.condition.value is True:
        return f"{probe.taken} comes before it"
    return f"{wanted.condition.text} does not hold"


def main(folders: list[str]) -> int:
    profiles = [each.parent for folder in folders for each in sorted(Path(folder).rglob("probes.yaml"))]
    missed = 0
    for profile in profiles:
        found = list(probed(profile))
        wrong = [probe for probe in found if probe.taken != probe.expected]
        missed += len(wrong)
        print(f"{profile.name}: {len(found) - len(wrong)} of {len(found)}")
        for probe in wrong:
            print(f"  {probe.name}: {probe.taken}, and not {probe.expected}: {why(probe)}")
    return 1 if missed or not profiles else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
