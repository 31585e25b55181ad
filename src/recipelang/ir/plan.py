"""The plan: what a compiled set of recipes means, as data; the wall between the language and its execution.

A plan names everything it needs: no source text, no spans, no defaults left to be filled in. Names of roles, recipes,
models, backends and contracts are qualified by their module where two modules would clash (`fusion.judge`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Annotated, Literal

from recipelang.ir.certificate import Certificate
from recipelang.ir.expressions import Expression, FailExpression
from recipelang.ir.tagging import ByKind
from recipelang.ir.template import Template
from recipelang.ir.types import Type

# ------------------------------------------------------------ what is called


@dataclass(frozen=True, slots=True)
class Secret:
    """A value read from the environment when a run starts; it is never part of a plan."""

    variable: str


@dataclass(frozen=True, slots=True)
class Backend:
    """Where models are reached. `openai` is any OpenAI-compatible endpoint; `local` is started on demand."""

    name: str
    protocol: Literal["openai", "local"]
    url: str | None = None
    key: Secret | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: float
    output: float


@dataclass(frozen=True, slots=True)
class Model:
    name: str
    backend: str
    id: str
    context: int | None = None  # tokens, prompt and completion together
    price: Price | None = None  # none: unknown
    rating: float | None = None
    zone: str | None = None
    logprobs: bool = True  # false: never ask it for log-probabilities


@dataclass(frozen=True, slots=True)
class Extraction:
    """How a contract takes its value from a text: the last match of a pattern's first group, a fence, or all of it."""

    how: Literal["pattern", "fence", "whole"]
    argument: str = ""  # the pattern, in RE2 syntax; the fence's language, or ""


@dataclass(frozen=True, slots=True)
class Check:
    """What an extracted value must satisfy besides being there."""

    how: Literal["parses", "matches", "one_of"]
    arguments: tuple[str, ...]  # the language; the pattern; the values


@dataclass(frozen=True, slots=True)
class Contract:
    name: str
    extract: Extraction = Extraction("whole")
    check: Check | None = None
    schema: str | None = None  # a JSON Schema, as JSON text; then the value is the parsed answer
    repair: int = 0  # how often a step may ask the model to mend its answer
    hint: str = ""  # said to the model when it must mend its answer


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    type: Type
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class Role:
    """One model call. `prompt` and `system` are templates over the parameters; none: the conversation as it came."""

    name: str
    parameters: tuple[Parameter, ...]
    returns: Type
    max_tokens: int
    system: Template | None = None
    prompt: Template | None = None
    temperature: float | None = None
    model: Expression | None = None
    contract: Expression | None = None
    schema: str | None = None  # the JSON Schema of a record that it returns, as JSON text
    repair: int = 0  # for a record that does not satisfy the schema
    conversation: bool = True  # whether the client's messages go before the prompt
    shuffle: bool = True  # whether a list of answers is shown in an order drawn from the run's seed
    doc: str = ""


# -------------------------------------------------------------------- calls


@dataclass(frozen=True, slots=True)
class CallArgument:
    name: str
    value: Expression


@dataclass(frozen=True, slots=True)
class RoleCall:
    """`role(arguments, model = ...)`; what the call site leaves out is the role's own."""

    role: str
    arguments: tuple[CallArgument, ...]
    model: Expression
    temperature: Expression | None = None
    max_tokens: Expression | None = None
    contract: Expression | None = None
    logprobs: bool = False  # whether something reads the answer's confidence
    kind: Literal["role"] = "role"


@dataclass(frozen=True, slots=True)
class RecipeCall:
    """Arguments are complete: defaults have been filled in."""

    recipe: str
    arguments: tuple[CallArgument, ...]
    kind: Literal["recipe"] = "recipe"


Call = Annotated[RoleCall | RecipeCall, ByKind()]
ArmCall = Annotated[RoleCall | RecipeCall | FailExpression, ByKind()]

# -------------------------------------------------------------------- steps
# Times are seconds. A fallback is an expression over what went before; none: a failure fails the recipe.


