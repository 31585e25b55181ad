"""The standard signals that stand in for a router's classifiers tell what they are for, on texts that they were not made with."""

from __future__ import annotations

import pytest

from recipelang.compilation import compile_text
from recipelang.hosts.requests import request_of
from recipelang.hosts.routing import route
from recipelang.runtime.looking.encoder import loaded

RECIPE = """
use std.intents
recipe told() -> answer {
  choose reply {
    when unclear       => fail("need_clarification")
    when wants_another => fail("want_different")
    when satisfied     => fail("satisfied")
    otherwise          => fail("none")
  }
  return reply
}
expose "told" = told()
"""
FOLLOWING = {
    "need_clarification": ["Sorry, what does eventual consistency mean here?", "Could you spell that out a bit more?", "I didn't get the last part.",
                           "Kannst du das genauer erklären?", "Je n'ai pas compris, peux-tu développer ?", "能再解释一下吗？", "Please break it down for a beginner."],
    "want_different": ["Do you have any other ideas?", "Can I see a version that is funnier?", "I'd prefer another way of doing it.",
                       "Gibt es noch andere Möglichkeiten?", "换一种方法吧", "Try it from a different angle."],
    "satisfied": ["Cool, that did the trick.", "Thanks a lot!", "Perfekt, danke dir.", "Awesome, works like a charm.", "这正是我需要的，谢谢"],
    "none": ["What is the capital of Norway?", "Now write the tests for it.", "And how tall is it?", "Translate it into French.", "Who was his successor?"],
}  # fmt: skip
"""Written before any of them was asked, and never fitted to."""
TASKS = {
    "fix": "The login form throws an error, please fix it.",
    "explain": "Explain how this loop ends.",
    "test": "Add unit tests for the parser.",
    "refactor": "Rename these variables and clean up the module.",
    "generate": "Write a script that renames files.",
    "other": "Yes, go ahead.",
}


def test_what_follows_an_answer_is_told_as_often_as_the_docs_say() -> None:
    plan = compile_text(RECIPE, "told.recipe").plan
    assert plan is not None
    right = 0
    for wanted, texts in FOLLOWING.items():
        for text in texts:
            said = [("user", "Explain replication."), ("assistant", "Replication copies data."), ("user", text)]
            request = request_of([{"role": role, "content": content} for role, content in said])
            arm = route(plan, plan.entries["told"], request).choices[0].taken
            right += arm is not None and wanted in arm.calls
    assert right >= (13 if loaded() is None else 20)


@pytest.mark.parametrize(("task", "text"), TASKS.items())
def test_a_task_is_told_by_its_words(task: str, text: str) -> None:
    recipe = f'use std.intents\nrecipe a() -> answer {{ choose reply {{ when task == {task} => fail("yes")\notherwise => fail("no") }}\nreturn reply }}\nexpose "a" = a()'
    plan = compile_text(recipe, "task.recipe").plan
    assert plan is not None
    arm = route(plan, plan.entries["a"], request_of(text)).choices[0].taken
    assert arm is not None
    assert arm.number == 1
