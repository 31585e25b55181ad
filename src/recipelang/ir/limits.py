"""Numbers and names of a plan with what they must be; held where a plan is loaded, and told in its JSON Schema."""

from __future__ import annotations

from typing import Annotated, Any

LONGEST_NAME = 1_000
"""Characters."""


class Within:
    """Marks a type for pydantic with constraints of its `Field`; pydantic itself is imported only when it asks."""

    def __init__(self, **constraints: Any) -> None:  # Any: those of pydantic's `Field`
        self._constraints = constraints

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:  # Any: pydantic's own hook signature
        from pydantic import Field  # deferred: start-up cost

        return handler.generate_schema(Annotated[source, Field(**self._constraints)])


Name = Annotated[str, Within(min_length=1, max_length=LONGEST_NAME)]
Count = Annotated[int, Within(ge=0)]
Positive = Annotated[int, Within(ge=1)]
Amount = Annotated[float, Within(ge=0, allow_inf_nan=False)]
"""Seconds, dollars, tokens on a line: finite and not negative."""
Factor = Annotated[float, Within(ge=1, allow_inf_nan=False)]
Finite = Annotated[float, Within(allow_inf_nan=False)]
