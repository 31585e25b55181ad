"""Fetching models of this machine, with a bar in a terminal and a line elsewhere."""

from __future__ import annotations

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

from recipelang.cli.exits import Exit, Stop
from recipelang.localmodels.catalogue import LocalModel
from recipelang.localmodels.index import PullProblem
from recipelang.localmodels.store import ModelStore


def pull(store: ModelStore, model: LocalModel, console: Console) -> None:
    """Fetch a model that is not here yet; stops with a message where it can't be had."""
    if store.has(model):
        return
    try:
        if console.is_terminal:
            _with_bar(store, model, console)
        else:
            console.print(f"fetching {model.id}, {model.size / 1e6:,.0f} MB, once", soft_wrap=True)
            store.pull(model)
    except PullProblem as problem:
        raise Stop(Exit.INPUT_OUTPUT, str(problem)) from problem


def _with_bar(store: ModelStore, model: LocalModel, console: Console) -> None:
    columns = (TextColumn(f"fetching {model.id}"), BarColumn(bar_width=None), DownloadColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(model.id, total=model.size)
        store.pull(model, lambda size: bar.update(task, completed=size))
    console.print(f"fetched {model.id}, {model.size / 1e6:,.0f} MB", soft_wrap=True)
