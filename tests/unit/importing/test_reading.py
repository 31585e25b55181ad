"""A part of a foreign document knows its place, whether it was read, and what was never read."""

from __future__ import annotations

from recipelang.importing.documents import Document
from recipelang.importing.reading import Remarks

DATA = {"a": {"b": 1, "c": ["x", "y"]}, "list": [{"name": "one", "v": 2}, {"v": 3}], "empty": [], "flag": False}


def unread(remarks: Remarks) -> list[str]:
    return [part.place for part in remarks.whole().unread()]


def test_what_is_not_there_reads_as_nothing_and_is_not_missed() -> None:
    remarks = Remarks(Document({}))
    part = remarks.whole()
    assert (part.at("a.b").text("x"), part.get("n").number(3), part.get("l").texts(), part.get("f").flag(True)) == (
        "x",
        3,
        [],
        True,
    )
    assert unread(remarks) == []


def test_what_was_not_read_is_told_as_a_whole_and_else_in_its_smallest_parts() -> None:
    remarks = Remarks(Document(DATA))
    assert unread(remarks) == ["a", "list", "flag"]
    remarks.whole().at("a.b").number()
    assert unread(remarks) == ["a.c", "list", "flag"]
    next(remarks.whole().get("list").items()).get("v").number()
    assert unread(remarks) == ["a.c", "list[one].name", "list[1]", "flag"]


def test_a_value_of_another_kind_stays_unread() -> None:
    remarks = Remarks(Document({"text": {"deep": 1}, "number": "many", "flag": "yes", "list": [["x"]]}))
    whole = remarks.whole()
    assert (
        whole.get("text").text("t"),
        whole.get("number").number(2),
        whole.get("flag").flag(),
        whole.get("list").texts(),
    ) == ("t", 2, False, [])
    assert unread(remarks) == ["text", "number", "flag", "list"]


def test_numbers_may_have_a_scale_and_are_never_endless() -> None:
    read = Remarks(
        Document({"k": "16K", "m": "1.5M", "text": "0.25", "inf": float("inf"), "nan": "nan", "flag": True})
    ).whole()
    found = [read.get(key).maybe_number() for key in ("k", "m", "text", "inf", "nan", "flag")]
    assert found == [16_000, 1_500_000, 0.25, None, None, None]


def test_items_are_called_by_names_that_only_one_of_them_has() -> None:
    data = {"l": [{"name": "a"}, {"name": "b"}, {"name": "b"}, {}, 1]}
    assert [part.place for part in Remarks(Document(data)).whole().get("l").items()] == [
        "l[a]",
        "l[1]",
        "l[2]",
        "l[3]",
        "l[4]",
    ]
