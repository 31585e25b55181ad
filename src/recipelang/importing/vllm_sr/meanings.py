"""Signals for which the router asks its models, and what stands in for each: likeness, and the standard signals."""

from __future__ import annotations

from recipelang.importing.conditions import Condition, all_of, any_of, compared, negated
from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.signals import Signals, inline
from recipelang.importing.writing import bare_name, listed, number, texts
from recipelang.ir.labels import DOMAINS

LIKENESS = 0.6
"""What `similar` gives for what the router's encoders would call the same: it is divided by this, so that thresholds can stay."""
LEAN = 1.25
"""How far `contrast` leans where the difference of two likenesses of the router leans by one."""
REASKED = 0.95
"""Of a threshold between two questions, the share that is right for `reask`."""
DOMAIN = "domain(by = meaning)"


def embeddings(signals: Signals, part: Part) -> None:
    own, examples = part.get("name").text(), part.get("candidates").texts()
    for key in ("image_candidates", "negative_image_candidates"):
        if part.get(key).given:
            part.get(key).lose("images are counted, not looked at")
    if not examples or not part.get("query_modality").is_one_of("text"):
        part.lose("images and sounds are not looked at; where it is asked, it is not there")
        return
    if not part.get("aggregation_method").is_one_of("max", "any"):
        part.get("aggregation_method").change("the example that is nearest counts")
    against = part.get("negative_candidates").texts()
    asked = part.get("threshold").number(0.75)
    soft = signals.soft() if signals.one_wins() else None
    threshold = asked if soft is None else min(asked, soft)
    part.change(
        f"it is likeness by another encoder, or by words where there is none: {number(LIKENESS)} counts as 1"
        + (f"; {number(threshold)} is enough, for matching is soft" if threshold < asked else "")
    )
    like = _like(examples) + (f" - {_like(against)}" if against else "")
    name = signals.declare(
        part, "score", f"clamp({f'({like})' if against else like} / {number(LIKENESS)})", f"{own}_likeness"
    )
    signals.values[("embedding", own)] = name
    signals.conditions[("embedding", own)] = compared(name, ">=", number(threshold))


def _like(examples: list[str]) -> str:
    return f"similar({texts(examples)}, by = meaning)"


def preferences(signals: Signals, part: Part) -> None:
    own, examples = part.get("name").text(), part.get("examples").texts()
    examples = examples or [part.get("description").text() or own.replace("_", " ")]
    part.change(
        f"it is likeness to its examples, not what a model has learned of users: {number(LIKENESS)} counts as 1"
    )
    name = signals.declare(part, "score", f"clamp({_like(examples)} / {number(LIKENESS)})", f"{own}_likeness")
    signals.values[("preference", own)] = name
    signals.conditions[("preference", own)] = compared(name, ">=", number(part.get("threshold").number(0.7)))


