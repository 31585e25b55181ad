"""How a union of plan nodes is told apart in JSON: by `kind`; imports pydantic only when pydantic asks."""

from __future__ import annotations

from typing import Annotated, Any


class ByKind:
    """Marks a union for pydantic as discriminated by `kind`: `Annotated[A | B, ByKind()]`.

    Plan nodes are plain dataclasses because importing pydantic costs more than checking a file; this marker is
    what pydantic reads when a plan is saved or loaded.
    """

    def __get_pydantic_core_schema__(self, source: Any, handler: Any) -> Any:  # Any: pydantic's own hook signature
        from pydantic import Discriminator  # deferred: start-up cost

        return handler.generate_schema(Annotated[source, Discriminator("kind")])
