"""The plan: what a compiled set of recipes means, as data; the wall between the language and its execution.

A plan names everything it needs: no source text, no spans, no defaults left to be filled in. Names of roles, recipes,
models, backends and contracts are qualified by their module where two modules would clash (`fusion.judge`).
"""

from __future__ import annotations

from typing import Annotated, Literal

from recipelang.ir.certificate import Certificate
from recipelang.ir.expressions import Expression, FailExpression
from recipelang.ir.limits import Amount, Count, Factor, Finite, Name, Positive
from recipelang.ir.sizing import DEFAULT_HOST_BYTES
from recipelang.ir.tagging import ByKind
from recipelang.ir.template import Template
from recipelang.ir.types import Type
from recipelang.quick import dataclass, field

DEFAULT_COOLDOWN = 10.0
"""Seconds for which a model that failed too often is not called."""

DEFAULT_QUEUE = 100
"""Calls that may wait for a backend that takes so many at once."""

# ------------------------------------------------------------ what is called


@dataclass(frozen=True, slots=True)
class Secret:
    """A value read from the environment when a run starts; it is never part of a plan."""

    variable: Name


@dataclass(frozen=True, slots=True)
class Backend:
    """Where models are reached. `openai` is any OpenAI-compatible endpoint; `local` is started on demand."""

    name: Name
    protocol: Literal["openai", "local"]
    url: str | None = None
    key: Secret | None = None
    replicas: tuple[str, ...] = ()  # further addresses of the same models
    circuit: Count = 0  # so many failures within `cooldown`, and a model is not called for as long; 0: it always is
    cooldown: Amount = DEFAULT_COOLDOWN  # seconds
    parallel: Positive | None = None  # the most calls at once, fewer while it is overloaded; none: no limit
    queue: Count = DEFAULT_QUEUE  # the calls that may wait for that; further ones are refused
    load: Literal["vllm"] | None = None  # what tells how busy its servers are
    patience: Amount | None = None  # seconds for which nothing may come of a reply; none: any time


@dataclass(frozen=True, slots=True)
class Price:
    """Dollars per million tokens."""

    input: Amount
    output: Amount


@dataclass(frozen=True, slots=True)
class Model:
    name: Name
    backend: Name
    id: Name
    context: Positive | None = None  # tokens, prompt and completion together
    price: Price | None = None  # none: unknown
    rating: Finite | None = None
    zone: str | None = None
    logprobs: bool | None = None  # whether it gives log-probabilities; of these five, none: nobody said
    json_schema: bool | None = None  # whether it keeps to a JSON Schema
    tools: bool | None = None  # whether it calls the client's tools
    vision: bool | None = None  # whether it sees images
    seed: bool | None = None  # whether the same seed gives the same answer
    tokens_per_byte: Factor = 1.0  # of UTF-8, the most that its tokenizer makes; byte-level ones never make more
    image_tokens: Count | None = None  # the most that an image counts; none: unknown
    reasoning_tokens: Count = 0  # the most that it may think besides `max_tokens`, where its provider counts that apart


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
    name: Name
    extract: Extraction = Extraction("whole")
    check: Check | None = None
    schema: str | None = None  # a JSON Schema, as JSON text; then the value is the parsed answer
    repair: Count = 0  # how often a step may ask the model to mend its answer
    hint: str = ""  # said to the model when it must mend its answer


@dataclass(frozen=True, slots=True)
class Parameter:
    name: Name
    type: Type
    default: Expression | None = None


@dataclass(frozen=True, slots=True)
class Planning:
    """What the plans of a role are held to: the parameters that have the workers, and the greatest number of tasks."""

    workers: Name
    steps: Name


Need = Literal["tools", "vision", "seed"]


