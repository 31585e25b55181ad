"""What an endpoint says of its models: how long their context is, where it says so."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from recipelang.backends.replies import parsed
from recipelang.backends.transport import HttpClient, asked, body_of
from recipelang.runtime.ports import BackendError
from recipelang.runtime.values import Json

_SPELLINGS = ("max_model_len", "context_length", "context_window", "max_context_length", "n_ctx")


async def context_of(url: str, key: str | None, client: HttpClient, model: str) -> int | None:
    """The tokens of a model's context: as llama.cpp's `/props` says, which knows how it was started, or `/models`."""
    headers = {"accept": "application/json", "accept-encoding": "identity", "user-agent": "recipelang"}
    if key is not None:
        headers["authorization"] = f"Bearer {key}"
    base = url.rstrip("/")
    props = await _told(client, f"{base.removesuffix('/v1')}/props", headers)
    settings = props.get("default_generation_settings")
    if isinstance(settings, dict) and _count(settings.get("n_ctx")):
        return _count(settings["n_ctx"])
    models = await _told(client, f"{base}/models", headers)
    listed = models.get("data")
    found = [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    meant = [each for each in found if each.get("id") == model]
    return next((n for each in meant for n in map(_count, map(each.get, _SPELLINGS)) if n), None)


async def _told(client: HttpClient, url: str, headers: Mapping[str, str]) -> dict[str, Any]:
    """What is told there, or nothing: no endpoint has to."""
    try:
        async with asked("GET", client, url, b"", headers) as response:
            return parsed(await body_of(response)) if response.status_code == 200 else {}
    except BackendError:
        return {}


def _count(value: Json) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and 0 < value <= 1_000_000_000 else None
