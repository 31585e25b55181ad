"""The signals that a run has read: each once, where it is first asked for, and told with what caused its value."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from recipelang.quick import dataclass

if TYPE_CHECKING:
    from recipelang.runtime.values import Value


@dataclass(frozen=True, slots=True)
class Why:
    """What a signal goes back to: the words that caused it, and what looked at them where that may differ by machine."""

    words: tuple[str, ...] = ()
    by: tuple[str, ...] = ()


Teller = Callable[[str, "Value", Callable[[], Why]], None]
"""What hears of a signal: its name, its value, and how to find why."""


class Readings:
    """The values of signals for one request, as far as something asked for them."""

    __slots__ = ("_tell", "values")

    def __init__(self, tell: Teller) -> None:
        self._tell = tell
        self.values: dict[str, Value] = {}

    def read(self, name: str, value: Callable[[], Value], why: Callable[[], Why]) -> Value:
        """The value of a signal, computed where that has not been done."""
        if name not in self.values:
            self.values[name] = found = value()
            self._tell(name, found, why)
        return self.values[name]
