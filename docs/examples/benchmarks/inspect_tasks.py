"""The three benchmarks for inspect-ai, asked of whatever is served: a handful of own questions, or a file of yours.

inspect eval inspect_tasks.py@gpqa --model openai-api/recipelang/hybrid/gpqa
inspect eval inspect_tasks.py@hle --model openai-api/recipelang/hybrid/hle -T data=questions.jsonl
inspect eval inspect_tasks.py@livecodebench --model openai-api/recipelang/hybrid/livecodebench -T release=test6.jsonl

`data` is a file as `recipelang eval --data` takes it, and is graded the same way; `release` one of livecodebench/code_generation_lite.
"""

from __future__ import annotations

import base64
import io
import json
import pickle
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem, ChatMessageUser
from inspect_ai.scorer import CORRECT, INCORRECT, Score, Scorer, Target, accuracy, scorer, stderr
from inspect_ai.solver import TaskState, generate

from recipelang import RunTests
from recipelang.evaluation.datasets import read_items
from recipelang.evaluation.grading import code, graded_by_tests, graded_plainly
from recipelang.evaluation.items import Item
from recipelang.evaluation.packs import Verdict

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from livecodebench import Case, holds  # noqa: E402 - it stands beside this file


@task
def gpqa(data: str = str(HERE / "items" / "gpqa.jsonl")) -> Task:
    return _asked(read_items(data, "choice"))


@task
def hle(data: str = str(HERE / "items" / "hle.jsonl")) -> Task:
    return _asked(read_items(data, "exact"))


@task
def livecodebench(data: str = str(HERE / "items" / "livecodebench.jsonl"), release: str | None = None) -> Task:
    if release is None:
        return _asked(read_items(data, "code"))
    return Task(dataset=list(_released(Path(release))), solver=generate(), scorer=all_cases())


def _asked(items: Iterable[Item]) -> Task:
    samples = [
        Sample(id=item.id, input=_messages(item), target=str(item.reference), metadata={"item": item}) for item in items
    ]
    return Task(dataset=samples, solver=generate(), scorer=as_recipelang())


def _messages(item: Item) -> list[ChatMessage]:
    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser}
    return [kinds[str(message["role"])](content=str(message["content"])) for message in item.messages]


@scorer(metrics=[accuracy(), stderr()])
def as_recipelang() -> Scorer:
    """By the graders of `recipelang eval`."""

    async def score(state: TaskState, target: Target) -> Score:
        item, text = state.metadata["item"], state.output.completion
        grade = await graded_by_tests(item, text, RunTests()) if item.grader == "code" else graded_plainly(item, text)
        return Score(
            value=CORRECT if grade.verdict is Verdict.RIGHT else INCORRECT, answer=grade.said, explanation=text
        )

    return score


@scorer(metrics=[accuracy(), stderr()])
def all_cases() -> Scorer:
    """Whether a program does what all cases of its question say, the hidden ones too."""

    async def score(state: TaskState, target: Target) -> Score:
        program = code(state.output.completion)
        passed = await holds(program, [Case(*case) for case in state.metadata["cases"]])
        return Score(value=CORRECT if passed else INCORRECT, answer=program)

    return score


# ------------------------------------------------- the benchmark's own files

_ASKED = """{question}

{form} Put the whole program into one block that begins with ```python.
{starter}"""


def _released(path: Path) -> Iterable[Sample]:
    """The questions of a file of the benchmark, with their public and hidden cases."""
    for line in path.read_text(encoding="utf-8").splitlines():
        told = json.loads(line)
        starter = told.get("starter_code") or ""
        form = "Complete this code." if starter else "Read from standard input, and print the answer."
        words = _ASKED.format(
            question=told["question_content"], form=form, starter=f"\n```python\n{starter}\n```" * bool(starter)
        )
        cases = [
            ("json" if case["testtype"] == "functional" else "stdin", case["input"], case["output"])
            for case in [*json.loads(told["public_test_cases"]), *_hidden(told["private_test_cases"])]
        ]
        yield Sample(id=told["question_id"], input=words, target="", metadata={"cases": cases})


def _hidden(packed: str) -> Any:
    """Hidden cases: JSON, or JSON that was pickled, compressed and written in base64."""
    try:
        return json.loads(packed)
    except ValueError:
        return json.loads(_TextOnly(io.BytesIO(zlib.decompress(base64.b64decode(packed)))).load())


class _TextOnly(pickle.Unpickler):
    """A pickle may name anything to be called; this one may hold a text and nothing else."""

    def find_class(self, module: str, name: str) -> Any:
        raise pickle.UnpicklingError(f"it names {module}.{name}, and only a text is wanted")
