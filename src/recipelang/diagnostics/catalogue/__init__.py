"""Every kind of mistake, a module for each phase."""

from __future__ import annotations

from recipelang.diagnostics.diagnostic import Code


def all_codes() -> dict[str, Code]:
    """Every code by its id, in order; read by `explain`, the documents and the tests."""
    # deferred: only who asks for all of them pays for the phases that it does not use
    from recipelang.diagnostics.catalogue import (
        boundaries,
        bounds,
        calls,
        capabilities,
        modules,
        names,
        syntax,
        testing,
        types,
        warnings,
    )

    found: dict[str, Code] = {}
    for module in (syntax, names, types, calls, bounds, boundaries, capabilities, modules, testing, warnings):
        for value in vars(module).values():
            if isinstance(value, Code):
                found[value.id] = value
    return dict(sorted(found.items()))
