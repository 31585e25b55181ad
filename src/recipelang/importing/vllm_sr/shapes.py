"""Signals that go by the shape of a request: its length, its messages, its structure, what is told beside it."""

from __future__ import annotations

from recipelang.importing.conditions import NEVER, Condition, all_of, any_of, compared
from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.phrases import any_case, found, phrases_found, whole
from recipelang.importing.vllm_sr.signals import Signals
from recipelang.importing.writing import number, text, texts

SIGNS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
_MEMBERS = {
    ("message", "user"): "request.turns",
    ("message", ""): "messages(request)",
    ("message", "non_user"): "messages(request) - request.turns",
    ("tool_definition", ""): "request.tools",
    ("assistant_tool_call", ""): "messages(request, role = tool)",
    ("assistant_tool_cycle", ""): "messages(request, role = tool)",
    ("tool_result", ""): "messages(request, role = tool)",
    ("active_tool_loop", ""): "request.tool_results",
    ("image_content", ""): "request.images",
    ("image", ""): "request.images",
    **{("message", role): f"messages(request, role = {role})" for role in ("assistant", "system", "developer", "tool")},
}  # fmt: skip


def context(signals: Signals, part: Part) -> None:
    least, most = part.get("min_tokens").number(), part.get("max_tokens").maybe_number()
    asked = [compared("request.tokens", ">=", f"{least:.0f}")] if least > 0 else []
    asked += [compared("request.tokens", "<=", f"{most:.0f}")] if most else []
    signals.give(part, "context", all_of(asked))


def conversation(signals: Signals, part: Part) -> None:
    feature, source = part.get("feature"), part.at("feature.source")
    kind, role = source.get("type").text(), source.get("role").text()
    if not feature.get("type").is_one_of("count", "exists"):
        feature.get("type").lose("a count is compared")
    counted = _MEMBERS.get((kind, role))
    if counted is None:
        part.lose("this is not counted here; where it is asked, it is not there")
        return
    if kind == "active_tool_loop":
        source.get("type").change("a loop is under way where a tool has given something since the user spoke")
    elif kind == "assistant_tool_call":
        source.get("type").change("a tool's results are counted, not its calls")
    _measured(signals, part, "conversation", counted, "int")


def structure(signals: Signals, part: Part) -> None:
    feature, source = part.get("feature"), part.at("feature.source")
    kind, how = source.get("type").text(), feature.get("type").text()
    cased = source.get("case_sensitive").flag()
    words = source.get("keywords").texts()
    if how not in ("exists", "count", "density", "sequence"):
        feature.get("type").lose("`exists`, `count`, `density` and `sequence` are known; it is counted")
    if (kind == "sequence") != (how == "sequence"):
        feature.change("phrases are looked for one after the other")
    if kind == "sequence" or how == "sequence":
        found = [Condition(f"ordered({texts(row.texts())})") for row in source.get("sequences").items()]
        signals.give(part, "structure", any_of(found))
        part.done("predicate")
        return
    if kind == "regex" and source.get("pattern").given:
        spelled = source.get("pattern").text()
        _counted(signals, part, source.get("pattern"), spelled if cased else any_case(spelled), how)
    elif kind == "keyword_set" and how == "density":
        if cased:
            source.get("case_sensitive").lose("phrases are found in any case")
        _measured(signals, part, "structure", f"frequency({texts(words)})")
    elif kind == "keyword_set" and how == "exists" and not cased:
        signals.give(part, "structure", phrases_found(words, ""))
    elif kind == "keyword_set":
        spelled = "|".join(map(whole, words))
        _counted(signals, part, source.get("keywords"), spelled if cased else any_case(f"(?:{spelled})"), how)
    elif kind == "text_bytes":
        for key in SIGNS:
            if (limit := part.get("predicate").get(key)).given:
                limit.change("bytes are counted by fours, as tokens are estimated")
        _measured(signals, part, "structure", "4 * estimate_tokens(request.text)")
    else:
        part.lose("this is not seen of a request here; where it is asked, it is not there")


def _counted(signals: Signals, part: Part, source: Part, spelled: str, how: str) -> None:
    """How often a pattern is found, or whether."""
    if how == "exists":
        signals.give(part, "structure", found(source, spelled))
        return
    counted = found(source, spelled, "occurrences")
    if counted == NEVER:
        signals.give(part, "structure", NEVER)
    else:
        _measured(signals, part, "structure", f"{counted.text} / words()" if how == "density" else counted.text)


def _measured(signals: Signals, part: Part, kind: str, counted: str, type: str = "float") -> None:
    """What is counted, and whether that is as it is asked to be."""
    own = part.get("name").text()
    if signals.is_valued(kind, part):
        counted = signals.declare(part, type, counted, f"{own}_count")
        signals.values[(kind, own)] = counted
    predicate = part.get("predicate")
    signals.give(part, kind, all_of(limits(predicate, counted)) if predicate.given else compared(counted, ">", "0"))


def limits(predicate: Part, value: str) -> list[Condition]:
    """What a predicate asks of a number."""
    asked = ((sign, predicate.get(key)) for key, sign in SIGNS.items())
    found = ((sign, part.maybe_number()) for sign, part in asked if part.given)
    return [compared(value, sign, number(limit)) for sign, limit in found if limit is not None]


def metadata(signals: Signals, part: Part) -> None:
    read = f"request.metadata[{text(part.get('key').text())}]"
    predicate = part.get("predicate")
    asked: list[Condition] = []
    if predicate.get("equals").given:
        asked.append(compared(read, "==", text(predicate.get("equals").text())))
    if predicate.get("in").given:
        asked.append(compared(read, "in", texts(predicate.get("in").texts())))
    if predicate.get("exists").data is not None:
        asked.append(compared(read, "!=" if predicate.get("exists").flag() else "==", "none"))
    signals.give(part, "metadata", all_of(asked) if asked else NEVER)


def input_modality(signals: Signals, part: Part) -> None:
    kind = part.get("modality").text()
    if kind == "image":
        signals.give(part, "input_modality", compared("request.images", ">", "0"))
    elif kind == "text":
        signals.give(part, "input_modality", compared("words()", ">", "0"))
    else:
        part.lose("only texts and images are told apart; where it is asked, it is not there")


def roles(signals: Signals, part: Part) -> None:
    asked: list[Condition] = []
    for subject in part.get("subjects").items():
        kind, own = subject.get("kind").text().lower(), subject.get("name").text()
        if kind == "user":
            asked.append(compared('request.metadata["x-authz-user-id"]', "==", text(own)))
        elif kind == "group":
            spelled = rf"(?:^|,)\s*{whole(own)}\s*(?:,|$)"
            asked.append(found(subject, spelled, of='request.metadata["x-authz-user-groups"] or ""'))
        else:
            subject.lose("a subject is a user or a group")
    part.change(
        "the host must put `x-authz-user-id` and `x-authz-user-groups` into the request's metadata: a client can say there what it likes"
    )
    signals.give(part, "authz", any_of(asked))
    role = part.get("role")
    if role.given:
        signals.conditions.setdefault(("authz", role.text()), signals.conditions[("authz", part.get("name").text())])
