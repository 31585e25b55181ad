"""The settings of a server: from a TOML file, over it the environment, over that the command line."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from recipelang.hosts.loops import MOST_TURNS
from recipelang.hosts.stores import is_address
from recipelang.quick import dataclass, replace
from recipelang.runtime.ledger import Limits
from recipelang.serving.bodies import Fields
from recipelang.serving.keys import Key, digest_of_key
from recipelang.serving.problems import Problem

LOGS = ("none", "requests", "content")
TRACES = ("none", "spans", "content")


class SettingsProblem(Exception):
    """The settings make no sense, or can't be read."""


@dataclass(frozen=True, slots=True)
class Settings:
    """`keys`: none where anyone may ask. `state`: where that is which processes share. `patience`: seconds to end."""

    recipes: tuple[str, ...] = ()
    uses: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    port: int = 8080
    patience: int = 30
    log: str = "none"
    metrics: bool = True
    traces: str = "none"
    state: str | None = None
    tool_turns: int = MOST_TURNS
    cache_seconds: float | None = None  # none: replies are not kept
    cache_across_keys: bool = False
    keys: tuple[Key, ...] | None = None


def settings_in(path: Path | None, environment: Mapping[str, str]) -> Settings:
    """The settings in a file, where there is one, and in the environment's `RECIPELANG_…`; raises `SettingsProblem`."""
    try:
        found = Settings() if path is None else _of_file(path, environment)
        return _of_environment(found, environment)
    except OSError as error:
        raise SettingsProblem(f"can't read {path}: {(error.strerror or str(error)).lower()}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsProblem(f"{path} is no TOML: {error}") from error
    except Problem as problem:
        raise SettingsProblem(f"{path or 'the environment'}: {problem}") from problem


def _of_file(path: Path, environment: Mapping[str, str]) -> Settings:
    given = Fields(tomllib.loads(path.read_text(encoding="utf-8")))
    folder, default = path.parent, Settings()
    state, keys = given.text("state"), given.take("keys")
    cache = given.inner("cache")
    found = Settings(
        recipes=_files(given, "recipes", folder),
        uses=_files(given, "with", folder),
        host=given.text("host") or default.host,
        port=_or(given.whole("port", 0, 65535), default.port),
        patience=_or(given.whole("patience", 0, 86_400), default.patience),
        log=given.one_of("log", LOGS) or default.log,
        metrics=given.flag("metrics", default.metrics),
        traces=given.one_of("traces", TRACES) or default.traces,
        state=state if state is None or is_address(state) else str(folder / state),
        tool_turns=_or(given.whole("tool_turns", 0), default.tool_turns),
        cache_seconds=cache.number("seconds", 1),
        cache_across_keys=cache.flag("across_keys"),
        keys=None if keys is None else _keys(keys, environment),
    )
    if found.cache_seconds is None and found.cache_across_keys:
        cache.refuse("seconds", "is missing")
    cache.end()
    given.end()
    return found


def _of_environment(found: Settings, environment: Mapping[str, str]) -> Settings:
    """What an operator may set without a file; a number is a text there."""
    told: dict[str, Any] = {}
    for name in ("host", "port", "patience", "log", "traces", "metrics", "state", "tool_turns", "cache_seconds"):
        value = environment.get(f"RECIPELANG_{name.upper()}")
        if value:
            told[f"RECIPELANG_{name.upper()}"] = int(value) if value.isascii() and value.isdigit() else value
    given = Fields(told)
    metrics = given.one_of("RECIPELANG_METRICS", ("on", "off"))
    return replace(
        found,
        host=given.text("RECIPELANG_HOST") or found.host,
        port=_or(given.whole("RECIPELANG_PORT", 0, 65535), found.port),
        patience=_or(given.whole("RECIPELANG_PATIENCE", 0, 86_400), found.patience),
        log=given.one_of("RECIPELANG_LOG", LOGS) or found.log,
        metrics=found.metrics if metrics is None else metrics == "on",
        traces=given.one_of("RECIPELANG_TRACES", TRACES) or found.traces,
        state=given.text("RECIPELANG_STATE") or found.state,
        tool_turns=_or(given.whole("RECIPELANG_TOOL_TURNS", 0), found.tool_turns),
        cache_seconds=given.number("RECIPELANG_CACHE_SECONDS", 1) or found.cache_seconds,
    )


def _or(value: int | None, default: int) -> int:
    return default if value is None else value


def _files(given: Fields, name: str, folder: Path) -> tuple[str, ...]:
    """Files beside the settings, and standard recipes."""
    return tuple(one if one.startswith("std.") else str(folder / one) for one in _texts(given, name) or ())


def _texts(given: Fields, name: str) -> list[str] | None:
    found = given.listed(name)
    if found is not None and not all(isinstance(one, str) and one for one in found):
        given.refuse(name, "is no list of texts")
    return found


def _keys(given: Any, environment: Mapping[str, str]) -> tuple[Key, ...]:
    keys = Fields(given, "keys.")
    found = [_key(name, keys.inner(name), environment) for name in given]
    for name, key in zip(given, found, strict=True):
        twin = next(other.name for other in found if other.digest == key.digest)
        if twin != name:
            keys.refuse(name, f"is the same key as `{twin}`")
    return tuple(found)


def _key(name: str, given: Fields, environment: Mapping[str, str]) -> Key:
    variable, digest = given.text("env"), given.text("sha256")
    if (variable is None) == (digest is None):
        given.refuse("env", "or `sha256` says what the key is: the variable that has it, or its sum")
    if variable is not None:
        secret = environment.get(variable, "").strip()
        digest = digest_of_key(secret) if secret else given.refuse("env", f"is {variable}, which is not set")
    assert digest is not None
    if len(digest) != 64 or not set(digest.lower()) <= set("0123456789abcdef"):
        given.refuse("sha256", "is no SHA-256 in hexadecimal")
    recipes = _texts(given, "recipes")
    key = Key(
        name,
        digest.lower(),
        None if recipes is None else frozenset(recipes),
        Limits(calls=given.whole("calls", 0), tokens=given.whole("tokens", 0), cost=given.number("cost", 0)),
        given.whole("per_minute", 1),
        given.whole("at_once", 1),
    )
    given.end()
    return key
