"""The syntax tree: what an author wrote and where; knows nothing of what it means.

Nodes are frozen and compare without their spans, so that two spellings of one program are equal.
"""

from __future__ import annotations

from enum import StrEnum

from recipelang.quick import dataclass, field
from recipelang.source import Span


@dataclass(frozen=True, slots=True)
class Node:
    span: Span = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Name(Node):
    """An identifier; as an expression, a reference to what goes by that name."""

    text: str


# ---------------------------------------------------------------- expressions


class NumberKind(StrEnum):
    INT = "int"  # 42  4k  1M
    FLOAT = "float"  # 0.72  80% (as 0.8)
    DURATION = "duration"  # 500ms 30s 2m 1h, in seconds
    MONEY = "money"  # $0.05, in dollars


@dataclass(frozen=True, slots=True)
class Number(Node):
    kind: NumberKind
    value: int | float


@dataclass(frozen=True, slots=True)
class Text(Node):
    value: str  # escapes resolved, blocks dedented


@dataclass(frozen=True, slots=True)
class Bool(Node):
    value: bool


@dataclass(frozen=True, slots=True)
class NoneLiteral(Node):
    pass


@dataclass(frozen=True, slots=True)
class ListLiteral(Node):
    items: tuple[Expression, ...]


@dataclass(frozen=True, slots=True)
class Attribute(Node):
    """`name = value`: in a block, or in a `{ }` literal."""

    name: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class RecordLiteral(Node):
    fields: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Unary(Node):
    operator: str  # "-" "not"
    operand: Expression


@dataclass(frozen=True, slots=True)
class Binary(Node):
    operator: str  # + - * / %  == != < <= > >=  and or  in "not in"
    left: Expression
    right: Expression


@dataclass(frozen=True, slots=True)
class Conditional(Node):
    """`then if condition else otherwise`."""

    condition: Expression
    then: Expression
    otherwise: Expression


@dataclass(frozen=True, slots=True)
class Member(Node):
    target: Expression
    name: Name


@dataclass(frozen=True, slots=True)
class Index(Node):
    target: Expression
    index: Expression


@dataclass(frozen=True, slots=True)
class Argument(Node):
    name: Name | None
    value: Expression


@dataclass(frozen=True, slots=True)
class Call(Node):
    """`callee(arguments)`: a built-in function, or, in a step's header, a role or a recipe."""

    callee: Name
    arguments: tuple[Argument, ...]


@dataclass(frozen=True, slots=True)
class Comprehension(Node):
    """`[element for variable in iterable if condition]`."""

    element: Expression
    variable: Name
    iterable: Expression
    condition: Expression | None


Expression = (
    Name
    | Number
    | Text
    | Bool
    | NoneLiteral
    | ListLiteral
    | RecordLiteral
    | Unary
    | Binary
    | Conditional
    | Member
    | Index
    | Call
    | Comprehension
)

# ---------------------------------------------------------------------- types


@dataclass(frozen=True, slots=True)
class Bounds(Node):
    """`low..high`; either end may be left out, a single number is both."""

    low: int | None
    high: int | None


@dataclass(frozen=True, slots=True)
class NamedType(Node):
    """`answer`, `int(1..16)`, `enum(a, b)`."""

    name: Name
    bounds: Bounds | None = None
    cases: tuple[Name, ...] = ()


@dataclass(frozen=True, slots=True)
class ListType(Node):
    """`T[]`, `T[2..8]`."""

    item: Type
    bounds: Bounds | None


@dataclass(frozen=True, slots=True)
class OptionalType(Node):
    """`T?`."""

    item: Type


Type = NamedType | ListType | OptionalType


@dataclass(frozen=True, slots=True)
class Parameter(Node):
    name: Name
    type: Type
    default: Expression | None


# ---------------------------------------------------------------------- steps


@dataclass(frozen=True, slots=True)
class Block(Node):
    """A policy block; the span is that of the braces."""

    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Ask(Node):
    name: Name
    call: Call
    policy: Block | None


@dataclass(frozen=True, slots=True)
class Fanout(Node):
    name: Name
    call: Call
    variable: Name
    iterable: Expression
    policy: Block | None


@dataclass(frozen=True, slots=True)
class Cascade(Node):
    name: Name
    call: Call
    variable: Name
    iterable: Expression
    policy: Block | None


@dataclass(frozen=True, slots=True)
class Repeat(Node):
    """`for variable in iterable`, or `up to N times` (then variable and iterable are none)."""

    name: Name
    call: Call
    variable: Name | None
    iterable: Expression | None
    times: Expression | None
    policy: Block | None


@dataclass(frozen=True, slots=True)
class Perform(Node):
    """The tasks of a plan, each as soon as what it needs is there."""

    name: Name
    call: Call
    variable: Name
    plan: Expression
    policy: Block | None


