"""Recipes as Hypothesis draws them: typed, so that most compile; every kind of step, policy and nesting."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from hypothesis import strategies as st

Kind = Literal["answer", "answers", "grade", "text", "model", "models", "int", "contract"]
MODELS = ("small", "middle", "large_model_with_a_very_long_name_that_no_number_is_as_long_as")
LONGEST_LIST = 12
ROLES = '''
role plain() { max_tokens = <plain><contract> }
role shaped() { max_tokens = <shaped>, contract = request.format, system = "be brief" }
role revise(draft: answer) {
  max_tokens = <revise>
  prompt     = "Mend: {{ draft }} {{ draft.model.id }} {{ draft.usage.total }}"
}
role write(xs: answer[..8], g: grade?, t: text) {
  max_tokens   = <write>
  conversation = <seen>
  prompt       = """
    {% if g %} {{ g }} and {{ g.reason }} {% else %} nothing, {% endif %}
    {% if xs %} {{ xs }} {% endif %} {{ t }}
  """
}
role judge(xs: answer[..8]) -> grade { max_tokens = <judge>, repair = <repair>, temperature = 0, prompt = "Grade: {{ xs }}" }
role about(m: model, n: int(1..3), t: text) { max_tokens = <about>, prompt = "{{ m.zone }} {{ n }} {{ t }}" }
'''
"""Prompts with slots and sections of every type; what stands in `<>` is drawn."""
_Drawn = TypeVar("_Drawn")


@dataclass(frozen=True)
class Name:
    """A value that a recipe can name. `low` and `high` bound the length of a list, or a number."""

    text: str
    kind: Kind
    low: int = 0
    high: int = 0


@dataclass(frozen=True)
class Callee:
    """A role or a recipe: what it takes and what it gives."""

    name: str
    parameters: tuple[Name, ...]
    returns: Literal["answer", "answers", "grade"]
    is_role: bool
    at_least: int = 0


@dataclass
class Writer:
    """Writes one program. `names` are those that the recipe at hand can read, in the order in which they came."""

    draw: Callable[[st.SearchStrategy[object]], object]
    callees: list[Callee] = field(default_factory=list)
    names: list[Name] = field(default_factory=list)
    steps: int = 0

    # ------------------------------------------------------------- choosing

    def one_of(self, *options: _Drawn) -> _Drawn:
        return options[self.number(0, len(options) - 1)]

    def number(self, low: int, high: int) -> int:
        number = self.draw(st.integers(low, high))
        assert isinstance(number, int)
        return number

    def sometimes(self, chance: int = 3) -> bool:
        return self.number(0, chance) == chance

    def known(self, kind: Kind, at_least: int = 0) -> list[Name]:
        return [name for name in self.names if name.kind == kind and (kind != "answers" or name.low >= at_least)]

    # ---------------------------------------------------------- expressions

    def answer(self, depth: int = 2) -> str | None:
        options: list[str] = [name.text for name in self.known("answer")]
        for xs in self.known("answers", 1):
            options += [
                f"first({xs.text})",
                f"last({xs.text})",
                f"best({xs.text}, by = it.model.rating)",
                f"majority({xs.text}, key = it.value)",
                f"weighted_vote({xs.text}, key = it.text, weight = it.model.rating)",
            ]
        if depth and len(options) > 1 and self.sometimes():
            return f"{self.one_of(*options)} if {self.condition()} else {self.one_of(*options)}"
        return self.one_of(*options) if options else None

    def answers(self) -> Name | None:
        """A list of answers that is in no name yet, with its bounds."""
        options = [Name("[]", "answers")]
        for xs in self.known("answers"):
            least = min(xs.low, 1)
            options += [
                xs,
                Name(f"[a for a in {xs.text} if a.valid]", "answers", 0, xs.high),
                Name(f"sort({xs.text}, by = it.latency)", "answers", xs.low, xs.high),
                Name(f"unique({xs.text}, by = it.text)", "answers", least, xs.high),
                Name(f"take({xs.text}, 2)", "answers", min(xs.low, 2), min(xs.high, 2)),
                Name(f"top({xs.text}, 3, by = it.confidence)", "answers", min(xs.low, 3), min(xs.high, 3)),
            ]
        one = self.answer(0)
        if one is not None:
            options.append(Name(f"[{one}]", "answers", 1, 1))
            options += [
                Name(f"{xs.text} + [{one}]", "answers", xs.low + 1, xs.high + 1) for xs in self.known("answers")
            ]
        return self.one_of(*options)

    def text(self, depth: int = 2) -> str:
        options = ["request.text", '"a word"', 'request.metadata["who"] or "nobody"']
        options += [name.text for name in self.known("text")]
        for a in self.known("answer"):
            options += [f"{a.text}.text", f"{a.text}.model.name", f"{a.text}.finish", f'({a.text}.value or "nothing")']
        options += [f"{g.text}.reason" for g in self.known("grade")]
        options += [f"{m.text}.id" for m in self.known("model")]
        chosen = self.one_of(*options)
        if depth and self.sometimes():
            return f"({chosen}) + {self.text(depth - 1)}"
        return f"lower({chosen})" if self.sometimes(5) else f"({chosen})"

    def model(self) -> str:
        options = [*MODELS, *(name.text for name in self.known("model"))]
        for ms in self.known("models"):
            options += [f"strongest({ms.text})", f"cheapest({ms.text})", f"first({ms.text})"]
        options += [f"{a.text}.model" for a in self.known("answer")]
        return self.one_of(*options)

    def models(self) -> str:
        options = ["[small]", "[small, middle]", f"[small, middle, {MODELS[2]}]", "[middle, middle, small]"]
        options += [name.text for name in self.known("models")]
        options += [f"take({name.text}, 2)" for name in self.known("models")]
        options += [f"sort({name.text}, by = it.rating)" for name in self.known("models")]
        return self.one_of(*options)

    def integer(self, most: int) -> str:
        options = ["1", str(most), f"min(request.turns + 1, {most})", f"clamp(request.turns, low = 1, high = {most})"]
        options += [f"min({name.text}, {most})" for name in self.known("int")]
        options += [f"min(size({name.text}) + 1, {most})" for name in self.known("answers")]
        return self.one_of(*options)

    def contract(self) -> str:
        return self.one_of("request.format", "letter", "code", *(name.text for name in self.known("contract")))

    def condition(self) -> str:
        options = ["request.turns > 1", "request.tokens > 20", "true"]
        options += [f"{a.text}.valid" for a in self.known("answer")]
        options += [f"size({xs.text}) > 1" for xs in self.known("answers")]
        options += [f"{g.text}.score >= 0.5" for g in self.known("grade")]
        return self.one_of(*options)

    def argument(self, wanted: Name) -> str:
        match wanted.kind:
            case "answer":
                return self.answer(0) or "missing"
            case "answers":
                found = self.answers()
                return "[]" if found is None else f"take({found.text}, {wanted.high})"
            case "grade":
                return self.one_of("none", *(name.text for name in self.known("grade")))
            case "text":
                return self.text()
            case "model":
                return self.model()
            case "models":
                return self.models()
            case "int":
                return self.integer(wanted.high)
            case "contract":
                return self.contract()

    # ---------------------------------------------------------------- calls

    def call(self, called: Callee, model: str | None = None) -> str:
        given = [f"{wanted.text} = {self.argument(wanted)}" for wanted in called.parameters]
        if called.is_role:
            given.append(f"model = {model or self.model()}")
            if self.sometimes(4):
                given.append(f"max_tokens = {self.one_of('40', '300', self.integer(64))}")
            if called.returns == "answer" and self.sometimes():
                given.append(f"contract = {self.contract()}")
        elif model is not None and any(p.kind == "models" for p in called.parameters):
            given = [f"ms = [{model}]" if text.startswith("ms =") else text for text in given]
        return f"{called.name}({', '.join(given)})"

    def callee(self, *, role: bool | None = None, returns: Sequence[str] = ("answer", "answers", "grade")) -> Callee:
        can_answer = self.answer(0) is not None
        options = [
            called
            for called in self.callees
            if (role is None or called.is_role is role)
            and called.returns in returns
            and (can_answer or not any(parameter.kind == "answer" for parameter in called.parameters))
        ]
        return self.one_of(*options)

    # ---------------------------------------------------------------- steps

    def policy(self, *lines: str | None) -> str:
        given = [line for line in lines if line is not None]
        if self.sometimes(2):
            given.append(f"timeout = {self.one_of('1s', '30s', '90s', '200s')}")
        return " { " + ", ".join(given) + " }" if given else ""

    def new(self, kind: Kind, low: int = 0, high: int = 0) -> Name:
        self.steps += 1
        return Name(f"s{self.steps}", kind, low, high)

    def fallback(self, kind: str) -> str | None:
        if not self.sometimes(1):
            return None
        if kind == "answer":
            value = self.answer()
        elif kind == "answers":
            found = self.answers()
            value = None if found is None else found.text
        else:
            value = self.one_of('{ reason = "none was given", score = 0.1 }', *(g.text for g in self.known("grade")))
        return None if value is None else f"fallback = {value}"

    def step(self) -> str:
        return self.one_of(
            self.ask, self.ask, self.fanout, self.fanout, self.cascade, self.repeat, self.choose, self.run, self.let
        )()

    def ask(self) -> str:
        called = self.callee(role=True)
        step = self.new(called.returns)
        retries = f"retries = {self.number(1, 3)}" if self.sometimes() else None
        text = f"ask {step.text} = {self.call(called)}" + self.policy(retries, self.fallback(called.returns))
        self.names.append(step)
        return text

    def fanout(self) -> str:
        called = self.callee(returns=("answer",))
        over = self.models()
        item = f"m{self.steps}"
        outside = list(self.names)
        self.names.append(Name(item, "model"))
        call = self.call(called, item)
        self.names = outside
        samples = self.integer(4) if self.sometimes(2) else None
        quorum = self.sometimes()
        step = self.new("answers", 1 if quorum else 0, 4)
        text = f"fanout {step.text} = {call} for {item} in {over}" + self.policy(
            None if samples is None else f"samples = {samples}",
            None if samples is None else f"spread = {self.one_of('round_robin', 'equal', 'first')}",
            f"parallel = {self.integer(3)}" if self.sometimes(2) else None,
            "keep = it.valid" if self.sometimes() else None,
            "quorum = 1" if quorum else None,
            f"grace = {self.one_of('1s', '40s')}" if quorum and self.sometimes(1) else None,
            "on_error = skip" if self.sometimes(1) else None,
            f"fallback = {self.one_of('[]', *(x.text for x in self.known('answers') if x.high <= 4))}"
            if not quorum and self.sometimes()
            else None,
        )
        self.names.append(step)
        return text

    def cascade(self) -> str:
        called = self.callee()
        item = f"m{self.steps}"
        over = self.models()
        outside = list(self.names)
        self.names.append(Name(item, "model"))
        call = self.call(called, item)
        self.names = outside
        accept = {
            "answer": self.one_of("it.valid", "confidence(it) >= 0.5", "false"),
            "answers": "size(it) > 1",
            "grade": "it.score >= 0.9",
        }[called.returns]
        step = self.new(called.returns, 0, LONGEST_LIST)
        last = (
            "fallback = last(tried)"
            if called.returns != "answers" and self.sometimes(1)
            else self.fallback(called.returns)
        )
        text = f"cascade {step.text} = {call} for {item} in {over}" + self.policy(
            f"accept = {accept}", "on_error = skip" if self.sometimes(1) else None, last
        )
        self.names.append(step)
        return text

    def repeat(self) -> str:
        returns = self.one_of("answer", "answers") if any(c.returns == "answers" for c in self.callees) else "answer"
        start = self.answer() if returns == "answer" else "[]"
        if start is None:
            return self.ask()
        called = self.callee(returns=(returns,))
        step = self.new("answer" if returns == "answer" else "answers", 0, LONGEST_LIST)
        outside = list(self.names)
        self.names.append(step)
        if self.sometimes(1):
            rounds = f"up to {self.integer(3)} times"
            call = self.call(called)
        else:
            item = f"m{self.steps}"
            rounds = f"for {item} in {self.models_outside(step)}"
            self.names.append(Name(item, "model"))
            call = self.call(called, item)
        self.names = [*outside, step]
        until = (
            f"until = {self.one_of('false', step.text + '.valid' if returns == 'answer' else f'size({step.text}) > 2')}"
        )
        fallback = f"fallback = {step.text}" if self.sometimes(1) else None
        return f"repeat {step.text} = {call} {rounds}" + self.policy(f"start = {start}", until, fallback)

    def models_outside(self, step: Name) -> str:
        names, self.names = self.names, [name for name in self.names if name != step]
        try:
            return self.models()
        finally:
            self.names = names

    def choose(self) -> str:
        returns = self.callee().returns
        arms = [
            f"when {self.condition()} => {self.call(self.callee(returns=(returns,)))}" for _ in range(self.number(1, 2))
        ]
        last = 'fail("no arm")' if self.sometimes() else self.call(self.callee(returns=(returns,)))
        step = self.new(returns, 0, LONGEST_LIST)
        lines = [
            *arms,
            f"otherwise => {last}",
            self.fallback(returns) or "",
            "timeout = 70s" if self.sometimes() else "",
        ]
        text = f"choose {step.text} {{\n    " + "\n    ".join(line for line in lines if line) + "\n  }"
        self.names.append(step)
        return text

    def run(self) -> str:
        if all(called.is_role for called in self.callees):
            return self.fanout()
        called = self.callee(role=False)
        text = f" = {self.call(called)}" + self.policy(self.fallback(called.returns))
        step = self.new(called.returns, 0, LONGEST_LIST)
        self.names.append(step)
        return f"run {step.text}{text}"

    def let(self) -> str:
        found = self.answers()
        if found is not None and found.high <= LONGEST_LIST and self.sometimes(1):
            step = self.new("answers", found.low, found.high)
            self.names.append(step)
            return f"let {step.text} = {found.text}"
        text = self.text()
        step = self.new("text")
        self.names.append(step)
        return f"let {step.text} = {text}"

    # --------------------------------------------------------- declarations

    def roles(self) -> str:
        self.callees = [
            Callee("plain", (), "answer", True),
            Callee("shaped", (), "answer", True),
            Callee("revise", (Name("draft", "answer"),), "answer", True),
            Callee("write", (Name("xs", "answers", 0, 8), Name("g", "grade"), Name("t", "text")), "answer", True),
            Callee("judge", (Name("xs", "answers", 0, 8),), "grade", True),
            Callee("about", (Name("m", "model"), Name("n", "int", 1, 3), Name("t", "text")), "answer", True),
        ]
        written = ROLES
        for called in self.callees:
            written = written.replace(f"<{called.name}>", str(self.number(1, 400)))
        written = written.replace("<contract>", self.one_of("", ", contract = letter"))
        return written.replace("<seen>", self.one_of("true", "false")).replace("<repair>", str(self.number(0, 2)))

    def recipe(self, number: int, last: bool) -> str:
        parameters = (
            Name("ms", "models", 1, 3),
            Name("prior", "answers", 0, 8),
            Name("n", "int", 1, 3),
            Name("shape", "contract"),
        )
        self.names = list(parameters)
        if last:
            self.names.pop(1)
        steps = [self.step() for _ in range(self.number(1, 4))]
        returns = "answer" if last or self.sometimes(1) else "answers"
        value = self.answer()
        if returns == "answers":
            found = self.answers()
            assert found is not None
            value = f"take({found.text}, {LONGEST_LIST})"
        elif value is None:
            steps.append("ask z = plain(model = first(ms))")
            value = "z"
        contract = ""
        if returns == "answer" and self.sometimes(1):
            fallback = f", fallback = {self.answer() or value}" if self.sometimes(1) else ""
            contract = f" {{ contract = {self.contract()}{fallback} }}"
        name = "main" if last else f"r{number}"
        given = [] if last else ["prior: answer[..8]"]
        header = ", ".join(["ms: model[1..3]", *given, "n: int(1..3)", "shape: contract"])
        gives = "answer" if returns == "answer" else f"answer[..{LONGEST_LIST}]"
        budget = f"  budget {{ time = {self.one_of('30s', '100s', '20m', '3h')} }}\n" if self.sometimes(1) else ""
        self.callees.append(Callee(name, parameters, "answer" if returns == "answer" else "answers", False))
        body = "".join(f"  {step}\n" for step in steps)
        return f"recipe {name}({header}) -> {gives} {{\n{budget}{body}  return {value}{contract}\n}}"

    def program(self) -> str:
        price = self.one_of("", ", price = { input = $3, output = $9 }")
        declarations = [
            'backend lab { kind = openai, url = "http://127.0.0.1:9/v1" }',
            'model small { backend = lab, id = "s", price = { input = $0.5, output = $1 }, rating = 3 }',
            f'model middle {{ backend = lab, id = "{"middle" * 300}", price = {{ input = $1, output = $20 }} }}',
            f'model {MODELS[2]} {{ backend = lab, id = "l"{price}, rating = 5 }}',
            f'contract letter {{ extract = r"ANSWER:\\s*([A-J])", repair = {self.number(0, 1)} }}',
            'contract code { extract = fence("python"), repair = 1, hint = "a block of code" }',
            "record grade { reason: text, score: score }",
            self.roles(),
        ]
        count = self.number(0, 2)
        declarations += [self.recipe(number, last=number == count) for number in range(count + 1)]
        pool = self.one_of("[small]", "[small, middle]", f"[small, middle, {MODELS[2]}]")
        exposed = f'expose "main" = main(ms = {pool}, n = {self.number(1, 3)}, shape = {self.one_of("letter", "code")})'
        return "\n".join([*declarations, exposed]) + "\n"


@st.composite
def programs(draw: Callable[[st.SearchStrategy[object]], object]) -> str:
    """The text of a program that exposes `main`."""
    return Writer(draw).program()
