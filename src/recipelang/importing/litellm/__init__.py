"""The settings of a LiteLLM proxy or router as recipes: a pool of models, and a recipe for each name that clients ask for."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby

from recipelang.importing.documents import BadDocument, Document
from recipelang.importing.litellm.deployments import Deployment, Deployments
from recipelang.importing.litellm.reasons import reason
from recipelang.importing.reading import Imported, Part, Remarks
from recipelang.importing.writing import Names, duration, listed, number, text
from recipelang.quick import dataclass, field

ANSWER_TOKENS = 4096
"""Completion tokens of an answer: LiteLLM has no limit, a role has one."""
_BUSY = ("simple-shuffle", "least-busy", "usage-based-routing", "usage-based-routing-v2", "provider-budget-routing")
_ORDERS = {"latency-based-routing": "latency(it)", "cost-based-routing": "it.price.output if it.price != none else $1k"}
_RETRIED = (
    "TimeoutErrorRetries",
    "RateLimitErrorRetries",
    "InternalServerErrorRetries",
    "ServiceUnavailableErrorRetries",
    "DefaultRetries",
)
_MOST_RETRIES = 5
MOST_TOKENS = 1_000_000


def imported(document: Document) -> Imported:
    """The recipes of a configuration; raises `BadDocument` for what is none."""
    if (
        not isinstance(document.data, dict)
        or not isinstance(document.data.get("model_list"), list)
        or not document.data["model_list"]
    ):
        raise BadDocument("these are no settings of LiteLLM: they have no `model_list`")
    remarks = Remarks(document)
    return remarks.imported("\n".join(_File(remarks.whole()).lines()), reason)


@dataclass(frozen=True, slots=True)
class _Manner:
    """How a deployment is called."""

    timeout: float | None
    retries: int
    temperature: float | None
    max_tokens: int


@dataclass
class _File:
    whole: Part
    names: Names = field(default_factory=Names)
    groups: dict[str, list[Deployment]] = field(default_factory=dict)
    recipes: dict[str, str] = field(default_factory=dict)  # names of groups' recipes
    attempts: dict[_Manner, str] = field(default_factory=dict)
    roles: dict[str, str] = field(default_factory=dict)  # what they say, to their names
    lines_of_attempts: list[str] = field(default_factory=list)

    def lines(self) -> Iterator[str]:
        self.names.keep(("m", "reply", "load", "latency"))
        deployments = Deployments(
            self.names, self._circuit(), int(self.setting("default_max_parallel_requests").number())
        )
        deployments.credentials = {
            part.get("credential_name").text(): part for part in self.whole.get("credential_list").items()
        }
        asked = dict.fromkeys(part.get("model_name").text() for part in self.whole.get("model_list").items())
        self.recipes = {group: self.names.name(group) for group in asked if group and "*" not in group}
        for part in self.whole.get("model_list").items():
            found = deployments.declared(part)
            if found is not None:
                self.groups.setdefault(found.group, []).append(found)
        body = [line for group in self.groups for line in self._group(group)]
        yield "language 1\n"
        yield "# From the settings of LiteLLM. The report of the import says what they do not carry over.\n"
        yield from deployments.lines
        yield from self.lines_of_attempts
        yield from body
        yield from self._aliases()

    def setting(self, name: str) -> Part:
        """A setting of the router, which may stand among those of LiteLLM as well."""
        here = self.whole.get("router_settings").get(name)
        return here if here.given else self.whole.get("litellm_settings").get(name)

    def _circuit(self) -> str:
        fails, rest = self.setting("allowed_fails"), self.setting("cooldown_time")
        if self.setting("disable_cooldowns").flag() or not (fails.given or rest.given):
            return ""
        seconds = rest.number(5)
        (fails if fails.given else rest).change(
            "an address that fails so often is left alone, with all models that are reached there"
        )
        return f"circuit = {max(1, min(1000, int(fails.number(3)) + 1))}, cooldown = {duration(seconds)}"

    # ---------------------------------------------------------------- a group

    def _group(self, group: str) -> Iterator[str]:
        """The recipe of a name: its own deployments in their order, then those of its fallbacks."""
        own, name = self.groups[group], self.recipes[group]
        behind = self._fallbacks(group)
        says = f"Answers as `{' '.join(group.split())}`."
        arms = [*self._longer(group), *self._tagged(group, behind)]
        call = self._attempt(group, behind)
        if not arms:
            yield from self._recipe(name, says, call, own, behind)
        else:
            plain = [each for each in own if not each.tags or "default" in each.tags] if self._by_tags(own) else own
            yield from self._recipe(f"{name}_plain", "", call, plain or own, behind)
            yield from (line for _, lines, _ in arms for line in lines)
            written = [f"    when {condition} => {called}()" for condition, _, called in arms]
            yield f"## {says}\nrecipe {name}() -> answer {{\n  choose reply {{"
            yield "\n".join([*written, f"    otherwise => {name}_plain()", "  }", "  return reply", "}\n"])
        yield from self.names.expose(own[0].part.get("model_name"), group, f"{name}()")

    def _recipe(
        self, name: str, says: str, call: str, own: list[Deployment], behind: list[Deployment]
    ) -> Iterator[str]:
        ordered = self._in_order(own, behind)
        one = len(own) + len(behind) == 1
        step = (
            f"run reply = {call}({own[0].name})"
            if one
            else f"cascade reply = {call}(m) for m in {ordered} {{ on_error = skip }}"
        )
        head = f"## {says}\n" if says else ""
        yield f"{head}recipe {name}() -> answer {{\n  {step}\n  return reply\n}}\n"

    def _in_order(self, own: list[Deployment], behind: list[Deployment]) -> str:
        """Deployments of the same order go by how busy, quick or cheap they are; those of fallbacks come last."""
        strategy = self.setting("routing_strategy")
        kind = strategy.text("simple-shuffle")
        by = _ORDERS.get(kind, "load(it)")
        if kind not in ("least-busy", *_ORDERS) and strategy.given:
            strategy.change(
                "the least busy is asked first"
                if kind in _BUSY
                else f"`{kind}` is not known: the least busy is asked first"
            )
        written: list[str] = []
        plain: list[str] = []  # those that stand in the order in which they are asked
        for _, level in groupby(sorted(own, key=lambda each: each.order), key=lambda each: each.order):
            names = [each.name for each in level]
            if len(names) == 1:
                plain += names
                continue
            written += [listed(plain)] if plain else []
            plain = []
            written.append(f"sort({listed(names)}, by = {by})")
        plain += [each.name for each in behind]
        return " + ".join([*written, *([listed(plain)] if plain else [])])

    def _fallbacks(self, group: str) -> list[Deployment]:
        """The deployments that are asked where its own fail."""
        found: list[Deployment] = []
        for key in ("fallbacks", "content_policy_fallbacks", "context_window_fallbacks"):
            for part in self._listed_for(key, group):
                if key == "content_policy_fallbacks":
                    part.change("they are asked after any failure")
                elif key == "context_window_fallbacks":
                    if self._room(group) is not None:
                        continue
                    part.change("how much its deployments take is not known: they are asked after any failure")
                found += self._of_names(part)
        default = self.setting("default_fallbacks")
        if default.given and group not in default.texts():
            found += self._of_names(default)
        own = {each.name for each in self.groups[group]}
        return list({each.name: each for each in found if each.name not in own}.values())

    def _listed_for(self, key: str, group: str) -> Iterator[Part]:
        for rule in self.setting(key).items():
            for name, part in rule.entries():
                if name == group or (name == "*" and key == "fallbacks"):
                    yield part

    def _of_names(self, part: Part) -> list[Deployment]:
        found: list[Deployment] = []
        for each in part.items() if isinstance(part.data, (list, dict)) else [part]:
            if isinstance(each.data, dict):
                each.lose("a fallback is the name of a model here")
                continue
            name = each.text()
            if name not in self.groups:
                each.lose(f"there is no model `{name}`")
            found += self.groups.get(name, [])
        return found

    def _room(self, group: str) -> float | None:
        """The tokens that all its deployments take, where that is known."""
        limits = [each.context for each in self.groups[group]]
        return min((limit for limit in limits if limit), default=None) if all(limits) else None

    def _longer(self, group: str) -> Iterator[tuple[str, list[str], str]]:
        """Where a request is longer than its deployments take, those that take more."""
        room = self._room(group)
        for part in self._listed_for("context_window_fallbacks", group):
            larger = self._of_names(part) if room is not None else []
            if larger and room is not None:
                name = f"{self.recipes[group]}_longer"
                yield (
                    f"request.tokens > {room:.0f}",
                    list(self._recipe(name, "", self._attempt(group, larger), larger, [])),
                    name,
                )

    def _by_tags(self, own: list[Deployment]) -> bool:
        return self.setting("enable_tag_filtering").flag() and any(each.tags for each in own)

    def _tagged(self, group: str, behind: list[Deployment]) -> Iterator[tuple[str, list[str], str]]:
        own = self.groups[group]
        if not self._by_tags(own):
            return
        for tag in dict.fromkeys(tag for each in own for tag in each.tags if tag != "default"):
            name = self.names.name(f"{self.recipes[group]}_{tag}")
            asked = f'request.metadata["tags"] == {text(tag)}'
            yield (
                asked,
                list(
                    self._recipe(
                        name, "", self._attempt(group, behind), [each for each in own if tag in each.tags], behind
                    )
                ),
                name,
            )

    # ------------------------------------------------------------- an attempt

    def _attempt(self, group: str, others: list[Deployment]) -> str:
        """The recipe that calls one deployment of a group, or of others that stand in; one for each manner of calling."""
        manner = self._manner(group, others)
        if manner not in self.attempts:
            name = self.names.name("attempt")
            said = [f"max_tokens = {manner.max_tokens}"] + (
                [f"temperature = {number(manner.temperature)}"] if manner.temperature is not None else []
            )
            policy = [f"timeout = {duration(manner.timeout)}"] if manner.timeout else []
            policy += [f"retries = {manner.retries}"] if manner.retries else []
            role = self._role(", ".join(said))
            block = f" {{ {', '.join(policy)} }}" if policy else ""
            self.lines_of_attempts += [
                f"## One call of one deployment.\nrecipe {name}(m: model) -> answer {{\n  ask reply = {role}(model = m){block}\n  return reply\n}}\n",
            ]
            self.attempts[manner] = name
        return self.attempts[manner]

    def _role(self, says: str) -> str:
        if says not in self.roles:
            self.roles[says] = self.names.name("respondent")
            self.lines_of_attempts.append(f"role {self.roles[says]}() {{ {says} }}\n")
        return self.roles[says]

    def _manner(self, group: str, others: list[Deployment]) -> _Manner:
        params = [each.part.get("litellm_params") for each in self.groups[group]]
        timeout = self._one(params, ("timeout", "request_timeout"), self._first(("timeout", "request_timeout")))
        temperature = self._one(params, ("temperature",), None)
        tokens = self._one(params, ("max_tokens", "max_completion_tokens"), None)
        retries = self._one(params, ("max_retries", "num_retries"), None)
        room = min(
            (each.context for each in (*self.groups[group], *others) if each.context), default=float(MOST_TOKENS)
        )
        wanted = int(tokens) if tokens and 1 <= tokens <= MOST_TOKENS else ANSWER_TOKENS
        return _Manner(
            timeout,
            self._retries(group) if retries is None else min(_MOST_RETRIES, max(0, int(retries))),
            None if temperature is None else min(2.0, max(0.0, temperature)),
            min(wanted, max(1, int(room) // 2)),
        )

    def _one(self, params: list[Part], keys: tuple[str, ...], otherwise: float | None) -> float | None:
        """A setting of the deployments of a group: the greatest, where they differ."""
        given = [part for each in params for key in keys if (part := each.get(key)).given]
        values = [value for part in given if (value := part.maybe_number()) is not None]
        if len(set(values)) > 1:
            for part in given:
                part.change(f"the deployments of one name have one: {number(max(values))}, the greatest")
        return max(values, default=otherwise)

    def _first(self, keys: tuple[str, ...]) -> float | None:
        return next((value for key in keys if (value := self.setting(key).maybe_number()) is not None), None)

    def _retries(self, group: str) -> int:
        policy = self.setting("model_group_retry_policy").get(group)
        policy = policy if policy.given else self.setting("retry_policy")
        told = [value for key in _RETRIED if (value := policy.get(key).maybe_number()) is not None]
        if told and len(policy.data) > 1:
            policy.change("failures that may pass are tried again so often as the greatest of these says, others never")
        asked = max(told) if told else self.setting("num_retries").number()
        if asked > _MOST_RETRIES:
            (policy if told else self.setting("num_retries")).change(f"{_MOST_RETRIES} retries are the most")
        return min(_MOST_RETRIES, max(0, int(asked)))

    # ---------------------------------------------------------------- aliases

    def _aliases(self) -> Iterator[str]:
        for alias, part in self.setting("model_group_alias").entries():
            meant = part.get("model") if isinstance(part.data, dict) else part
            name = meant.text()
            if name not in self.groups:
                part.lose(f"there is no model `{name}`")
                continue
            if part.get("hidden").flag():
                part.get("hidden").lose("whoever may call sees all names")
            yield from self.names.expose(part, alias, f"{self.recipes[name]}()")
