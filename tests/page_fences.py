"""The fenced blocks of README and docs, and whether what a program prints is what a page shows; runs nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^(?P<indent> *)```(?P<info>[^\n`]*)\n(?P<text>.*?)^(?P=indent)```$", re.MULTILINE | re.DOTALL)
CODE = re.compile(r"[EW]\d{4}")


@dataclass(frozen=True)
class Fence:
    """One fenced block of a page."""

    page: Path
    line: int
    words: tuple[str, ...]  # of the info string
    text: str

    @property
    def kind(self) -> str:
        return self.words[0] if self.words else ""

    @property
    def place(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def file(self) -> str | None:
        return self.said("file")

    @property
    def codes(self) -> set[str]:
        return {word for word in self.words if CODE.fullmatch(word)}

    def said(self, name: str) -> str | None:
        """The value of `name=value` in the info string."""
        return next((word.partition("=")[2] for word in self.words if word.startswith(f"{name}=")), None)


def fences_of(page: Path) -> Iterator[Fence]:
    text = page.read_text(encoding="utf-8")
    for match in FENCE.finditer(text):
        line = text.count("\n", 0, match.start()) + 1
        inside = re.sub(f"^{match['indent']}", "", match["text"], flags=re.MULTILINE)
        yield Fence(page, line, tuple(match["info"].split()), inside)


def files_up_to(fence: Fence) -> dict[str, str]:
    """The files that the page has shown so far, this one included, and those of the `README.md` beside it."""
    shown = [f for f in fences_of(fence.page) if f.line <= fence.line]
    beside = fence.page.with_name("README.md")
    if beside.parent != ROOT and beside != fence.page and beside.exists():
        shown = [*fences_of(beside), *shown]
    return {f.file: f.text for f in shown if f.file is not None}


def put_files_of(page_up_to: Fence, folder: Path, said: str = "", meant: str = "") -> None:
    """The files that the page has shown so far, in a folder; where they say one thing, another may be meant."""
    for name, text in files_up_to(page_up_to).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace(said, meant) if said else text, encoding="utf-8")


def trimmed(text: str) -> str:
    return "\n".join(line.rstrip() for line in text.strip("\n").splitlines())


def agrees(printed: str, shown: str) -> bool:
    """Whether the output is what is shown, where `...` stands for any text."""
    pattern = ".*?".join(re.escape(part) for part in trimmed(shown).split("..."))
    return re.fullmatch(pattern, trimmed(printed), re.DOTALL) is not None


FENCES = [fence for page in PAGES for fence in fences_of(page)]