@dataclass(frozen=True, slots=True)
class Role:
    """One model call. `prompt` and `system` are templates over the parameters; none: the conversation as it came."""

    name: Name
    parameters: tuple[Parameter, ...]
    returns: Type
    max_tokens: Positive
    system: Template | None = None
    prompt: Template | None = None
    temperature: Amount | None = None
    model: Expression | None = None
    contract: Expression | None = None
    schema: str | None = None  # the JSON Schema of a record that it returns, as JSON text
    planning: Planning | None = None  # for a role that returns a plan
    repair: Count = 0  # for a record or a plan that is not as it should be
    json: Literal["schema", "prompted"] = "schema"  # whether its model is held to the schema, or only shown it
    needs: tuple[Need, ...] = ()  # what its model must be able to do
    conversation: bool = True  # whether the client's messages go before the prompt
    shuffle: bool = True  # whether a list of answers is shown in an order drawn from the run's seed
    tools: bool = False  # whether it may call the client's tools although it has a prompt
    doc: str = ""

    @property
    def may_call(self) -> bool:
        """Whether the client's tools are offered to it."""
        return self.prompt is None or self.tools


@dataclass(frozen=True, slots=True)
class Extern:
    """A function of the host. What it gives is held to `returns`; prompts show at most `max_bytes` of each text in it."""

    name: Name
    parameters: tuple[Parameter, ...]
    returns: Type
    timeout: Amount  # seconds, for one call
    cost: Amount = 0.0  # dollars, for one call
    max_bytes: Count = DEFAULT_HOST_BYTES
    zone: str | None = None  # where what it is given goes; boundaries ask as they do of a model
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Signal:
    """What is read off a request: a value over `request` and other signals, computed where it is asked for, once a run."""

    name: Name
    type: Type
    value: Expression
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Boundary:
    """While `when` holds for a request, only models and functions of the host for which `allow` holds may see any of it.

    `allow` is over `it`, the model; a function counts as a model of its name and its zone, of which no more is known.
    """

    name: Name
    when: Expression
    allow: Expression
    doc: str = ""


# -------------------------------------------------------------------- calls


@dataclass(frozen=True, slots=True)
class CallArgument:
    name: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class RoleCall:
    """`role(arguments, model = ...)`; what the call site leaves out is the role's own."""

    role: Name
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

    recipe: Name
    arguments: tuple[CallArgument, ...]
    kind: Literal["recipe"] = "recipe"


Call = Annotated[RoleCall | RecipeCall, ByKind()]
ArmCall = Annotated[RoleCall | RecipeCall | FailExpression, ByKind()]

# -------------------------------------------------------------------- steps
# Times are seconds. A fallback is an expression over what went before; none: a failure fails the recipe.


@dataclass(frozen=True, slots=True)
class Ask:
    name: Name
    type: Type
    call: Call
    timeout: Amount | None = None  # for the step, retries and repairs included
    retries: Count = 0  # after a failure that may pass: 408, 429, 5xx, a broken connection
    hedge: Amount | None = None  # seconds, after which a call that has not been answered is sent a second time
    fallback: Expression | None = None
    optional: bool = False  # a failure gives none
    when: Expression | None = None  # false gives none
    kind: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class Fanout:
    name: Name
    type: Type
    call: Call
    variable: Name
    over: Expression
    samples: Expression | None = None  # branches in all; none: one for each item
    spread: Literal["round_robin", "first", "equal"] = "round_robin"
    parallel: Expression | None = None
    keep: Expression | None = None  # over `it`
    quorum: Expression | None = None  # so many are enough; none: all, or one where errors are skipped
    until: Expression | None = None  # over `tried`, those kept so far: where it holds, no more is waited for
    grace: Amount = 0.0
    timeout: Amount | None = None
    on_error: Literal["fail", "skip"] = "fail"
    fallback: Expression | None = None
    kind: Literal["fanout"] = "fanout"


@dataclass(frozen=True, slots=True)
class Cascade:
    name: Name
    type: Type
    call: Call
    variable: Name
    over: Expression
    accept: Expression | None = None  # over `it`; none: the first that does not fail
    on_error: Literal["fail", "skip"] = "fail"
    timeout: Amount | None = None  # for the whole step
    fallback: Expression | None = None  # over `tried`, those that answered, in order
    kind: Literal["cascade"] = "cascade"


@dataclass(frozen=True, slots=True)
class Repeat:
    """A fold: `name` is the value of the round before, `start` before the first."""

    name: Name
    type: Type
    call: Call
    start: Expression
    variable: Name | None = None
    over: Expression | None = None  # none: `times` rounds
    times: Expression | None = None
    until: Expression | None = None  # looked at after each round
    timeout: Amount | None = None
    fallback: Expression | None = None
    kind: Literal["repeat"] = "repeat"


