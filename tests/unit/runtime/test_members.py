"""The members of values, and what of a conversation they read."""

from __future__ import annotations

from typing import Any

import pytest

from answers import FREE, PLAN, SMALL, answer
from recipelang.ir.plan import Price
from recipelang.ir.sizing import BYTES_PER_TOKEN, DEFAULT_MAX_TOKENS
from recipelang.ir.types import AnswerType, ModelType, RequestType
from recipelang.runtime.members import Members, estimated_tokens, images_of, shown_bytes, text_of
from recipelang.runtime.operators import StepFailed
from recipelang.runtime.values import Authored, Message, RecordValue, Request, Said, TokenLogprob, Value
from recipelang.semantics import members as promised

MEMBERS = Members(PLAN)
PICTURE = {"type": "image_url", "image_url": {"url": "data:,"}}
WORDS = {"type": "text", "text": "look"}


def of(value: Value, *path: str) -> Value:
    for name in path:
        value = MEMBERS.of(value, name)
    return value


def test_what_the_checker_promises_of_a_value_the_runtime_reads() -> None:
    request = Request((Message("user", "hi"),))
    for type, value in (
        (AnswerType(), answer()),
        (ModelType(), SMALL),
        (RequestType(), request),
    ):
        for name in promised.of(type):
            of(value, name)


def test_the_text_of_an_answer_is_a_models_and_shown_as_far_as_its_tokens_go() -> None:
    said = of(answer("Jupiter", max_tokens=10), "text")
    assert isinstance(said, Said)
    assert (said, said.limit) == ("Jupiter", 10 * BYTES_PER_TOKEN)


def test_without_a_limit_of_its_own_an_answer_has_that_of_its_role_or_the_default() -> None:
    assert shown_bytes(answer(max_tokens=None), PLAN) == BYTES_PER_TOKEN * DEFAULT_MAX_TOKENS


@pytest.mark.parametrize(
    ("value", "text"),
    [("A", "A"), ({"b": 1, "a": [2]}, '{"a": [2], "b": 1}'), (3, "3"), (None, None), (False, "false")],
)
def test_the_value_of_an_answer_is_text_in_one_spelling(value: Any, text: str | None) -> None:
    assert of(answer(value=value), "value") == text


def test_the_words_of_the_plan_are_the_authors() -> None:
    for name in ("name", "id"):
        assert isinstance(of(SMALL, name), Authored)
    assert isinstance(of(answer(), "role"), Authored)


def test_confidence_is_none_where_nothing_tells() -> None:
    assert of(answer(), "confidence") is None
    assert of(answer(logprobs=(TokenLogprob("a", 0.0),)), "confidence") == 1


def test_what_is_none_has_none_for_each_member() -> None:
    assert of(FREE, "price", "input") is None
    assert of(SMALL, "price", "output") == 2
    assert of(Price(1, 2), "input") == 1
    assert of(answer(), "usage", "total") == 15


def test_a_record_has_the_fields_it_has() -> None:
    assert of(RecordValue({"n": 1}), "n") == 1
    with pytest.raises(StepFailed, match="a value of type recordvalue has no member `m`"):
        of(RecordValue({"n": 1}), "m")


def test_a_request_is_read_by_its_last_words_its_turns_and_its_pictures() -> None:
    request = Request(
        (
            Message("system", "be brief"),
            Message("user", "first"),
            Message("assistant", None, {"tool_calls": []}),
            Message("user", (WORDS, PICTURE, WORDS)),
            Message("assistant", "seen"),
        ),
        tools=({"type": "function"},),
        max_latency=3.0,
        metadata={"tier": "gold"},
    )
    found = {name: of(request, name) for name in ("text", "turns", "images", "tools", "max_latency")}
    assert found == {"text": "look\nlook", "turns": 2, "images": 1, "tools": 1, "max_latency": 3.0}
    assert of(request, "tokens") == estimated_tokens(len("be brief" + "first" + "look\nlook" + "seen"))


def test_a_request_without_a_user_has_no_words() -> None:
    assert of(Request((Message("system", "be brief"),)), "text") == ""


@pytest.mark.parametrize(
    ("content", "text", "images"),
    [
        ("hi", "hi", 0),
        (None, "", 0),
        ((), "", 0),
        (({"type": "text"},), "", 0),
        (({"type": "text", "text": 5},), "", 0),
        ((PICTURE, {"type": "image"}, {"type": "input_image"}), "", 3),
    ],
)
def test_a_message_is_its_text_parts_and_its_image_parts(content: Any, text: str, images: int) -> None:
    message = Message("user", content)
    assert (text_of(message), images_of(message)) == (text, images)
