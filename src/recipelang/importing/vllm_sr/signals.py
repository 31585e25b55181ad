"""The signals of a profile as signals of a recipe, each family by its reader; what takes a model is stood in for by words."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from recipelang.importing.conditions import (
    ALWAYS,
    NEVER,
    Condition,
    all_of,
    any_of,
    compared,
    negated,
)
from recipelang.importing.reading import Part
from recipelang.importing.vllm_sr.ranking import FORMS, enough, stems
from recipelang.importing.writing import Names, bare_name, doc, listed, number, pattern, text, texts
from recipelang.ir.labels import DOMAINS, LANGUAGES
from recipelang.ir.patterns import BadPattern, compiled_pattern
from recipelang.quick import dataclass, field

LIKENESS = 0.6
"""What `similar` gives for what the router's encoders would call the same: it is divided by this, so that thresholds can stay."""
LEAN = 2.0
"""How far `contrast` leans where the difference of two likenesses of the router leans by one."""
DOMAIN = "domain(by = meaning)"
LONGEST_ROW = 800
"""Characters of words in one pattern."""
URGENT = ("urgent", "immediate", "asap", "deadline", "time-sensitive", "now", "critical window")
REASKED = 0.95
"""Of a threshold between two questions, the share that is right for `reask`."""
SIGNS = {"gte": ">=", "gt": ">", "lte": "<=", "lt": "<"}
STANDARD = {
    "attack": "signals",
    "facts": "signals", "dissatisfied": "signals", "unclear": "intents", "wants_another": "intents",
    "satisfied": "intents", "wants_image": "intents", "wants_text": "intents", "task": "intents",
}  # fmt: skip
"""The standard signals that stand in for classifiers, and the standard files that they are in."""
_SPECIAL = re.compile(r"[\\^$.|()\[\]{}*+?]")
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
ONE = {
    "keywords": "keyword", "embeddings": "embedding", "domains": "domain", "reasks": "reask", "events": "event",
    "user_feedbacks": "user_feedback", "preferences": "preference", "role_bindings": "authz", "actions": "action",
    "classifiers": "classifier",
}  # fmt: skip
"""How one signal of a family is referred to, where not as the family is called."""


@dataclass
class Signals:
    """The signals of one policy: what a reference to one comes to, and what its value is where a sum asks."""

    names: Names
    within: str  # the policy's name
    valued: set[tuple[str, str]] = field(default_factory=set)  # those of which a number is asked
    settings: Part | None = None  # of the router's embeddings
    conditions: dict[tuple[str, str], Condition] = field(default_factory=dict)
    values: dict[tuple[str, str], str] = field(default_factory=dict)
    standard: set[str] = field(default_factory=set)  # files of standard signals that are read
    lines: list[str] = field(default_factory=list)
    composed: list[tuple[str, str, Part]] = field(default_factory=list)  # what holds only where other signals say so
    declared: dict[tuple[str, str, str], str] = field(
        default_factory=dict
    )  # a name, type and value, to the name it got

    def read(self, family: str, part: Part) -> None:
        reader = _FAMILIES.get(family)
        if reader is None:
            part.lose(
                _LOST.get(family, "signals of this kind are not known here; where they are asked, they are not there")
            )
            return
        for each in part.items():
            if not isinstance(each.data, dict) or not each.get("name").given:
                each.lose("a signal has a name and settings")
                continue
            reader(self, each)
        if family in ("embeddings", "preferences"):
            self._winner(ONE[family])

    def declare(self, part: Part, type: str, value: str, name: str = "") -> str:
        """The name of a signal of that value: one that is there already, or a new one."""
        wanted = bare_name(name or part.get("name").text())
        known = self.declared.get((wanted, type, value))
        if known is not None:
            part.get("description").done()
            return known
        found = self.names.name(wanted, self.within)
        self.lines += [f"# {line}".rstrip() for line in part.comments()]
        self.lines += doc(part.get("description").text())
        written = f"signal {found}: {type} = {value}" if type else f"band {found} = {value}"
        self.lines.append(f"{written}\n")
        self.declared[(wanted, type, value)] = found
        return found

    def give(self, part: Part, kind: str, condition: Condition, name: str = "") -> None:
        """A signal that is there or not."""
        own = part.get("name").text()
        if condition in (ALWAYS, NEVER):
            part.change(
                f"nothing is asked for that is known here: it is {'always' if condition == ALWAYS else 'never'} there"
            )
        if condition in (ALWAYS, NEVER) or re.fullmatch(r"[a-z_]\w*( == \w+)?", condition.text):
            _inline(part)
            self.conditions[(kind, own)] = condition
        else:
            self.conditions[(kind, own)] = Condition(self.declare(part, "bool", condition.text, name))

    def is_valued(self, kind: str, part: Part) -> bool:
        return (kind, str(part.get("name").data)) in self.valued

    def stands_in(self, name: str) -> Condition:
        """A standard signal."""
        self.standard.add(STANDARD[name.partition(" ")[0]])
        return Condition(name, 3 if " " in name else 4)

    # ------------------------------------------------------------ embeddings

    def _winner(self, family: str) -> None:
        """Of several examples the nearest is there, where the router says so, and that is what it does by default."""
        rules = [(own, value) for (kind, own), value in self.values.items() if kind == family]
        if len(rules) < 2 or not self.one_wins():
            for own, _ in rules:
                self.conditions[(family, own)] = Condition(self.named(own, self.conditions[(family, own)]))
            return
        nearest = self.names.name("nearest", self.within)
        self.lines.append("# Of several examples that a request is like, the nearest counts.")
        self.lines.append(f"signal {nearest}: score = max({', '.join(value for _, value in rules)})\n")
        for own, value in rules:
            won = all_of([self.conditions[(family, own)], compared(value, "==", nearest)])
            self.conditions[(family, own)] = Condition(self.named(own, won))

    def named(self, own: str, condition: Condition) -> str:
        name = self.names.name(own, self.within)
        self.lines.append(f"signal {name}: bool = {condition.text}\n")
        return name

    def one_wins(self) -> bool:
        top = self.settings.get("top_k") if self.settings is not None else None
        return top is None or top.number(1) == 1

    def soft(self) -> float | None:
        """The likeness that is enough for the nearest, where matching is soft."""
        if self.settings is None or not self.settings.get("enable_soft_matching").flag():
            return None
        return self.settings.get("min_score_threshold").number(0.5)


