"""Knowledge bases of a profile: their examples are the router's own, so that what their labels are called stands in for them."""

from __future__ import annotations

import re

from recipelang.importing.conditions import NEVER, Condition, any_of
from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.signals import Signals
from recipelang.importing.writing import texts
from recipelang.quick import dataclass, field

_FORMS: tuple[tuple[str, str], ...] = (
    (r"inject|jailbreak|system_prompt|security|attack|override", "injection(request.text)"),
    (r"exfiltrat|credential|secret", "injection(request.text) or secrets(request.text)"),
    (r"^pii$|personal|customer_data", "pii(request.text)"),
)
_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    (
        r"proprietary|source_code|private_repo",
        ("proprietary", "our codebase", "our source code", "private repository", "internal code"),
    ),
    (
        r"internal|confidential|privacy|private",
        ("internal use only", "internal document", "confidential", "not public", "private data"),
    ),
    (r"trade_secret|intellectual", ("trade secret", "patent pending", "intellectual property")),
    (r"local", ("locally", "on-prem", "on premises", "local only", "do not send to the cloud", "stay on this machine")),
    (r"infrastructure|operational", ("our servers", "our cluster", "production environment", "internal network")),
    (r"root_cause", ("root cause", "post-mortem", "postmortem", "why did it fail")),
    (r"architecture", ("architecture", "system design", "design a system")),
    (r"trade_?off|multi_step|reasoning", ("trade-off", "tradeoff", "trade-offs", "tradeoffs", "step by step", "weigh")),
    (r"cod(e|ing)", ("function", "code", "script", "program", "python", "javascript")),
)
"""What labels that are common are about, in a few words."""


@dataclass
class Knowledge:
    """The knowledge bases that a profile has, by their names."""

    bases: dict[str, Part] = field(default_factory=dict)

    def read(self, signals: Signals, rules: Part) -> None:
        for part in rules.items():
            own, target = part.get("name").text(), part.get("target")
            kind, value = target.get("kind").text("label"), target.get("value").text()
            base = self.bases.get(part.get("kb").text())
            part.change(
                "the examples of a knowledge base are the router's own: what its labels are called is looked for, in a few words"
            )
            part.done("match", "description")
            signals.give(part, "kb", self.there(base, kind, value) if own else NEVER)

    def metric(self, name: str, metric: str) -> tuple[Condition, Condition] | None:
        """The group that speaks for a metric and the one that speaks against it."""
        base = self.bases.get(name)
        for part in base.get("metrics").items() if base is not None else ():
            if part.get("name").text() == metric and part.get("type").text() == "group_margin":
                groups = (part.get("positive_group").text(), part.get("negative_group").text())
                return self.there(base, "group", groups[0]), self.there(base, "group", groups[1])
        return None

    def there(self, base: Part | None, kind: str, value: str) -> Condition:
        labels = base.at(f"groups.{value}").texts() if base is not None and kind == "group" else []
        return any_of(_about(label) for label in labels or [value])


def _about(label: str) -> Condition:
    bare = re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")
    for named, form in _FORMS:
        if re.search(named, bare):
            return Condition(form, 0 if " or " in form else 4)
    words = next((words for named, words in _WORDS if re.search(named, bare)), ())
    return Condition(f"keywords({texts(dict.fromkeys((bare.replace('_', ' '), *words)))})")
