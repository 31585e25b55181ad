"""The families of signals of a profile, each with its reader; those that nothing stands in for, with the reason."""

from __future__ import annotations

from collections.abc import Callable

from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr import meanings, phrases, shapes
from recipelang.importing.vllm_sr.signals import ONE, Signals

READERS: dict[str, Callable[[Signals, Part], None]] = {
    "keywords": phrases.keywords,
    "language": phrases.language,
    "events": phrases.events,
    "context": shapes.context,
    "conversation": shapes.conversation,
    "structure": shapes.structure,
    "metadata": shapes.metadata,
    "input_modality": shapes.input_modality,
    "role_bindings": shapes.roles,
    "embeddings": meanings.embeddings,
    "preferences": meanings.preferences,
    "complexity": meanings.complexity,
    "domains": meanings.domains,
    "fact_check": meanings.facts,
    "user_feedbacks": meanings.feedback,
    "reasks": meanings.reasks,
    "modality": meanings.modality,
    "actions": meanings.actions,
    "jailbreak": meanings.jailbreak,
    "pii": meanings.pii,
}
ASKED = "where it is asked, it is not there"
LOST = {
    "safety": f"no classifier of unsafe content is here; {ASKED}",
    "classifiers": f"no classifier of one's own is here: write a signal for it; {ASKED}",
    "decision_models": f"no classifier of one's own is here: write a signal for it; {ASKED}",
    "hallucination": "an answer is looked at by a role of a recipe, not by a classifier; no decision can ask for it",
    "topic_continuity": "no decision can ask for it",
    "agentic_facts": f"headers that another agent sends are not read; {ASKED}",
    "session": f"a run knows nothing of those before it; {ASKED}",
    "session_metrics": f"a run knows nothing of those before it; {ASKED}",
    "random": f"nothing is left to chance here; {ASKED}",
}


def read(signals: Signals, family: str, part: Part) -> None:
    reader = READERS.get(family)
    if reader is None:
        part.lose(LOST.get(family, "signals of this kind are not known here; where they are asked, they are not there"))
        return
    for each in part.items():
        if not isinstance(each.data, dict) or not each.get("name").given:
            each.lose("a signal has a name and settings")
            continue
        reader(signals, each)
    if family in ("embeddings", "preferences"):
        signals.nearest_wins(ONE[family])