# ----------------------------------------------------------------- by words


def _keywords(signals: Signals, part: Part) -> None:
    method, cased = part.get("method").text("words").lower(), part.get("case_sensitive").flag()
    how = ", within = true" if method == "regex" else _fuzzy(part, method)
    if method == "bm25":
        signals.give(part, "keyword", _ranked(part))
        return
    phrases: list[str] = []
    patterns: list[Condition] = []
    for each in part.get("keywords").items():
        word = each.text()
        if method == "regex" and (cased or _SPECIAL.search(word)):
            patterns.append(found(each, word if cased else _any_case(word)))
        elif cased:
            patterns.append(found(each, _whole(word)))
        elif word:
            phrases.append(word)
    together = [*(_phrases([phrase], how) for phrase in phrases), *patterns]
    signals.give(part, "keyword", _joined(part, together, any_of([_phrases(phrases, how), *patterns])))


def _joined(part: Part, each: list[Condition], one: Condition) -> Condition:
    """Whether all of some phrases are there, or one, or none."""
    operator = part.get("operator").text("OR").upper()
    if operator not in ("AND", "OR", "NOR", "NOT"):
        part.get("operator").lose("`AND`, `OR` and `NOR` are known; it counts as `OR`")
    return all_of(each) if operator == "AND" else negated(one) if operator in ("NOR", "NOT") else one


def _ranked(part: Part) -> Condition:
    """Phrases that are ranked: one of its words is enough for a phrase, where no other phrases have it as well."""
    words = part.get("keywords").texts()
    spaced = [word for word in words if stems(word) or word.isascii()]
    scored = [found for _, found in enough(spaced, part.get("bm25_threshold").number(0.1) or 0.1)]
    whole = _phrases([word for word in words if word not in spaced], "")
    one = any_of([*_any_form(part, [stem for found in scored for stem in found]), whole])
    each = [any_of(_any_form(part, found)) for found in scored] + ([whole] if whole != NEVER else [])
    return _joined(part, each, one)


def _any_form(part: Part, words: list[str]) -> list[Condition]:
    """Whether one of some stems is there, in any of its forms; as many patterns as are not too long."""
    rows: list[list[str]] = [[]]
    for word in dict.fromkeys(words):
        if sum(len(each) + 1 for each in rows[-1]) + len(word) > LONGEST_ROW:
            rows.append([])
        rows[-1].append(word)
    return [found(part.get("keywords"), rf"(?i)\b(?:{'|'.join(row)}){FORMS}\b") for row in rows if row]


