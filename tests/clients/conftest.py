"""The server that the clients are tried against; `README.md` says which."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from client_targets import Target, of_the_user, over_a_script, over_local_models

OWN = os.environ.get("RECIPELANG_SERVER", "").rstrip("/")
SERVERS = (
    [pytest.param("own", marks=pytest.mark.live)]
    if OWN
    else ["scripted", pytest.param("local", marks=pytest.mark.live)]
)


@pytest.fixture(scope="package", params=SERVERS)
def target(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Target]:
    if request.param == "own":
        yield from of_the_user(OWN)
    else:
        start = over_a_script if request.param == "scripted" else over_local_models
        yield from start(tmp_path_factory.mktemp(request.param))
