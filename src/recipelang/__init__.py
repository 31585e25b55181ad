"""A language for bounded teams of models behind one model API call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recipelang.backends.opening import BackendProblem
    from recipelang.compilation import Compilation, compile_file, compile_text
    from recipelang.hosts.binding import ArgumentProblem
    from recipelang.hosts.blocking import BlockingEngine
    from recipelang.hosts.engine import Engine
    from recipelang.hosts.recipes import CompileError
    from recipelang.hosts.requests import RequestProblem
    from recipelang.runtime.failures import RunFailure, RunFailureKind
    from recipelang.runtime.interpreter import RunResult

_HOMES = {
    "ArgumentProblem": "hosts.binding",
    "BackendProblem": "backends.opening",
    "BlockingEngine": "hosts.blocking",
    "Compilation": "compilation",
    "CompileError": "hosts.recipes",
    "Engine": "hosts.engine",
    "RequestProblem": "hosts.requests",
    "RunFailure": "runtime.failures",
    "RunFailureKind": "runtime.failures",
    "RunResult": "runtime.interpreter",
    "compile_file": "compilation",
    "compile_text": "compilation",
}

__all__ = [
    "ArgumentProblem",
    "BackendProblem",
    "BlockingEngine",
    "Compilation",
    "CompileError",
    "Engine",
    "RequestProblem",
    "RunFailure",
    "RunFailureKind",
    "RunResult",
    "compile_file",
    "compile_text",
]


def __getattr__(name: str) -> Any:  # Any: each name's own type, which the imports above tell
    """Each public name is imported when it is first read: checking a recipe must not wait for what runs one."""
    if name not in _HOMES:
        raise AttributeError(f"module `recipelang` has no attribute `{name}`")
    from importlib import import_module  # deferred: start-up cost

    return getattr(import_module(f"recipelang.{_HOMES[name]}"), name)
