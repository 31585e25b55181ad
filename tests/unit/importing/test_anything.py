"""Whatever stands in settings, an import refuses them or writes recipes that compile; it never breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recipelang.compilation import compile_text
from recipelang.diagnostics.rendering import render
from recipelang.importing import litellm, vllm_sr
from recipelang.importing.documents import BadDocument, Document, document

CORPUS = Path(__file__).parents[2] / "corpus" / "importing"
FILES = {
    name: document((CORPUS / f"{name}.yaml").read_bytes()).data
    for name in ("vllm_sr_flat", "vllm_sr_assigned", "litellm")
}
PLAIN = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=8),
    st.sampled_from(["16K", "-3", "a\nb", '"', "\\", "(?=x)", "[", "{{x}}", "os.environ/X", "request", "it", "http://x", "\x07", "日本"]),
)  # fmt: skip
ANY = st.one_of(
    PLAIN, st.lists(PLAIN, max_size=2), st.dictionaries(st.text(max_size=4), PLAIN, max_size=2),
    st.just([{"name": "x"}, {"name": "x"}]), st.just([[["x"]]]),
)  # fmt: skip


def changed(data: Any, draw: st.DataObject) -> Any:
    """The data with anything somewhere in it."""
    if isinstance(data, (dict, list)) and data and draw.draw(st.integers(0, 4)) > 0:
        keys = list(data) if isinstance(data, dict) else range(len(data))
        key = draw.draw(st.sampled_from(keys))
        copied: Any = dict(data) if isinstance(data, dict) else list(data)
        copied[key] = changed(data[key], draw)
        return copied
    return draw.draw(ANY)


@pytest.mark.parametrize("name", FILES)
@settings(max_examples=40, deadline=None)
@given(draw=st.data())
def test_settings_with_anything_in_them_are_refused_or_become_recipes(name: str, draw: st.DataObject) -> None:
    data = changed(changed(FILES[name], draw), draw)
    try:
        found = (litellm if name == "litellm" else vllm_sr).imported(Document(data))
    except BadDocument:
        return
    compilation = compile_text(found.recipe, "imported.recipe")
    assert compilation.plan is not None, render(compilation.diagnostics)