def _inline(part: Part) -> None:
    """A signal whose condition stands where it is asked has no place for a description."""
    if part.get("description").given:
        part.get("description").lose("what it asks for stands where it is asked")


def _phrases(phrases: list[str], how: str) -> Condition:
    return Condition(f"keywords({texts(phrases)}{how})") if phrases else NEVER


def found(part: Part, spelled: str, call: str = "regex", of: str = "") -> Condition:
    """Whether a pattern is found; never, where it is none, and that is said."""
    try:
        compiled_pattern(spelled)
    except BadPattern as problem:
        part.lose(f"it is no pattern in RE2's syntax: {problem}")
        return NEVER
    return Condition(f"{call}({pattern(spelled)}{f', of = {of}' if of else ''})")


def _fuzzy(part: Part, method: str) -> str:
    """How many characters may be mistyped in a phrase, as an argument."""
    said = {
        "ngram": "words are found, within longer ones as well, and such as have one character mistyped",
        "bm25": "a word of a phrase is enough, in any of its forms, where its rank would be",
    }
    if method not in ("words", "regex", "exact", "keyword", "fuzzy"):
        part.get("method").change(said.get(method, "whole words are found"))
    edits = 1 if method == "ngram" else 0
    if part.get("fuzzy_match").flag() or method == "fuzzy":
        asked = part.get("fuzzy_threshold").number(2)
        edits = min(2, max(1, int(asked)))
        if asked != edits:
            part.get("fuzzy_threshold").change(f"{edits} mistyped characters are let pass")
    return (f", fuzzy = {edits}" if edits else "") + (", within = true" if method == "ngram" else "")


def _whole(word: str) -> str:
    """A phrase as whole words, in its own case; of writings without blanks anywhere."""
    quoted = re.sub(r"([\\^$.|()\[\]{}*+?])", r"\\\1", word)
    before = r"\b" if re.match(r"[A-Za-z0-9_]", word) else ""
    after = r"\b" if re.search(r"[A-Za-z0-9_]$", word) else ""
    return f"{before}{quoted}{after}"


def _any_case(value: str) -> str:
    return value if value.startswith("(?i)") else f"(?i){value}"


