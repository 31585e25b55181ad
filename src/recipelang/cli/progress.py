"""A run as it goes, on stderr: a line for each thing that ended, and in a terminal the calls that are under way."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from rich.console import Console, RenderableType
from rich.live import Live
from rich.spinner import Spinner
from rich.table import Table
from rich.text import Text

from recipelang.ir.plan import Plan
from recipelang.runtime.ports import Event

WIDTH = 100
"""Columns of a message where stderr is no terminal."""
WIDEST = 24
"""Columns for the name of a step, at most."""
_CONTROLS = dict.fromkeys(code for code in (*range(32), *range(127, 160)) if chr(code) not in "\n\t")
_SHOWN_ALREADY = ("backend", "timeout", "deadline", "budget", "host")
"""Failures that a line of their own told when they happened."""


class Progress:
    """A journal that shows what it is told, and keeps it as the `events` so far."""

    def __init__(self, console: Console, plan: Plan) -> None:
        self.events: list[Event] = []
        self._console = console
        self._called = short_names(plan)
        self._width = 0
        self._running: dict[tuple[str, int], tuple[float, Event]] = {}
        self._starting = ""
        self._spinner = Spinner("dots")

    def starting(self, what: str) -> None:
        """A model of this machine is being started; an empty text: it is there."""
        self._starting = what

    def record(self, event: Event) -> None:
        self.events.append(event)
        call = event.data.get("call", 0)
        if event.kind in ("call_start", "host_call_start"):
            self._running[event.step, call] = (time.monotonic(), event)
        elif event.kind.removeprefix("host_") in ("call_end", "call_failed", "call_cancelled"):
            self._running.pop((event.step, call), None)
        told = _told(event)
        if told is not None:
            say(self._console, self._line(event, *told))

    def _line(self, event: Event, mark: str, style: str, what: str) -> Text:
        """A line of three columns; the first is as wide as the longest step so far, within reason."""
        self._width = max(self._width, min(len(event.step), WIDEST))
        who = self._who(event)
        about = without_controls(f"{who}  {what}" if who else what)
        return Text.assemble((mark, style), " ", (f"{event.step:<{self._width}}", "bold"), "  ", about)

    def _who(self, event: Event) -> str:
        """The model or the function of the host that an event is about."""
        if "extern" in event.data:
            return str(event.data["extern"]).rpartition(".")[2]
        return self._called.get(event.data.get("model", ""), "")

    def _foot(self, since: float, event: Event) -> tuple[RenderableType, ...]:
        return self._spinner, event.step, self._who(event), f"{time.monotonic() - since:.1f} s", self._starting

    def __rich__(self) -> Table:
        table = Table.grid(padding=(0, 1))
        for _ in range(5):
            table.add_column(no_wrap=True)
        for since, event in self._running.values():
            table.add_row(*self._foot(since, event))
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
    """The console of everything but the answer; nothing in a text is an instruction to it."""
    console = Console(stderr=True, highlight=False, markup=False, emoji=False)
    if console.is_terminal:
        return console
    return Console(stderr=True, highlight=False, markup=False, emoji=False, width=WIDTH, color_system=None)


def say(console: Console, text: str | Text, style: str = "") -> None:
    """A line on the console: broken between words in a terminal, and else not at all."""
    shown = text if isinstance(text, Text) else Text(without_controls(text))
    console.print(shown, style=style, soft_wrap=not console.is_terminal)


def without_controls(text: str) -> str:
    """A text that a terminal shows and does not obey: without the characters that move its cursor or set its title."""
    return text.translate(_CONTROLS)


def short_names(plan: Plan) -> dict[str, str]:
    """What each model of a plan is called in passing: its name without that of its module, where it is the only one."""
    bare = {name: name.rpartition(".")[2] for name in plan.models}
    count = Counter(bare.values())
    return {name: short if count[short] == 1 else name for name, short in bare.items()}


def tokens(prompt: int, completion: int) -> str:
    return f"{prompt:,} tokens in, {completion:,} out"


def _told(event: Event) -> tuple[str, str, str] | None:
    """What a person wants to know of an event: a mark, its colour, words; none where it is only for the trace."""
    data = event.data
    match event.kind:
        case "call_end":
            used = tokens(data["prompt_tokens"], data["completion_tokens"])
            cut = "  cut off at its limit" if data["finish"] == "length" else ""
            return "✓", "green", f"{data['latency']:.1f} s  {used}{_money(data)}{cut}"
        case "host_call_end":
            return "✓", "green", f"{data['latency']:.1f} s"
        case "host_call_failed":
            return "✗", "red", data["why"]
        case "host_retry":
            return "↻", "yellow", "again"
        case "call_failed" | "call_refused":
            return "✗", "red", data["message"]
        case "call_cancelled":
            return "–", "yellow", f"cancelled: {data['why']}"
        case "retry":
            return "↻", "yellow", f"again in {data['delay']:.1f} s"
        case "repair":
            return "↻", "yellow", f"asked to mend its answer: {data['problem']}"
        case "accepted" if "saw" in data:
            return "=", "green", f"accepted: {_seen(data)}"
        case "quorum":
            return "=", "green", f"quorum: {data['kept']} are in, {data['pending']} still out"
        case "escalated" | "dropped" if "saw" in data:
            return "↑" if event.kind == "escalated" else "–", "yellow", f"not accepted: {_seen(data)}"
        case "escalated" | "dropped" if data.get("failure", "backend") not in _SHOWN_ALREADY:
            return "↑" if event.kind == "escalated" else "–", "yellow", f"not accepted: {data['why']}"
        case "fallback_taken":
            return "!", "yellow", f"fallback: {_why(event)}"
        case "step_end" if data["status"] == "none":
            return "!", "yellow", f"goes on without it: {_why(event)}"
        case _:
            return None


def _why(event: Event) -> str:
    return str(event.data["why"]).removeprefix(f"step `{event.step}`: ")


def _seen(data: Any) -> str:
    """The two sides of a comparison, with as many digits as tell them apart: `0.61, wanted >= 0.72`."""
    saw, than = data["saw"], data["than"]
    digits = next((few for few in (2, 3, 4) if _side(saw, few) != _side(than, few)), 2)
    return f"{_side(saw, digits)}, wanted {data['is']} {_side(than, digits)}"


def _side(value: Any, digits: int) -> str:
    return f"{value:.{digits}f}" if isinstance(value, float) else str(value)


def _money(data: Any) -> str:
    return f"  ${data['cost']:.6f}" if data["cost"] else ""
