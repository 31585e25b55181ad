"""The settings of a server: what a file and the environment may say, and what is told of mistakes in them."""

from __future__ import annotations

from pathlib import Path

import pytest

from recipelang import Limits
from recipelang.serving.keys import digest_of_key
from recipelang.serving.settings import Settings, SettingsProblem, settings_in

FILE = """
recipes = ["team.recipe", "std.direct"]
port = 9000
log = "requests"
state = "used.db"
traces = "spans"
tool_turns = 5

[keys.ann]
env = "ANN_KEY"
recipes = ["team/panel"]
cost = 5.0
per_minute = 60
at_once = 4

[keys.bob]
sha256 = "{digest}"

[cache]
seconds = 600
across_keys = true
"""


def written(folder: Path, text: str = FILE) -> Path:
    file = folder / "server.toml"
    file.write_text(text.replace("{digest}", digest_of_key("bob-1")), encoding="utf-8")
    return file


def test_a_file_says_what_is_served_to_whom(tmp_path: Path) -> None:
    found = settings_in(written(tmp_path), {"ANN_KEY": "ann-1"})
    assert found.recipes == (str(tmp_path / "team.recipe"), "std.direct")
    assert (found.port, found.host, found.log, found.patience) == (9000, "127.0.0.1", "requests", 30)
    assert (found.traces, found.cache_seconds, found.cache_across_keys) == ("spans", 600, True)
    assert found.tool_turns == 5
    assert found.state == str(tmp_path / "used.db")
    assert found.keys is not None
    ann, bob = found.keys
    assert (ann.digest, ann.budget, ann.per_minute, ann.at_once) == (digest_of_key("ann-1"), Limits(cost=5.0), 60, 4)
    assert (bob.digest, bob.recipes, bob.budget) == (digest_of_key("bob-1"), None, Limits())


def test_the_environment_goes_over_the_file(tmp_path: Path) -> None:
    environment = {"ANN_KEY": "a", "RECIPELANG_PORT": "9001", "RECIPELANG_LOG": "content", "RECIPELANG_METRICS": "off"}
    environment["RECIPELANG_TOOL_TURNS"] = "0"
    found = settings_in(written(tmp_path), environment)
    assert (found.port, found.log, found.metrics, found.tool_turns) == (9001, "content", False, 0)
    assert settings_in(None, {}) == Settings()


def test_a_state_in_redis_is_no_file_beside_the_settings(tmp_path: Path) -> None:
    assert settings_in(written(tmp_path, 'state = "redis://host/1"'), {}).state == "redis://host/1"


def test_all_but_recipes_and_keys_may_come_from_the_environment() -> None:
    told = {
        "HOST": "::1", "PORT": "81", "PATIENCE": "5", "LOG": "requests", "TRACES": "content", "METRICS": "off",
        "STATE": "/srv/state.db", "CACHE_SECONDS": "60",
    }  # fmt: skip
    found = settings_in(None, {f"RECIPELANG_{name}": value for name, value in told.items()})
    assert found == Settings(
        host="::1", port=81, patience=5, log="requests", traces="content", metrics=False, state="/srv/state.db",
        cache_seconds=60,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("prot = 80", "did you mean `port`"),
        ("port = 'http'", "`port` is no whole number from 0 to 65535"),
        ("port = ", "is no TOML"),
        ("metrics = 'yes'", "`metrics` is neither true nor false"),
        ("traces = 'all'", "it may be none or spans or content"),
        ("[cache]\nacross_keys = true", "`cache.seconds` is missing"),
        ("[cache]\nminutes = 1", "`cache.minutes` is not known here"),
        ("[keys.ann]\ncost = 1", "says what the key is"),
        ("[keys.ann]\nenv = 'NOBODY'", "is NOBODY, which is not set"),
        ("[keys.ann]\nsha256 = 'abc'", "is no SHA-256"),
        ("[keys.ann]\nenv = 'K'\nrecipe = ['x']", "did you mean `recipes`"),
        ("[keys.ann]\nenv = 'K'\n[keys.bob]\nenv = 'K'", "is the same key as `ann`"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path: Path, text: str, why: str) -> None:
    with pytest.raises(SettingsProblem, match=why):
        settings_in(written(tmp_path, text), {"K": "k"})


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsProblem, match="no such file"):
        settings_in(tmp_path / "none.toml", {})