def complexity(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    sides = {side: part.at(f"{side}.candidates").texts() for side in ("hard", "easy")}
    for side in sides:
        if (images := part.at(f"{side}.image_candidates")).given:
            images.lose("images are counted, not looked at")
    away = part.get("threshold").number(0.1)
    hard, easy = part.get("hard_above").number(away), part.get("easy_below").number(-away)
    if all(sides.values()):
        lean = f"contrast(hard = {texts(sides['hard'])}, easy = {texts(sides['easy'])}, by = meaning)"
        part.change("it is a contrast by another encoder, or by words where there is none, and the middle is 0.5")
    else:
        lean = "difficulty"
        signals.standard.add("signals")
        part.change("it is the standard signal `difficulty`, which is no classifier")
    above, below = (min(0.95, max(0.05, 0.5 + LEAN * apart)) for apart in (hard, easy))
    if above <= below:
        part.change("what is hard begins above what is easy")
        above = below + 0.01
    if signals.is_valued("complexity", part):
        lean = signals.declare(part, "score", lean, f"{own}_lean")
        signals.values[("complexity", own)] = f"({lean} - 0.5)"
    band = signals.declare(part, "", f"{lean} {{ easy <= {number(below)} < medium < {number(above)} <= hard }}", own)
    for side in ("easy", "medium", "hard"):
        signals.conditions[("complexity", f"{own}:{side}")] = compared(band, "==", side)
        if part.get("composer").given:
            signals.composed.append(("complexity", f"{own}:{side}", part.get("composer")))


def domains(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    wanted = [field_of(each) for each in [*part.get("mmlu_categories").texts(), own]]
    topics = [each for each in dict.fromkeys(wanted) if each]
    if len(topics) > 1 and "other" in topics:
        topics.remove("other")
    if part.get("model_scores").given:
        part.get("model_scores").lose("the models of a decision are its `modelRefs`")
    if topics:
        part.change("it is `domain`, which goes by words and by examples of each field")
        asked = compared(DOMAIN, "==", topics[0]) if len(topics) == 1 else compared(DOMAIN, "in", listed(topics))
    else:
        part.change("its name is looked for in the request: no classifier is here")
        asked = Condition(f"keywords({texts([own.replace('_', ' ')])})")
    signals.give(part, "domain", asked)


_FIELDS = {
    "math": "maths", "mathematics": "maths", "cs": "computer_science", "coding": "computer_science", "code": "computer_science",
    "finance": "economics", "medicine": "health", "medical": "health", "legal": "law", "general": "other",
}  # fmt: skip


def field_of(category: str) -> str:
    """The field that a category is; empty for one that is none."""
    bare = bare_name(category)
    found = _FIELDS.get(bare, bare)
    return found if found in DOMAINS else ""


def facts(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    part.change("it is the standard signal `facts`, which knows words and no classifier")
    asked = signals.stands_in("facts")
    inline(part)
    signals.conditions[("fact_check", own)] = negated(asked) if own.startswith("no_") else asked


def feedback(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    name = {
        "wrong_answer": "dissatisfied",
        "need_clarification": "unclear",
        "want_different": "wants_another",
        "satisfied": "satisfied",
    }.get(own)
    if name is None:
        part.lose("this feedback is not told here; where it is asked, it is not there")
        return
    part.change(f"it is the standard signal `{name}`, which knows words and no classifier")
    inline(part)
    signals.conditions[("user_feedback", own)] = signals.stands_in(name)


def reasks(signals: Signals, part: Part) -> None:
    own, turns = part.get("name").text(), int(part.get("lookback_turns").number(1))
    how = f"reask(request{f', turns = {min(8, turns)}' if turns > 1 else ''}, by = meaning)"
    if turns > 8:
        part.get("lookback_turns").change("eight messages are looked back")
    threshold = REASKED * part.get("threshold").number(0.8)
    part.change(f"it is likeness by another encoder, or by words where there is none: {threshold:.2f} is enough")
    if signals.is_valued("reask", part):
        how = signals.declare(part, "score", how, f"{own}_likeness")
        signals.values[("reask", own)] = how
    signals.give(part, "reask", compared(how, ">=", f"{threshold:.2f}"))


def modality(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    image, words = signals.stands_in("wants_image"), signals.stands_in("wants_text")
    asked = {
        "AR": negated(image), "DIFFUSION": all_of([image, negated(words)]), "BOTH": all_of([image, words]),
    }.get(own.upper())  # fmt: skip
    if asked is None:
        part.lose("`AR`, `DIFFUSION` and `BOTH` are known; where it is asked, it is not there")
        return
    part.change("it is told by the standard signals `wants_image` and `wants_text`, which know words and no classifier")
    signals.give(part, "modality", asked, f"for_{own}")


def actions(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    if own not in ("generate", "explain", "fix", "refactor", "test", "other"):
        part.lose("this action is not told here; where it is asked, it is not there")
        return
    part.change("it is the standard signal `task`, which knows words of its own")
    inline(part)
    signals.conditions[("action", own)] = signals.stands_in(f"task == {own}")


def jailbreak(signals: Signals, part: Part) -> None:
    if part.get("direction").text("request") == "response":
        part.lose("an answer is looked at by a role of a recipe, not by a classifier; no decision can ask for it")
        return
    asked = [signals.stands_in("attack")]
    attacks, harmless = part.get("jailbreak_patterns").texts(), part.get("benign_patterns").texts()
    method, threshold = part.get("method").text("classifier"), part.get("threshold").number(0.7)
    if attacks:
        like = [compared(_like(attacks), ">=", f"{LIKENESS * max(0.6, threshold):.2f}")]
        like += [compared(_like(attacks), ">", _like(harmless))] if harmless else []
        asked.append(all_of(like))
    part.change(
        f"it is the standard signal `attack`, which is no {method}"
        + (", and likeness to its patterns" if attacks else "")
    )
    signals.give(part, "jailbreak", any_of(asked))


def pii(signals: Signals, part: Part) -> None:
    part.get("threshold").done()
    if part.get("pii_types_allowed").given:
        part.get("pii_types_allowed").lose("all kinds of personal data that are known count")
    part.change("it is `pii`, which knows forms and no classifier")
    signals.give(part, "pii", Condition(f"pii({_looked_at(part)})"))


def _looked_at(part: Part) -> str:
    return "request" if part.get("include_history").flag() else "request.text"
