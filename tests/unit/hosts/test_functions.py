"""Functions of the host against what recipes declare: their names, their parameters, their annotations."""

# mypy: disable-error-code="empty-body"

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial, wraps
from typing import Any, Literal, TypedDict

import pytest

from recipelang.compilation import compile_text
from recipelang.hosts.functions import FunctionProblem, functions_for
from recipelang.ir.plan import Plan

TEXT = """
record page { title: text, lines: text[..3], note: text? }
extern look_up(word: text, most: int(1..9), kind: enum(short, long)) -> page { timeout = 5s }
recipe main() -> page {
  call found = look_up(request.text, 3, short)
  return found
}
"""


def plan_of(text: str = TEXT) -> Plan:
    plan = compile_text(text).library
    assert plan is not None
    return plan


PLAN = plan_of()


class Page(TypedDict):
    title: str
    lines: list[str]
    note: str | None


class HalfAPage(TypedDict):
    title: str


@dataclass
class Leaf:
    title: str
    lines: tuple[str, ...]
    note: str


async def plain(word, most, kind):  # type: ignore[no-untyped-def]  # a host may write no types
    ...


async def typed(word: str, most: int, kind: Literal["short", "long"]) -> Page: ...


async def wider(word: object, most: float, kind: str = "short", more: int = 0) -> dict[str, Any]: ...


async def anything(**arguments: Any) -> Any: ...


async def by_dataclass(word: str, most: int, kind: str) -> Leaf: ...


async def joined(word: str | bytes, most: int | None, kind: str) -> Page | None: ...


class Called:
    async def __call__(self, word: str, most: int, kind: str) -> Mapping[str, object]: ...

    async def method(self, word: str, most: int, kind: str) -> Page: ...


async def with_database(database: object, word: str, most: int, kind: str) -> Page: ...


