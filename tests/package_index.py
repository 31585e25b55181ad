"""A package index on loopback, with wheels that a test puts into it, as pip asks for them."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pytest

from upstream import Answer, Received, Upstream, http


def wheel(name: str, files: Mapping[str, bytes]) -> bytes:
    """A wheel of version 1.0 with these files and no more than pip wants to see."""
    info = f"{name}-1.0.dist-info"
    told = {
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n".encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        f"{info}/RECORD": b"",
    }
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for path, data in {**files, **told}.items():
            archive.writestr(path, data)
    return packed.getvalue()


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


class PackageIndex:
    """What the index has, by the name of the package; `fetched` are the wheels that were asked for."""

    def __init__(self, wheels: Mapping[str, bytes], version: str = "1.0") -> None:
        self.wheels = dict(wheels)
        self.version = version
        self.fetched: list[str] = []

    def __call__(self, request: Received) -> Answer:
        kind, name = request.path.strip("/").split("/")[:2]
        package = name if kind == "simple" else name.partition("-")[0].replace("_", "-")
        if package not in self.wheels:
            return http(404, b"", type="text/html")
        file = f"{package.replace('-', '_')}-{self.version}-py3-none-any.whl"
        if kind == "simple":
            return http(200, f'<!DOCTYPE html><a href="/files/{file}">{file}</a>'.encode(), type="text/html")
        self.fetched.append(package)
        return http(200, self.wheels[package], type="application/octet-stream")


@contextmanager
def configured(index: PackageIndex, environment: pytest.MonkeyPatch) -> Iterator[Upstream]:
    """Serves the index, and has pip know no other."""
    with Upstream(index) as server:
        point_pip_at(server.origin, environment)
        yield server


def point_pip_at(origin: str, environment: pytest.MonkeyPatch) -> None:
    for name in ("PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX", "PIP_CONSTRAINT"):
        environment.delenv(name, raising=False)
    environment.setenv("PIP_CONFIG_FILE", "/dev/null")
    environment.setenv("PIP_INDEX_URL", f"{origin}/simple")
    environment.setenv("PIP_RETRIES", "1")
    environment.setenv("NO_PROXY", "*")
