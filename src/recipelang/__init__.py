"""A language for bounded teams of models behind one model API call.

`Engine` and `BlockingEngine` run recipes; `compile_file` and `compile_text` give plans, which `dump` and `load` turn into
documents and back; the rest are what these take and give, and what they raise. `docs/embedding.md` shows all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recipelang.backends.opening import BackendProblem
    from recipelang.backends.scripted import ScriptedBackend
    from recipelang.compilation import Compilation, compile_file, compile_text
    from recipelang.hostfunctions.rooms import NotIsolated, RoomLimits
    from recipelang.hostfunctions.testing import RunTests
    from recipelang.hosts.binding import ArgumentProblem
    from recipelang.hosts.blocking import BlockingEngine
    from recipelang.hosts.engine import Engine
    from recipelang.hosts.functions import FunctionProblem
    from recipelang.hosts.recipes import CompileError
    from recipelang.hosts.requests import RequestProblem
    from recipelang.ir.document import PlanProblem, dump, load
    from recipelang.ir.plan import Plan
    from recipelang.runtime.failures import RunFailure, RunFailureKind
    from recipelang.runtime.interpreter import RunResult
    from recipelang.runtime.ledger import Spend
    from recipelang.runtime.ports import (
        Backend,
        BackendError,
        Delta,
        Event,
        FailureKind,
        HostFunction,
        Journal,
        ModelCall,
        Reply,
    )
    from recipelang.runtime.trace import Trace
    from recipelang.runtime.values import Answer, Usage
    from recipelang.source import LoadProblem

_HOMES = {
    "Answer": "runtime.values",
    "ArgumentProblem": "hosts.binding",
    "Backend": "runtime.ports",
    "BackendError": "runtime.ports",
    "BackendProblem": "backends.opening",
    "BlockingEngine": "hosts.blocking",
    "Compilation": "compilation",
    "CompileError": "hosts.recipes",
    "Delta": "runtime.ports",
    "Engine": "hosts.engine",
    "Event": "runtime.ports",
    "FailureKind": "runtime.ports",
    "FunctionProblem": "hosts.functions",
    "HostFunction": "runtime.ports",
    "Journal": "runtime.ports",
    "LoadProblem": "source",
    "ModelCall": "runtime.ports",
    "NotIsolated": "hostfunctions.rooms",
    "Plan": "ir.plan",
    "PlanProblem": "ir.document",
    "Reply": "runtime.ports",
    "RequestProblem": "hosts.requests",
    "RoomLimits": "hostfunctions.rooms",
    "RunFailure": "runtime.failures",
    "RunFailureKind": "runtime.failures",
    "RunResult": "runtime.interpreter",
    "RunTests": "hostfunctions.testing",
    "ScriptedBackend": "backends.scripted",
    "Spend": "runtime.ledger",
    "Trace": "runtime.trace",
    "Usage": "runtime.values",
    "compile_file": "compilation",
    "compile_text": "compilation",
    "dump": "ir.document",
    "load": "ir.document",
}

__all__ = [
    "Answer",
    "ArgumentProblem",
    "Backend",
    "BackendError",
    "BackendProblem",
    "BlockingEngine",
    "Compilation",
    "CompileError",
    "Delta",
    "Engine",
    "Event",
    "FailureKind",
    "FunctionProblem",
    "HostFunction",
    "Journal",
    "LoadProblem",
    "ModelCall",
    "NotIsolated",
    "Plan",
    "PlanProblem",
    "Reply",
    "RequestProblem",
    "RoomLimits",
    "RunFailure",
    "RunFailureKind",
    "RunResult",
    "RunTests",
    "ScriptedBackend",
    "Spend",
    "Trace",
    "Usage",
    "compile_file",
    "compile_text",
    "dump",
    "load",
]


def __dir__() -> list[str]:
    return [*globals(), *__all__]


def __getattr__(name: str) -> Any:  # Any: each name's own type, which the imports above tell
    """Each public name is imported when it is first read: checking a recipe must not wait for what runs one."""
    if name not in _HOMES:
        raise AttributeError(f"module `recipelang` has no attribute `{name}`")
    from importlib import import_module  # deferred: start-up cost

    return getattr(import_module(f"recipelang.{_HOMES[name]}"), name)