def decorated(function: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(function)
    def around(**arguments: Any) -> Awaitable[Any]:
        return function(**arguments)

    return around


@pytest.mark.parametrize(
    "function",
    [plain, typed, wider, anything, by_dataclass, joined, Called(), Called().method, partial(with_database, None), decorated(typed)],
    ids=["no types", "types", "wider types", "any name", "a dataclass", "unions", "an object", "a method", "a partial", "decorated"],
)  # fmt: skip
def test_a_function_that_takes_and_gives_what_is_declared_is_taken(function: Any) -> None:
    assert functions_for(PLAN, {"look_up": function}) == {"look_up": function}


def at_once(word: str, most: int, kind: str) -> Page: ...


async def pieces(word: str, most: int, kind: str) -> Any:
    yield word


async def one_too_few(word: str, most: int) -> Page: ...


async def misspelt(word: str, mots: int, kind: str) -> Page: ...


async def one_too_many(word: str, most: int, kind: str, key: str) -> Page: ...


async def by_place(word: str, most: int, kind: str, /) -> Page: ...


async def takes_text(word: str, most: str, kind: str) -> Page: ...


async def takes_one_case(word: str, most: int, kind: Literal["short"]) -> Page: ...


async def gives_text(word: str, most: int, kind: str) -> str: ...


async def gives_half(word: str, most: int, kind: str) -> HalfAPage: ...


class Silent:
    def __call__(self, word: str, most: int, kind: str) -> Page: ...


@pytest.mark.parametrize(
    ("function", "told"),
    [
        ("shelf", "it is 'shelf', and no function"),
        (None, "it is None, and no function"),
        (at_once, "it is no coroutine function; write it with `async def`"),
        (pieces, "it is no coroutine function; write it with `async def`"),
        (print, "it is no coroutine function; write it with `async def`"),
        (Called, "it is no coroutine function; write it with `async def`"),
        (Silent(), "it is no coroutine function; write it with `async def`"),
        (lambda word, most, kind: None, "it is no coroutine function; write it with `async def`"),
        (one_too_few, "it has no parameter `kind`"),
        (misspelt, "it has no parameter `most`, but `mots`"),
        (one_too_many, "it also needs `key`, which `extern look_up(word: text, most: int(1..9), kind: enum(short, long))` does not have"),
        (by_place, "it has no parameter `"),
        (takes_text, "its parameter `most` takes `str`, and gets `int(1..9)`"),
        (takes_one_case, "its parameter `kind` takes `typing.Literal['short']`, and gets `enum(short, long)`"),
        (gives_text, "it gives `str`, and `page` is promised"),
        (gives_half, "it gives `HalfAPage`, and `page` is promised"),
    ],
)  # fmt: skip
def test_one_that_does_not_is_refused_and_the_message_says_why(function: Any, told: str) -> None:
    with pytest.raises(FunctionProblem) as refused:
        functions_for(PLAN, {"look_up": function})
    assert str(refused.value).startswith(f"the function that was given for `look_up` is not what it declares: {told}")


@pytest.mark.parametrize(
    ("promised", "good", "bad"),
    [
        ("text", [str, Any, Literal["a"], str | None], [int, bytes, list[str], bool]),
        ("bool", [bool, bool | None], [int, str]),
        ("int", [int, float], [str, bool]),
        ("float", [int, float], [str, bool]),
        ("score", [float], [str]),
        ("text?", [str, None, str | None], [int, int | None]),
        ("enum(a, b)", [str, Literal["a"], Literal["a", "c"]], [int, Literal["c"]]),
        ("text[]", [list, list[str], tuple[str, ...], Sequence[str], Iterable[str]], [str, dict, list[int], set[str]]),
        ("int[..3]", [list[int], list[float]], [list[str], int]),
        ("float[][]", [list[list[float]]], [list[float], list[list[str]]]),
    ],
)
def test_what_it_gives_is_held_to_the_type_that_is_promised(promised: str, good: list[Any], bad: list[Any]) -> None:
    plan = plan_of(f"extern give() -> {promised}\nrecipe main() -> bool {{ call x = give() return x == x }}")

    def giving(hint: Any) -> Any:
        async def give() -> Any: ...

        give.__annotations__["return"] = hint
        return give

    for hint in good:
        functions_for(plan, {"give": giving(hint)})
    for hint in bad:
        with pytest.raises(FunctionProblem, match="is promised"):
            functions_for(plan, {"give": giving(hint)})


def test_annotations_that_only_a_type_checker_knows_are_nobodys_mistake() -> None:
    async def given(word: Nowhere, most: int, kind: str) -> Nowhere: ...  # type: ignore[name-defined]  # noqa: F821 - so it is meant

    assert functions_for(PLAN, {"look_up": given})


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ([], "no function was given for `look_up`: `extern look_up(word: text, most: int(1..9), kind: enum(short, long))` needs one"),
        (["lookup"], "no function was given for `look_up`; there is one for `lookup`"),
        (["other"], "no function was given for `look_up`: "),
    ],
)  # fmt: skip
def test_a_function_that_is_missing_is_named(given: list[str], told: str) -> None:
    with pytest.raises(FunctionProblem) as refused:
        functions_for(PLAN, dict.fromkeys(given, typed))
    assert str(refused.value).startswith(told)


async def other(word: str, most: int, kind: str) -> Page: ...


def test_a_function_goes_by_its_name_with_or_without_its_module() -> None:
    plan = compile_text(
        'use "./words.recipe" as words\nrecipe main() -> text { call found = words.look_up("x") return found }',
        "main.recipe",
        {"words.recipe": "extern look_up(word: text) -> text"},
    ).library
    assert plan is not None
    (name,) = plan.externs

    async def look_up(word: str) -> str: ...

    async def better(word: str) -> str: ...

    assert name == "words.look_up"
    assert functions_for(plan, {"look_up": look_up}) == {name: look_up}
    assert functions_for(plan, {"look_up": look_up, name: better, "another": other}) == {name: better}
