"""A run as it goes, on stderr: a line for each thing that ended, and in a terminal the calls that are under way."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from recipelang.runtime.ports import Event

WIDTH = 100
"""Columns of a message where stderr is no terminal."""


class Progress:
    """A journal that shows what it is told."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._running: dict[tuple[str, int], tuple[float, Event]] = {}
        self._starting = ""
        self._spinner = Spinner("dots")

    def starting(self, what: str) -> None:
        """A model of this machine is being started."""
        self._starting = what

    def record(self, event: Event) -> None:
        call = event.data.get("call", 0)
        if event.kind == "call_start":
            self._running[event.step, call] = (time.monotonic(), event)
        elif event.kind in ("call_end", "call_failed", "call_cancelled"):
            self._running.pop((event.step, call), None)
            self._starting = ""
        line = _line(event)
        if line is not None:
            self._console.print(line, soft_wrap=True)

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        now = time.monotonic()
        for since, event in self._running.values():
            table.add_row(self._spinner, event.step, event.data["model"], f"{now - since:.1f} s", self._starting)
        return table

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Keeps the calls under way at the foot of a terminal."""
        if not self._console.is_terminal:
            yield
            return
        with Live(self, console=self._console, transient=True, refresh_per_second=8):
            yield


def error_console() -> Console:
    """The console of everything but the answer."""
    console = Console(stderr=True, highlight=False)
    return console if console.is_terminal else Console(stderr=True, highlight=False, width=WIDTH, color_system=None)


def _line(event: Event) -> Text | None:
    """What a person wants to know of an event; none where it is only for the trace."""
    data = event.data
    match event.kind:
        case "call_end":
            tokens = f"{data['prompt_tokens']} + {data['completion_tokens']} tokens"
            return _row("✓", "green", event, f"{data['model']}  {data['latency']:.1f} s  {tokens}{_money(data)}")
        case "call_failed":
            return _row("✗", "red", event, f"{data['model']}  {data['message']}")
        case "call_cancelled":
            return _row("–", "yellow", event, f"{data['model']}  cancelled: {data['why']}")
        case "call_refused":
            return _row("✗", "red", event, f"{data['model']}  {data['message']}")
        case "retry":
            return _row("↻", "yellow", event, f"{data['model']}  again in {data['delay']:.1f} s")
        case "repair":
            return _row("↻", "yellow", event, f"{data['model']}  asked to mend its answer: {data['problem']}")
        case "escalated" if "saw" in data:
            return _row("↑", "yellow", event, f"not accepted: {_seen(data)}")
        case "accepted" if "saw" in data:
            return _row("=", "green", event, f"accepted: {_seen(data)}")
        case "quorum":
            return _row("=", "green", event, f"quorum: {data['kept']} are in, {data['pending']} still out")
        case "dropped" if "saw" in data:
            return _row("–", "yellow", event, f"dropped: {_seen(data)}")
        case "fallback_taken":
            return _row("!", "yellow", event, f"fallback: {data['why']}")
        case "step_end" if data["status"] == "none":
            return _row("!", "yellow", event, f"goes on without it: {data['why']}")
        case _:
            return None


def _row(mark: str, style: str, event: Event, what: str) -> Text:
    return Text.assemble((mark, style), " ", (f"{event.step:<14}", "bold"), " ", what)


def _seen(data: Any) -> str:
    """The two sides of a comparison, with as many digits as tell them apart: `0.61, wanted >= 0.72`."""
    saw, than = data["saw"], data["than"]
    digits = next((few for few in (2, 3, 4) if _side(saw, few) != _side(than, few)), 2)
    return f"{_side(saw, digits)}, wanted {data['is']} {_side(than, digits)}"


def _side(value: Any, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _money(data: Any) -> str:
    return f"  ${data['cost']:.6f}" if data["cost"] else ""
