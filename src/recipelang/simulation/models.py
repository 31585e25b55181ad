"""A backend on which every model behaves as its profile says; what is true is hidden in what they say."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from random import Random
from typing import Any

import anyio

from recipelang.recipetests.scripting import MAY_PASS
from recipelang.runtime.confidence import log_probability
from recipelang.runtime.members import estimated_tokens, text_of
from recipelang.runtime.ports import BackendError, Delta, ModelCall, Reply
from recipelang.runtime.values import Json, TokenLogprob, Usage, byte_length
from recipelang.simulation.profiles import NORMAL, Profile, Profiles, Sureness

_FILLER = "so "
_RARE = 1_000_000
"""So many wrong answers there are besides the one that many give."""


class SimulatedModels:
    """Answers the calls of one request after the other. Equal calls of one request get the same in every setting of a sweep."""

    def __init__(self, profiles: Profiles, seed: int) -> None:
        self._profiles = profiles
        self._seed = seed
        self.ask(0)

    def ask(self, number: int) -> None:
        """The calls that come now are about the request of this number."""
        self._request = f"{self._seed}/{number}"
        self._hardness = Random(self._request).gauss(0, 1)
        self._own: dict[str, float] = {}  # how hard the request is for each model, besides
        self._sizes: dict[str, int] = {}  # the tokens of each answer: equal answers are equal texts
        self._made: Counter[tuple[str, str, int]] = Counter()

    async def complete(self, call: ModelCall) -> Reply:
        profile = self._profiles.of(call.model.name)
        key = (call.model.name, call.role, call.sample)
        self._made[key] += 1
        drawn = Random(f"{self._request}/{key}/{self._made[key]}")
        failure, latency = profile.failing(drawn.random()), profile.latency.at(drawn.random())
        await anyio.sleep(latency)
        if failure is not None:
            raise BackendError(failure, "simulated", may_pass=failure in MAY_PASS)
        return self._reply(call, profile, drawn)

    async def stream(self, call: ModelCall) -> AsyncGenerator[Delta]:
        reply = await self.complete(call)
        yield Delta(reply.text, reply)

    def _reply(self, call: ModelCall, profile: Profile, drawn: Random) -> Reply:
        tokens = max(1, round(profile.tokens.at(drawn.random())))
        shown = self._profiles.concluded("\n".join(text_of(message) for message in call.messages))
        come_to = self._conclusion(call, profile, shown, drawn)
        cut = tokens >= call.max_tokens
        if call.schema is not None:
            text = json.dumps(
                _Filled(profile, [one == self._profiles.right for one in shown], self._text(come_to, 1), drawn).value(
                    json.loads(call.schema)
                )
            )
        else:
            text = _FILLER * tokens if cut else self._text(come_to, tokens)
        prompt = sum(estimated_tokens(byte_length(text_of(message))) for message in call.messages)
        sure = (
            _sure(profile.confidence, come_to == self._profiles.right, drawn)
            if call.logprobs and profile.confidence is not None
            else None
        )
        return Reply(
            text,
            "length" if cut else "stop",
            Usage(max(1, prompt), min(tokens, call.max_tokens)),
            None if sure is None else (TokenLogprob("so", log_probability(sure)),),
        )

    def _text(self, come_to: str | None, tokens: int) -> str:
        """As long as the first answer that came to this."""
        if come_to is None:
            return _FILLER * tokens
        size = self._sizes.setdefault(come_to, tokens) if tokens > 1 else tokens
        return f"{_FILLER * (size - 1)}\n{come_to}" if size > 1 else come_to

    def _conclusion(self, call: ModelCall, profile: Profile, shown: Sequence[str], drawn: Random) -> str | None:
        right = self._profiles.right
        if profile.judges is not None and right in shown:
            wrong = [one for one in shown if one != right]
            return right if not wrong or drawn.random() < profile.judges else drawn.choice(wrong)
        if profile.correct is None:
            return None
        if self._is_right(call.model.name, profile.correct, drawn):
            return right
        return self._profiles.wrong_answer(0 if drawn.random() < self._profiles.alike else 1 + drawn.randrange(_RARE))

    def _is_right(self, model: str, correct: float, drawn: Random) -> bool:
        """A request is hard for all, for this model, and this time: as much each as the correlations say."""
        if correct in (0, 1):
            return correct == 1
        if model not in self._own:
            self._own[model] = Random(f"{self._request}/{model}").gauss(0, 1)
        shared, repeated = self._profiles.correlation, self._profiles.repeats
        hard = math.sqrt(shared) * self._hardness + math.sqrt(repeated - shared) * self._own[model]
        return hard + math.sqrt(1 - repeated) * drawn.gauss(0, 1) < NORMAL.inv_cdf(correct)


def _sure(sureness: Sureness, is_right: bool, drawn: Random) -> float:
    middle = sureness.right if is_right else sureness.wrong
    return min(max(drawn.gauss(middle, sureness.spread), 0.001), 0.999)


class _Filled:
    """A value for a JSON Schema: bools and numbers are what the model thinks of the answers that it is shown, in their order."""

    def __init__(self, profile: Profile, shown: Sequence[bool], text: str, drawn: Random) -> None:
        judges = 0.5 if profile.judges is None else profile.judges
        self._liked = [is_right == (drawn.random() < judges) for is_right in shown]
        self._text = text
        self._drawn = drawn
        self._next = 0

    def value(self, schema: dict[str, Any]) -> Json:
        if "enum" in schema:
            return self._drawn.choice(schema["enum"])
        if "anyOf" in schema:
            return self.value(schema["anyOf"][0])
        match schema.get("type"):
            case "object":
                return {name: self.value(its) for name, its in schema.get("properties", {}).items()}
            case "array":
                return [self.value(schema["items"]) for _ in range(self._length(schema))]
            case "boolean":
                return self._likes()
            case "integer":
                low = schema.get("minimum", 0)
                return min(
                    low + self._liked.index(True) if True in self._liked else low, schema.get("maximum", math.inf)
                )
            case "number":
                low, high = schema.get("minimum", 0.0), schema.get("maximum", 1.0)
                return low + (high - low) * (
                    0.5 + self._drawn.random() / 2 if self._likes() else self._drawn.random() / 2
                )
            case _:
                return "a" if "pattern" in schema else self._text

    def _length(self, schema: dict[str, Any]) -> int:
        judged = len(self._liked) if schema["items"].get("type") in ("boolean", "number") else 0
        return int(min(max(judged, schema.get("minItems", 0)), schema.get("maxItems", math.inf)))

    def _likes(self) -> bool:
        """What it thinks of the next answer; of one that it was not shown, anything."""
        self._next += 1
        return self._liked[self._next - 1] if self._next <= len(self._liked) else self._drawn.random() < 0.5
