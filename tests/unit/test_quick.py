"""Our dataclasses are those of the standard library in all that can be seen of them."""

from __future__ import annotations

import copy
import dataclasses
import pickle
import subprocess
import sys
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from pydantic import TypeAdapter, ValidationError

from recipelang.quick import dataclass, field, unguarded


@dataclass(frozen=True, slots=True)
class Placed:
    place: int = field(compare=False, repr=False, kw_only=True)


@dataclass(frozen=True, slots=True)
class Word(Placed):
    text: str
    tags: tuple[str, ...] = ()
    more: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Counter:
    count: int = 0
    seen: list[int] = field(default_factory=list)
    doubled: int = field(init=False)

    def __post_init__(self) -> None:
        self.doubled = 2 * self.count


@unguarded(frozen=True, slots=True)
class Quick:
    left: int
    right: int = 2


@dataclass(eq=False)
class Known:
    name: str


@dataclass(frozen=True, slots=True)
class Spelt:
    name: str

    def __repr__(self) -> str:
        return f"<{self.name}>"

    def __hash__(self) -> int:
        return 7


def test_fields_are_taken_by_place_and_by_name_with_their_usual_values() -> None:
    word = Word("is", ("verb",), place=3)
    assert (word.text, word.tags, word.more, word.place) == ("is", ("verb",), {}, 3)
    assert Word(text="a", place=1).more is not Word(text="a", place=1).more


@pytest.mark.parametrize("made", [lambda: Word("is"), lambda: Word(place=1), lambda: Word("is", (), {}, 1)])  # type: ignore[call-arg]
def test_what_does_not_fit_is_refused_as_python_refuses_it(made: Any) -> None:  # Any: calls that mypy refuses
    with pytest.raises(TypeError, match="__init__"):
        made()


def test_values_are_compared_by_the_fields_that_are_to_be_compared() -> None:
    assert Word("is", place=1) == Word("is", place=2) != Word("as", place=1)
    assert Placed(place=1) == Placed(place=2)
    assert Word("is", place=1) != Placed(place=1)
    assert Quick(1) == Quick(1, 2)
    assert Known("a") != Known("a")


def test_what_is_frozen_can_be_hashed_and_what_is_not_cannot() -> None:
    assert len({Quick(1), Quick(1, 2)}) == 1
    assert hash(Placed(place=1)) == hash(Placed(place=2))
    with pytest.raises(TypeError, match="unhashable"):
        hash(Counter())


def test_what_is_frozen_can_not_be_changed() -> None:
    word = Word("is", place=1)
    with pytest.raises(FrozenInstanceError, match="text"):
        word.text = "as"  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError, match="text"):
        del word.text


def test_there_are_slots_where_they_are_asked_for() -> None:
    assert not hasattr(Counter(), "__dict__")
    assert Known("a").__dict__ == {"name": "a"}


def test_methods_that_a_class_has_itself_stay() -> None:
    assert repr(Spelt("x")) == "<x>"
    assert hash(Spelt("x")) == 7


def test_a_value_tells_its_fields() -> None:
    assert repr(Word("is", place=1)) == "Word(text='is', tags=(), more={})"


def test_what_is_done_after_making_is_done() -> None:
    assert Counter(3).doubled == 6


def test_patterns_match_by_place() -> None:
    match Word("is", ("verb",), place=1):
        case Word(text, tags):
            assert (text, tags) == ("is", ("verb",))


def test_copies_are_equal_and_as_frozen() -> None:
    word = Word("is", place=1)
    for other in (copy.copy(word), copy.deepcopy(word), pickle.loads(pickle.dumps(word))):
        assert (other, other.place) == (word, 1)
        with pytest.raises(FrozenInstanceError):
            other.text = "as"  # type: ignore[misc]


def test_a_value_that_comes_from_elsewhere_needs_none_made_before_it() -> None:
    """A class that has never been called is whole for a pickle, as for pydantic."""
    made = pickle.dumps(Word("is", place=1))
    program = f"import pickle; one = pickle.loads({made!r}); assert one == one; print(one)"
    told = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout == "Word(text='is', tags=(), more={})\n"


def test_the_standard_library_knows_them() -> None:
    assert dataclasses.is_dataclass(Word)
    assert [each.name for each in dataclasses.fields(Word)] == ["place", "text", "tags", "more"]
    assert dataclasses.asdict(Word("is", place=1)) == {"place": 1, "text": "is", "tags": (), "more": {}}
    changed = dataclasses.replace(Word("is", place=1), text="as")
    assert (changed.text, changed.place) == ("as", 1)


def test_pydantic_reads_and_writes_them() -> None:
    reader = TypeAdapter(Quick)
    assert reader.validate_json('{"left": 1}') == Quick(1)
    assert reader.dump_json(Quick(1)) == b'{"left":1,"right":2}'
    with pytest.raises(ValidationError):
        reader.validate_json('{"left": "one"}')
