"""Dataclasses that are declared in no time: what is written out for each, is written when the first is made.

To declare one as usual compiles up to eight methods, 0.3 ms for each class: for the tree, the plan and the checker that was a
third of what `check` took. Here a class has an `__init__` of its own from its first use on, and shares all other methods.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from operator import attrgetter
from typing import TYPE_CHECKING, Any  # Any: a field may hold whatever it is declared to hold

if TYPE_CHECKING:
    from dataclasses import dataclass, field, replace
    from dataclasses import dataclass as unguarded
else:

    def dataclass(plain=None, /, **options):
        """A dataclass as the standard library has it: `frozen`, `slots` and `eq` are told apart."""
        return _declared(plain, **options) if plain else partial(dataclass, **options)

    def unguarded(plain=None, /, **options):
        """The same where a run makes many: what is frozen is so for the type checker alone, and hashed all the same.

        To make a frozen object costs five times as much (0.47 µs with four fields, against 0.10), since each field is set
        behind its own back; for a run of one call it is 12 µs of 77. mypy still refuses to set one.
        """
        return _declared(plain, guarded=False, **options) if plain else partial(unguarded, **options)

    def field(**told):
        """A field that is not as the others are: its `default`, `default_factory`, `init`, `repr`, `compare`, `kw_only`."""
        return _Field(**told)

    def replace(one, /, **changes):
        """The same but for these fields."""
        for name in _given(one.__class__):
            if name not in changes:
                changes[name] = getattr(one, name)
        return one.__class__(**changes)


__all__ = ["dataclass", "field", "is_declared", "names_of", "replace", "unguarded"]

_MISSING: Any = object()


class _Field:
    """What is told of a field."""

    __slots__ = ("compare", "default", "default_factory", "init", "kw_only", "repr")

    def __init__(
        self,
        default: Any = _MISSING,
        default_factory: Any = _MISSING,
        init: bool = True,
        repr: bool = True,  # noqa: A002  as dataclasses have it
        compare: bool = True,
        kw_only: bool = False,
    ) -> None:
        self.default, self.default_factory = default, default_factory
        self.init, self.repr, self.compare, self.kw_only = init, repr, compare, kw_only

    def standard(self) -> Any:
        """The same for the standard library."""
        import dataclasses  # deferred: start-up cost

        usual = {
            name: value for name in ("default", "default_factory") if (value := getattr(self, name)) is not _MISSING
        }
        others = {name: getattr(self, name) for name in ("init", "repr", "compare", "kw_only")}
        return dataclasses.field(**usual, **others)


def is_declared(one: object) -> bool:
    """Whether it is a value of a class of ours."""
    return hasattr(one, "__declared__")


def names_of(one: Any) -> Iterable[str]:
    """The fields of a value, or of its class."""
    names: Iterable[str] = one.__declared__
    return names


def _declared(plain: type, frozen: bool = False, slots: bool = False, eq: bool = True, guarded: bool = True) -> Any:
    """The class with the methods that it does not have itself."""
    fixed = frozen and guarded
    annotations = vars(plain).get("__annotations__", {})
    own = {name: _field(vars(plain).get(name, _MISSING)) for name in annotations}
    inherited: dict[str, _Field] = {}
    for base in reversed(plain.__mro__[1:]):
        inherited |= vars(base).get("__declared__", {})
    fields = inherited | own
    body = {name: each for name, each in vars(plain).items() if name not in (*own, "__dict__", "__weakref__")}
    methods: dict[str, Any] = {"__repr__": _told, **(_GUARDS if fixed else {})}
    if eq:
        methods |= {"__eq__": _equal, "__hash__": _hashed if frozen else None}
    body |= {name: method for name, method in methods.items() if body.get(name) is None}
    body |= {
        "__qualname__": plain.__qualname__,
        "__match_args__": tuple(name for name, field in fields.items() if field.init and not field.kw_only),
        "__declared__": fields,
        "__dataclass_fields__": _Standard(annotations, own),
    }
    if slots:
        body["__slots__"] = tuple(name for name in own if name not in inherited)
    declared: Any = type(plain)(plain.__name__, plain.__bases__, body)

    def first(self: Any, *given: Any, **named: Any) -> None:
        declared.__init__ = _initializer(declared, fields, fixed)
        declared.__init__(self, *given, **named)

    declared.__init__ = first
    return declared


def _field(given: Any) -> _Field:
    return given if isinstance(given, _Field) else _Field(given)


def _initializer(declared: type, fields: Mapping[str, _Field], fixed: bool) -> Callable[..., None]:
    """The `__init__` of a class, compiled: each field a parameter, and set in their order."""
    known: dict[str, Any] = {"_set": object.__setattr__, "_MISSING": _MISSING}
    taken: dict[bool, list[str]] = {False: [], True: []}  # by whether it must be named
    body = []
    for name, field in fields.items():
        if not field.init:
            continue
        given = name
        if field.default_factory is not _MISSING:
            known[f"_make_{name}"] = field.default_factory
            taken[field.kw_only].append(f"{name}=_MISSING")
            given = f"_make_{name}() if {name} is _MISSING else {name}"
        elif field.default is not _MISSING:
            known[f"_usual_{name}"] = field.default
            taken[field.kw_only].append(f"{name}=_usual_{name}")
        else:
            taken[field.kw_only].append(name)
        body.append(f"_set(self, {name!r}, {given})" if fixed else f"self.{name} = {given}")
    if hasattr(declared, "__post_init__"):
        body.append("self.__post_init__()")
    parameters = ", ".join(["self", *taken[False], *(["*", *taken[True]] if taken[True] else [])])
    exec(f"def __init__({parameters}):\n " + "\n ".join(body or ["pass"]), known)  # as dataclasses do
    written: Callable[..., None] = known["__init__"]
    written.__qualname__ = f"{declared.__qualname__}.__init__"
    return written


class _Standard:
    """The fields as the standard library knows them: made when it asks, or pydantic does."""

    def __init__(self, annotations: Mapping[str, str], own: Mapping[str, _Field]) -> None:
        self._annotations, self._own = annotations, own
        self._owner: type = object

    def __set_name__(self, owner: type, name: str) -> None:
        self._owner = owner

    def __get__(self, one: object, of: type) -> Any:
        import dataclasses  # deferred: start-up cost

        owner: Any = self._owner
        told = {"__doc__": "a twin", "__module__": owner.__module__, "__annotations__": self._annotations}
        own = {name: field.standard() for name, field in self._own.items()}
        twin = type(owner)(owner.__name__, owner.__bases__, told | own)
        made: Any = dataclasses.dataclass(init=False, repr=False, eq=False, match_args=False)(twin)
        owner.__dataclass_params__, owner.__dataclass_fields__ = made.__dataclass_params__, made.__dataclass_fields__
        return owner.__dataclass_fields__


@cache
def _given(of: Any) -> list[str]:
    """The fields that are given when a value is made."""
    return [name for name, field in of.__declared__.items() if field.init]


@cache
def _compared(of: Any) -> Callable[[Any], Any]:
    """What a value is compared and hashed by."""
    names = [name for name, field in of.__declared__.items() if field.compare]
    return attrgetter(*names) if names else lambda one: ()


def _equal(self: Any, other: Any) -> bool:
    if other.__class__ is not self.__class__:
        return NotImplemented  # type: ignore[no-any-return]  # as Python has it
    by = _compared(self.__class__)
    return bool(by(self) == by(other))


def _hashed(self: Any) -> int:
    return hash(_compared(self.__class__)(self))


def _told(self: Any) -> str:
    told = (f"{name}={getattr(self, name)!r}" for name, field in self.__declared__.items() if field.repr)
    return f"{self.__class__.__qualname__}({', '.join(told)})"


def _refused(self: Any, name: str, *_: object) -> None:
    from dataclasses import FrozenInstanceError  # deferred: start-up cost

    raise FrozenInstanceError(f"`{name}` can't be changed: {self.__class__.__name__} is frozen")


def _state(self: Any) -> list[Any]:
    return [getattr(self, name) for name in self.__declared__]


def _restored(self: Any, state: list[Any]) -> None:
    for name, each in zip(self.__declared__, state, strict=True):
        object.__setattr__(self, name, each)


_GUARDS = {"__setattr__": _refused, "__delattr__": _refused, "__getstate__": _state, "__setstate__": _restored}
