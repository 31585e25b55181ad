"""Every link of README and docs leads somewhere: to a file of the checkout, and in a page to one of its headings."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from page_fences import FENCE, PAGES, ROOT

LINK = re.compile(r"!?\[(?:[^\[\]]|\[[^\]]*\])*\]\((?P<target>[^)\s]+)\)")
HEADING = re.compile(r"^#+ (?P<text>.+?)\s*$", re.MULTILINE)
CODE = re.compile(r"`[^`\n]*`")
ALL = [*PAGES, ROOT / "CHANGELOG.md", *sorted((ROOT / "tests").rglob("README.md"))]


@dataclass(frozen=True)
class Link:
    page: Path
    target: str

    @property
    def file(self) -> Path:
        path = self.target.partition("#")[0]
        return (self.page.parent / path).resolve() if path else self.page

    @property
    def anchor(self) -> str:
        return self.target.partition("#")[2]


def words_of(page: Path) -> str:
    """The page without its fenced blocks."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links_of(page: Path) -> Iterator[Link]:
    for match in LINK.finditer(CODE.sub("``", words_of(page))):
        if not re.match(r"[a-z]+:", match["target"]):
            yield Link(page, match["target"])


@cache
def anchors_of(page: Path) -> set[str]:
    """The anchors of a page's headings, as the sites that show them make them."""
    found: set[str] = set()
    for match in HEADING.finditer(words_of(page)):
        words = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match["text"]).lower()
        anchor = re.sub(r"[^\w\- ]", "", words).replace(" ", "-")
        number = 0
        while anchor + (f"-{number}" if number else "") in found:
            number += 1
        found.add(anchor + (f"-{number}" if number else ""))
    return found


LINKS = sorted({link for page in ALL for link in links_of(page)}, key=lambda link: (link.page, link.target))


@pytest.mark.parametrize("link", LINKS, ids=lambda link: f"{link.page.relative_to(ROOT)} -> {link.target}")
def test_a_link_leads_somewhere(link: Link) -> None:
    assert link.file.exists(), f"there is no {link.file}"
    if link.anchor:
        assert link.anchor in anchors_of(link.file), f"its headings are {sorted(anchors_of(link.file))}"


def test_each_page_is_reached_from_the_index() -> None:
    found, waiting = set[Path](), [ROOT / "docs" / "README.md"]
    while waiting:
        page = waiting.pop()
        if page not in found and page.suffix == ".md":
            found.add(page)
            waiting += [link.file for link in links_of(page)]
    assert {page for page in PAGES if page.is_relative_to(ROOT / "docs")} <= found
