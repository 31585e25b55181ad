"""Plans that models make: the form they are asked for, and the rules that a plan is held to before it is carried out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from recipelang.ir.plan import Model
from recipelang.quick import dataclass
from recipelang.runtime.values import Json, Said, Task, TaskPlan


@dataclass(frozen=True, slots=True)
class Planned:
    """What a text holds of a plan; `problem` says, in words for the model, why it can't be carried out."""

    plan: TaskPlan | None
    problem: str | None = None


def read_plan(value: Json, workers: Mapping[str, Model], limit: int) -> Planned:
    """The plan in a value that satisfies its schema: names are unique, needs are tasks, and nothing waits for itself."""
    given = {task["name"]: task for task in value["tasks"]}
    if len(given) < len(value["tasks"]):
        names = [task["name"] for task in value["tasks"]]
        twice = next(name for name in names if names.count(name) > 1)
        return Planned(None, f"two tasks are called `{twice}`")
    for name, task in given.items():
        unknown = next((need for need in task["needs"] if need not in given), None)
        if unknown is not None:
            return Planned(None, f"task `{name}` needs `{unknown}`, which is no task")
    order = in_order({name: tuple(dict.fromkeys(task["needs"])) for name, task in given.items()})
    if len(order) < len(given):
        return Planned(None, f"tasks wait for each other: {' → '.join(_circle(given, set(order)))}")
    tasks = (_task(given[name], workers, limit) for name in order)
    return Planned(TaskPlan(tuple(tasks), limit))


def in_order(needs: Mapping[str, Sequence[str]]) -> list[str]:
    """The names so that each comes after what it needs, otherwise as they were; without those that wait in a circle."""
    done: list[str] = []
    waiting = list(needs)
    while waiting:
        ready = [name for name in waiting if all(need in done for need in needs[name])]
        if not ready:
            break
        done.append(ready[0])
        waiting.remove(ready[0])
    return done


def _circle(given: Mapping[str, Json], done: set[str]) -> list[str]:
    """A circle among the tasks that are not done, from a task back to itself."""
    path = [next(name for name in given if name not in done)]
    while True:
        following = next(need for need in given[path[-1]]["needs"] if need not in done)
        if following in path:
            return [*path[path.index(following) :], following]
        path.append(following)


def _task(given: Json, workers: Mapping[str, Model], limit: int) -> Task:
    return Task(
        Said.of(given["name"], limit),
        Said.of(given["instruction"], limit),
        workers[given["worker"]],
        tuple(dict.fromkeys(given["needs"])),
    )