@dataclass(frozen=True, slots=True)
class Arm(Node):
    """`when condition => call { quality = ... }`; the condition of `otherwise` is none. The call may be `fail("why")`."""

    condition: Expression | None
    call: Call
    estimates: Block | None = None


@dataclass(frozen=True, slots=True)
class Choose(Node):
    name: Name
    arms: tuple[Arm, ...]
    policy: Block | None  # attributes written among the arms; the span is that of the braces


@dataclass(frozen=True, slots=True)
class Run(Node):
    name: Name
    call: Call
    policy: Block | None


@dataclass(frozen=True, slots=True)
class HostCall(Node):
    """`call x = extern(...)`: a function of the host."""

    name: Name
    call: Call
    policy: Block | None


@dataclass(frozen=True, slots=True)
class Let(Node):
    name: Name
    value: Expression


@dataclass(frozen=True, slots=True)
class Return(Node):
    value: Expression
    policy: Block | None


Step = Ask | Fanout | Cascade | Repeat | Perform | Choose | HostCall | Run | Let | Return

# --------------------------------------------------------------- declarations


@dataclass(frozen=True, slots=True)
class Use(Node):
    """`use std.fusion` (path is none) or `use "./team.recipe"` (module is empty), and `as` what its names are read."""

    module: tuple[Name, ...]
    path: Text | None
    alias: Name | None = None


@dataclass(frozen=True, slots=True)
class Declaration(Node):
    doc: str = field(kw_only=True, default="")  # the `##` lines before it, without the marks
    private: bool = field(kw_only=True, default=False)  # whether other files can't use it


@dataclass(frozen=True, slots=True)
class Backend(Declaration):
    name: Name
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Model(Declaration):
    name: Name
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Field(Node):
    name: Name
    type: Type


@dataclass(frozen=True, slots=True)
class Record(Declaration):
    name: Name
    fields: tuple[Field, ...]


@dataclass(frozen=True, slots=True)
class Contract(Declaration):
    name: Name
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Role(Declaration):
    name: Name
    parameters: tuple[Parameter, ...]
    returns: Type | None  # none: answer
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Extern(Declaration):
    """A function of the host. `returns` is a type, or the fields of a record that goes by the function's name."""

    name: Name
    parameters: tuple[Parameter, ...]
    returns: Type | tuple[Field, ...]
    policy: Block | None


@dataclass(frozen=True, slots=True)
class Signal(Declaration):
    """`signal name: type = value`: what is read off a request, once a run and only where something asks."""

    name: Name
    type: Type
    value: Expression


@dataclass(frozen=True, slots=True)
class Cut(Node):
    """`< 0.3 <= medium`: where one case of a band ends and the next begins."""

    at: Number
    belongs_below: bool  # whether the threshold itself still is in the case below: `<= 0.3 <`
    above: Name


@dataclass(frozen=True, slots=True)
class Band(Declaration):
    """`band name = value { low < 0.3 <= high }`: a number as one of some cases."""

    name: Name
    value: Expression
    lowest: Name
    cuts: tuple[Cut, ...]


@dataclass(frozen=True, slots=True)
class Boundary(Declaration):
    """A promise about data: `when` a request is such, only models that satisfy `allow` see any of it."""

    name: Name
    attributes: tuple[Attribute, ...]


@dataclass(frozen=True, slots=True)
class Recipe(Declaration):
    name: Name
    parameters: tuple[Parameter, ...]
    returns: Type | None
    budget: Block | None
    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True)
class Expose(Declaration):
    """`expose "name" = recipe(arguments)`."""

    name: Text
    call: Call


@dataclass(frozen=True, slots=True)
class Scripted(Node):
    """`reply role on model = outcome after 2s`: what a model says in a test, or a function of the host gives."""

    callee: Name
    model: Name | None
    outcome: Expression
    delay: Expression | None


@dataclass(frozen=True, slots=True)
class Expectation(Node):
    """`expect condition`: what must hold after the run of a test."""

    condition: Expression


@dataclass(frozen=True, slots=True)
class Test(Declaration):
    """A run of a recipe with models of its own, whose replies are written down."""

    name: Text
    attributes: tuple[Attribute, ...]
    models: tuple[Model, ...]
    replies: tuple[Scripted, ...]
    expectations: tuple[Expectation, ...]


Named = Backend | Model | Record | Contract | Role | Extern | Signal | Band | Boundary | Recipe
AnyDeclaration = Use | Named | Expose | Test


@dataclass(frozen=True, slots=True)
class File(Node):
    language: Number | None  # the N of `language N`
    declarations: tuple[AnyDeclaration, ...]
    broken: frozenset[str] = frozenset()  # names of declarations that could not be read
    is_foreign: bool = False  # whether it is in a version of the language that is not known, and was not read