@dataclass(frozen=True, slots=True)
class Perform:
    """The tasks of a plan, each as soon as what it needs is there; a task whose need failed is not done."""

    name: Name
    type: Type
    call: Call
    variable: Name
    plan: Expression
    parallel: Expression | None = None
    on_error: Literal["fail", "skip"] = "fail"
    timeout: Amount | None = None
    fallback: Expression | None = None
    kind: Literal["perform"] = "perform"


@dataclass(frozen=True, slots=True)
class HostCall:
    name: Name
    type: Type
    extern: Name
    arguments: tuple[CallArgument, ...]
    timeout: Amount | None = None  # for the step, retries included; none: the function's own for each attempt
    retries: Count = 0  # after a failure of the function, or its timeout
    fallback: Expression | None = None
    optional: bool = False
    when: Expression | None = None
    kind: Literal["call"] = "call"


@dataclass(frozen=True, slots=True)
class Arm:
    """A call and what is expected of it: how likely it is right, dollars, seconds; none: what the certificate shows."""

    call: ArmCall
    when: Expression | None = None  # over `it`, the arm; none: otherwise
    quality: Expression | None = None
    cost: Expression | None = None
    time: Expression | None = None


ESTIMATES = ("quality", "cost", "time")
"""What an arm may say is expected of it."""


@dataclass(frozen=True, slots=True)
class Choose:
    name: Name
    type: Type
    arms: tuple[Arm, ...]
    by: Expression | None = None  # over `it`: of the arms that apply the one where it is greatest; none: the first
    timeout: Amount | None = None
    fallback: Expression | None = None
    kind: Literal["choose"] = "choose"


@dataclass(frozen=True, slots=True)
class Run:
    name: Name
    type: Type
    call: RecipeCall
    timeout: Amount | None = None
    fallback: Expression | None = None
    optional: bool = False
    kind: Literal["run"] = "run"


@dataclass(frozen=True, slots=True)
class Let:
    name: Name
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


Step = Annotated[Ask | Fanout | Cascade | Repeat | Perform | Choose | HostCall | Run | Let | Return, ByKind()]

# ------------------------------------------------------------------ recipes


@dataclass(frozen=True, slots=True)
class Budget:
    """What a recipe may use at most; none: not limited by the author. `request` is the request, in bytes of UTF-8,
    that the budget must be enough for; a larger one is admitted where its own worst case fits."""

    calls: Count | None = None
    tokens: Count | None = None  # prompt and completion, all calls together
    cost: Amount | None = None  # dollars
    time: Amount | None = None  # seconds; at run time this is the deadline
    parallel: Positive | None = None  # calls in flight
    request: Count = 4_000


@dataclass(frozen=True, slots=True)
class Recipe:
    name: Name
    parameters: tuple[Parameter, ...]
    returns: Type
    budget: Budget
    steps: tuple[Step, ...]  # in the order of the file; exactly one Return
    doc: str = ""
    certificate: Certificate | None = None  # for any arguments of the declared types


@dataclass(frozen=True, slots=True)
class Entry:
    """A name that a client asks for: a recipe with its arguments, and what it can cost with these very models."""

    name: Name
    recipe: Name
    arguments: tuple[CallArgument, ...]
    certificate: Certificate | None = None
    doc: str = ""


@dataclass(frozen=True, slots=True)
class Plan:
    """All that recipes come to, by names that are whole: what a host runs, and a document keeps."""

    backends: dict[str, Backend] = field(default_factory=dict)
    models: dict[str, Model] = field(default_factory=dict)
    contracts: dict[str, Contract] = field(default_factory=dict)
    roles: dict[str, Role] = field(default_factory=dict)
    externs: dict[str, Extern] = field(default_factory=dict)
    signals: dict[str, Signal] = field(default_factory=dict)
    boundaries: dict[str, Boundary] = field(default_factory=dict)
    recipes: dict[str, Recipe] = field(default_factory=dict)
    entries: dict[str, Entry] = field(default_factory=dict)
