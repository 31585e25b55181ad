"""A language for bounded teams of models behind one model API call.

`Engine` and `BlockingEngine` run recipes; `compile_file` and `compile_text` give plans, which `dump` and `load` turn into
documents and back; the rest are what these take and give, and what they raise. `docs/embedding.md` shows all of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from recipelang.backends.cassettes import Cassette, CassetteProblem, recording, replaying
    from recipelang.backends.opening import BackendProblem
    from recipelang.backends.scripted import ScriptedBackend
    from recipelang.comparing.difference import Difference, difference
    from recipelang.compilation import Compilation, compile_file, compile_text
    from recipelang.hostfunctions.rooms import NotIsolated, RoomLimits
    from recipelang.hostfunctions.testing import RunTests
    from recipelang.hosts.binding import ArgumentProblem
    from recipelang.hosts.blocking import BlockingEngine
    from recipelang.hosts.bundling import bundled
    from recipelang.hosts.caching import Cache
    from recipelang.hosts.engine import Engine
    from recipelang.hosts.functions import FunctionProblem
    from recipelang.hosts.locking import Lock, lock_of, read_lock
    from recipelang.hosts.purses import MemoryPurses, SqlitePurses, StatePurses
    from recipelang.hosts.recipes import CompileError
    from recipelang.hosts.redis import RedisState, RedisStore
    from recipelang.hosts.requests import RequestProblem
    from recipelang.hosts.state import MemoryState, SqliteState
    from recipelang.hosts.stores import MemoryStore, SqliteStore
    from recipelang.hosts.tracing import Tracing, TracingProblem
    from recipelang.ir.document import Bundle, PlanProblem, dump, load, load_bundle
    from recipelang.ir.plan import Plan
    from recipelang.runtime.failures import RunFailure, RunFailureKind
    from recipelang.runtime.interpreter import RunResult
    from recipelang.runtime.ledger import Limits, Spend
    from recipelang.runtime.ports import (
        Backend,
        BackendError,
        Delta,
        Event,
        FailureKind,
        HostFunction,
        Journal,
        ModelCall,
        NotRecorded,
        Reply,
        State,
        Store,
        StoreProblem,
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
    "Bundle": "ir.document",
    "Cache": "hosts.caching",
    "Cassette": "backends.cassettes",
    "CassetteProblem": "backends.cassettes",
    "Compilation": "compilation",
    "CompileError": "hosts.recipes",
    "Delta": "runtime.ports",
    "Difference": "comparing.difference",
    "Engine": "hosts.engine",
    "Event": "runtime.ports",
    "FailureKind": "runtime.ports",
    "FunctionProblem": "hosts.functions",
    "HostFunction": "runtime.ports",
    "Journal": "runtime.ports",
    "Limits": "runtime.ledger",
    "LoadProblem": "source",
    "Lock": "hosts.locking",
    "MemoryPurses": "hosts.purses",
    "MemoryState": "hosts.state",
    "MemoryStore": "hosts.stores",
    "ModelCall": "runtime.ports",
    "NotIsolated": "hostfunctions.rooms",
    "NotRecorded": "runtime.ports",
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
    "SqlitePurses": "hosts.purses",
    "SqliteState": "hosts.state",
    "RedisState": "hosts.redis",
    "RedisStore": "hosts.redis",
    "SqliteStore": "hosts.stores",
    "State": "runtime.ports",
    "StatePurses": "hosts.purses",
    "Store": "runtime.ports",
    "StoreProblem": "runtime.ports",
    "Trace": "runtime.trace",
    "Tracing": "hosts.tracing",
    "TracingProblem": "hosts.tracing",
    "Usage": "runtime.values",
    "bundled": "hosts.bundling",
    "compile_file": "compilation",
    "compile_text": "compilation",
    "difference": "comparing.difference",
    "dump": "ir.document",
    "load": "ir.document",
    "load_bundle": "ir.document",
    "lock_of": "hosts.locking",
    "read_lock": "hosts.locking",
    "recording": "backends.cassettes",
    "replaying": "backends.cassettes",
}

__all__ = [
    "Answer",
    "ArgumentProblem",
    "Backend",
    "BackendError",
    "BackendProblem",
    "BlockingEngine",
    "Bundle",
    "Cache",
    "Cassette",
    "CassetteProblem",
    "Compilation",
    "CompileError",
    "Delta",
    "Difference",
    "Engine",
    "Event",
    "FailureKind",
    "FunctionProblem",
    "HostFunction",
    "Journal",
    "Limits",
    "LoadProblem",
    "Lock",
    "MemoryPurses",
    "MemoryState",
    "MemoryStore",
    "ModelCall",
    "NotIsolated",
    "NotRecorded",
    "Plan",
    "PlanProblem",
    "RedisState",
    "RedisStore",
    "Reply",
    "RequestProblem",
    "RoomLimits",
    "RunFailure",
    "RunFailureKind",
    "RunResult",
    "RunTests",
    "ScriptedBackend",
    "Spend",
    "SqlitePurses",
    "SqliteState",
    "SqliteStore",
    "State",
    "StatePurses",
    "Store",
    "StoreProblem",
    "Trace",
    "Tracing",
    "TracingProblem",
    "Usage",
    "bundled",
    "compile_file",
    "compile_text",
    "difference",
    "dump",
    "load",
    "load_bundle",
    "lock_of",
    "read_lock",
    "recording",
    "replaying",
]


def __dir__() -> list[str]:
    return [*globals(), *__all__]


def __getattr__(name: str) -> Any:  # Any: each name's own type, which the imports above tell
    """Each public name is imported when it is first read: checking a recipe must not wait for what runs one."""
    if name not in _HOMES:
        raise AttributeError(f"module `recipelang` has no attribute `{name}`")
    from importlib import import_module  # deferred: start-up cost

    return getattr(import_module(f"recipelang.{_HOMES[name]}"), name)
