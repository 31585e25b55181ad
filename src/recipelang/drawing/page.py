"""One page that needs nothing besides itself: to try a recipe at a server, or to look at a run that was recorded."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_PAGE = Path(__file__).with_name("page.html")
_SLOT = '<script type="application/json" id="recorded">null</script>'


def page(trace: Mapping[str, Any] | None = None) -> str:
    """The page; with the document of a `trace` that of its run."""
    text = _PAGE.read_text(encoding="utf-8")
    if trace is None:
        return text
    told = json.dumps(trace, ensure_ascii=False).replace("<", "\\u003c")  # no text of a run ends the script
    return text.replace(_SLOT, _SLOT.replace("null", told), 1)