def _language(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    code = own.lower().partition("-")[0].partition("_")[0]
    if part.get("threshold").number() > 0:
        part.get("threshold").change("a language is told or not, however sure it is")
    if code not in LANGUAGES or code == "other":
        part.lose("this language is not told from others here")
        return
    _inline(part)
    signals.conditions[("language", own)] = compared("language()", "==", code)


def _events(signals: Signals, part: Part) -> None:
    words = [word for key in ("event_types", "severities", "action_codes") for word in part.get(key).texts()]
    words += URGENT if part.get("temporal").flag() else ()
    signals.give(part, "event", _phrases(words, ""))


# ----------------------------------------------------------------- by shape


def _context(signals: Signals, part: Part) -> None:
    least, most = part.get("min_tokens").number(), part.get("max_tokens").maybe_number()
    asked = [compared("request.tokens", ">=", f"{least:.0f}")] if least > 0 else []
    asked += [compared("request.tokens", "<=", f"{most:.0f}")] if most else []
    signals.give(part, "context", all_of(asked))


def _conversation(signals: Signals, part: Part) -> None:
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


def _structure(signals: Signals, part: Part) -> None:
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
        _counted(signals, part, source.get("pattern"), spelled if cased else _any_case(spelled), how)
    elif kind == "keyword_set" and how == "density":
        if cased:
            source.get("case_sensitive").lose("phrases are found in any case")
        _measured(signals, part, "structure", f"frequency({texts(words)})")
    elif kind == "keyword_set" and how == "exists" and not cased:
        signals.give(part, "structure", _phrases(words, ""))
    elif kind == "keyword_set":
        spelled = "|".join(map(_whole, words))
        _counted(signals, part, source.get("keywords"), spelled if cased else _any_case(f"(?:{spelled})"), how)
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


def _metadata(signals: Signals, part: Part) -> None:
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


def _input_modality(signals: Signals, part: Part) -> None:
    kind = part.get("modality").text()
    if kind == "image":
        signals.give(part, "input_modality", compared("request.images", ">", "0"))
    elif kind == "text":
        signals.give(part, "input_modality", compared("words()", ">", "0"))
    else:
        part.lose("only texts and images are told apart; where it is asked, it is not there")


def _roles(signals: Signals, part: Part) -> None:
    asked: list[Condition] = []
    for subject in part.get("subjects").items():
        kind, own = subject.get("kind").text().lower(), subject.get("name").text()
        if kind == "user":
            asked.append(compared('request.metadata["x-authz-user-id"]', "==", text(own)))
        elif kind == "group":
            spelled = rf"(?:^|,)\s*{_whole(own)}\s*(?:,|$)"
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


# --------------------------------------------------------------- by meaning


def _embeddings(signals: Signals, part: Part) -> None:
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


def _preferences(signals: Signals, part: Part) -> None:
    own, examples = part.get("name").text(), part.get("examples").texts()
    examples = examples or [part.get("description").text() or own.replace("_", " ")]
    part.change(
        f"it is likeness to its examples, not what a model has learned of users: {number(LIKENESS)} counts as 1"
    )
    name = signals.declare(part, "score", f"clamp({_like(examples)} / {number(LIKENESS)})", f"{own}_likeness")
    signals.values[("preference", own)] = name
    signals.conditions[("preference", own)] = compared(name, ">=", number(part.get("threshold").number(0.7)))


def _complexity(signals: Signals, part: Part) -> None:
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
    above, below = (min(0.95, max(0.05, 0.5 + LEAN * lean)) for lean in (hard, easy))
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


def _domains(signals: Signals, part: Part) -> None:
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


def _facts(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    part.change("it is the standard signal `facts`, which knows words and no classifier")
    asked = signals.stands_in("facts")
    _inline(part)
    signals.conditions[("fact_check", own)] = negated(asked) if own.startswith("no_") else asked


def _feedback(signals: Signals, part: Part) -> None:
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
    _inline(part)
    signals.conditions[("user_feedback", own)] = signals.stands_in(name)


def _reasks(signals: Signals, part: Part) -> None:
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


def _modality(signals: Signals, part: Part) -> None:
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


def _actions(signals: Signals, part: Part) -> None:
    own = part.get("name").text()
    if own not in ("generate", "explain", "fix", "refactor", "test", "other"):
        part.lose("this action is not told here; where it is asked, it is not there")
        return
    part.change("it is the standard signal `task`, which knows words of its own")
    _inline(part)
    signals.conditions[("action", own)] = signals.stands_in(f"task == {own}")


def _jailbreak(signals: Signals, part: Part) -> None:
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


def _pii(signals: Signals, part: Part) -> None:
    part.get("threshold").done()
    if part.get("pii_types_allowed").given:
        part.get("pii_types_allowed").lose("all kinds of personal data that are known count")
    part.change("it is `pii`, which knows forms and no classifier")
    signals.give(part, "pii", Condition(f"pii({_looked_at(part)})"))


def _looked_at(part: Part) -> str:
    return "request" if part.get("include_history").flag() else "request.text"


_FAMILIES: dict[str, Callable[[Signals, Part], None]] = {
    "keywords": _keywords,
    "language": _language,
    "events": _events,
    "context": _context,
    "conversation": _conversation,
    "structure": _structure,
    "metadata": _metadata,
    "input_modality": _input_modality,
    "role_bindings": _roles,
    "embeddings": _embeddings,
    "preferences": _preferences,
    "complexity": _complexity,
    "domains": _domains,
    "fact_check": _facts,
    "user_feedbacks": _feedback,
    "reasks": _reasks,
    "modality": _modality,
    "actions": _actions,
    "jailbreak": _jailbreak,
    "pii": _pii,
}
_ASKED = "where it is asked, it is not there"
_LOST = {
    "safety": f"no classifier of unsafe content is here; {_ASKED}",
    "classifiers": f"no classifier of one's own is here: write a signal for it; {_ASKED}",
    "decision_models": f"no classifier of one's own is here: write a signal for it; {_ASKED}",
    "hallucination": "an answer is looked at by a role of a recipe, not by a classifier; no decision can ask for it",
    "topic_continuity": "no decision can ask for it",
    "agentic_facts": f"headers that another agent sends are not read; {_ASKED}",
    "session": f"a run knows nothing of those before it; {_ASKED}",
    "session_metrics": f"a run knows nothing of those before it; {_ASKED}",
    "random": f"nothing is left to chance here; {_ASKED}",
}


def families(routing: Part) -> Iterator[tuple[str, Part]]:
    yield from routing.get("signals").entries()