@dataclass(frozen=True, slots=True)
class Ask:
    name: str
    type: Type
    call: Call
    timeout: float | None = None  # for the step, retries and repairs included
    retries: int = 0  # after a failure that may pass: 408, 429, 5xx, a broken connection
    fallback: Expression | None = None
    optional: bool = False  # a failure gives none
    when: Expression | None = None  # false gives none
    kind: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class Fanout:
    name: str
    type: Type
    call: Call
    variable: str
    over: Expression
    samples: Expression | None = None  # branches in all; none: one for each item
    spread: Literal["round_robin", "first", "equal"] = "round_robin"
    parallel: Expression | None = None
    keep: Expression | None = None  # over `it`
    quorum: Expression | None = None  # so many are enough; none: all, or one where errors are skipped
    grace: float = 0.0
    timeout: float | None = None
    on_error: Literal["fail", "skip"] = "fail"
    fallback: Expression | None = None
    kind: Literal["fanout"] = "fanout"


@dataclass(frozen=True, slots=True)
class Cascade:
    name: str
    type: Type
    call: Call
    variable: str
    over: Expression
    accept: Expression | None = None  # over `it`; none: the first that does not fail
    on_error: Literal["fail", "skip"] = "fail"
    timeout: float | None = None  # for the whole step
    fallback: Expression | None = None  # over `tried`, those that answered, in order
    kind: Literal["cascade"] = "cascade"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A fold: `name` is the value of the round before, `start` before the first."""

    name: str
    type: Type
    call: Call
    start: Expression
    variable: str | None = None
    over: Expression | None = None  # none: `times` rounds
    times: Expression | None = None
    until: Expression | None = None  # looked at after each round
    timeout: float | None = None
    fallback: Expression | None = None
    kind: Literal["repeat"] = "repeat"


@dataclass(frozen=True, slots=True)
class Arm:
    call: ArmCall
    when: Expression | None = None  # none: otherwise


@dataclass(frozen=True, slots=True)
class Choose:
    name: str
    type: Type
    arms: tuple[Arm, ...]
    timeout: float | None = None
    fallback: Expression | None = None
    kind: Literal["choose"] = "choose"


@dataclass(frozen=True, slots=True)
class Run:
    name: str
    type: Type
    call: RecipeCall
    timeout: float | None = None
    fallback: Expression | None = None
    optional: bool = False
    kind: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class Let:
    name: str
    type: Type
    value: Expression
    kind: Literal["let"] = "let"


@dataclass(frozen=True, slots=True)
class Return:
    """The one step named `return`."""

    type: Type
    value: Expression
    contract: Expression | None = None
    fallback: Expression | None = None
    name: Literal["return"] = "return"
    kind: Literal["return"] = "return"


Step = Annotated[Ask | Fanout | Cascade | Repeat | Choose | Run | Let | Return, ByKind()]

# ------------------------------------------------------------------ recipes


@dataclass(frozen=True, slots=True)
class Budget:
    """What a recipe may use at most; none: not limited by the author. `request` is the request, in bytes of UTF-8,
    that the budget must be enough for; a larger one is admitted where its own worst case fits."""

    calls: int | None = None
    tokens: int | None = None  # prompt and completion, all calls together
    cost: float | None = None  # dollars
    time: float | None = None  # seconds; at run time this is the deadline
    parallel: int | None = None  # calls in flight
    request: int = 4_000


@dataclass(frozen=True, slots=True)
class Recipe:
    name: str
    parameters: tuple[Parameter, ...]
    returns: Type
    budget: Budget
    steps: tuple[Step, ...]  # in the order of the file; exactly one Return
    doc: str = ""
    certificate: Certificate | None = None  # for any arguments of the declared types


@dataclass(frozen=True, slots=True)
class Entry:
    """A name that a client asks for: a recipe with its arguments, and what it can cost with these very models."""

    name: str
    recipe: str
    arguments: tuple[CallArgument, ...]
    certificate: Certificate | None = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    backends: dict[str, Backend] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
