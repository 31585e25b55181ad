"""What the trace of a run tells about steps and roles; knows nothing of tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cached_property

from recipelang.ir.plan import Choose, Entry, HostCall, Let, Plan, Recipe, RecipeCall, Return, Step
from recipelang.quick import dataclass, field
from recipelang.runtime.ports import Event
from recipelang.runtime.trace import Trace
from recipelang.runtime.values import Json, Value
from recipelang.semantics.tested import Observation

Place = tuple[str, str]
"""A recipe, and the step in it."""
_SEGMENT = re.compile(r"([^.\[]+)((?:\[[^\]]*\])*)(?:\.|$)")
_ENDINGS = {
    "ok": "ran",
    "skipped": "was skipped",
    "fallback": "took its fallback",
    "none": "failed and gave none",
    "failed": "failed",
    "cancelled": "was given up",
}
FAILED = frozenset(("failed", "fallback", "none"))
"""How a step ends whose own work failed."""


@dataclass
class Watched:
    """One run: where its events belong in the plan. `content` must have been traced."""

    plan: Plan
    entry: Entry
    trace: Trace
    places: dict[str, Place | None] = field(default_factory=dict)

    @cached_property
    def _arms(self) -> dict[str, int]:
        return {event.step: event.data["arm"] for event in self.trace.of("arm_taken")}

    @cached_property
    def endings(self) -> dict[Place, list[str]]:
        """How each step ended, each time that it was started."""
        return self._by_place("step_end", "status")

    @cached_property
    def arms(self) -> dict[Place, list[int]]:
        """Which arms of each choice were taken."""
        return self._by_place("arm_taken", "arm")

    @cached_property
    def fallbacks(self) -> set[Place]:
        """The steps whose fallback was asked for."""
        return set(self._by_place("fallback_taken", "failure"))

    def _by_place(self, kind: str, what: str) -> dict[Place, list[Json]]:
        found: dict[Place, list[Json]] = {}
        for event in self.trace.of(kind):
            place = self.place(event.step)
            if place is not None:
                found.setdefault(place, []).append(event.data[what])
        return found

    def place(self, path: str) -> Place | None:
        """The step at a path such as `evidence[1].thoughts`; none for what a later version may have put there."""
        if path not in self.places:
            self.places[path] = self._found(path)
        return self.places[path]

    def _found(self, path: str) -> Place | None:
        recipe: str | None = self.entry.recipe
        place: Place | None = None
        for segment in _SEGMENT.finditer(path):
            step = None if recipe is None else _step(self.plan.recipes[recipe], segment.group(1))
            if recipe is None or step is None:
                return None
            place = (recipe, step.name)
            recipe = self._inside(step, path[: segment.end()].rstrip("."))
        return place

    def _inside(self, step: Step, path: str) -> str | None:
        """The recipe that a step runs at this path."""
        match step:
            case Choose(arms=arms):
                call: object = arms[self._arms[path]].call if path in self._arms else None
            case Let() | Return() | HostCall():
                return None
            case _:
                call = step.call
        return call.recipe if isinstance(call, RecipeCall) else None

    # ------------------------------------------------------------ questions

    def answer(self, question: Observation) -> Value:
        """The answer to a question of a test; none for the prompt of a role that was never asked."""
        if question.role is not None:
            return self._of_role(question, question.role)
        ended = self.endings.get(question.step or ("", ""), [])
        match question.kind:
            case "ran":
                return "ok" in ended
            case "skipped":
                return "skipped" in ended
            case "fell_back":
                return "fallback" in ended
            case _:
                return any(status in FAILED for status in ended)

    def story(self, question: Observation) -> str:
        """What the answer to a question with yes or no comes from."""
        if question.role is not None:
            return (
                "it was asked, and gave no answer" if list(self._calls(question.role, None)) else "it was never asked"
            )
        ended = self.endings.get(question.step or ("", ""), [])
        how = dict.fromkeys(_ENDINGS.get(status, status) for status in ended)
        return f"it {' and '.join(how)}" if how else "it never started"

    def _of_role(self, question: Observation, role: str) -> Value:
        calls = list(self._calls(role, question.model))
        match question.kind:
            case "prompt":
                return prompt_text(calls[-1].data["messages"]) if calls else None
            case "ran":
                ended = {event.data["call"] for event in self.trace.of("call_end")}
                return any(event.data["call"] in ended for event in calls)
            case _:
                return len(calls) + sum(
                    bool(event.data["extern"] == role) for event in self.trace.of("host_call_start")
                )

    def _calls(self, role: str, model: str | None) -> Iterator[Event]:
        for event in self.trace.of("call_start"):
            if event.data["role"] == role and model in (None, event.data["model"]):
                yield event


def prompt_text(messages: Sequence[Mapping[str, Json]]) -> str:
    """The messages of a call as one text, each after a line that names who speaks."""
    return "\n\n".join(f"[{message['role']}]\n{_content(message['content'])}" for message in messages)


def _content(content: Json) -> str:
    if isinstance(content, str) or content is None:
        return content or ""
    return "\n".join(str(part.get("text", f"({part.get('type')})")) for part in content)


def _step(recipe: Recipe, name: str) -> Step | None:
    return next((step for step in recipe.steps if step.name == name), None)
