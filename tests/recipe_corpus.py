"""The recipes in `tests/corpus`, with the files beside them that they use."""

from __future__ import annotations

from pathlib import Path

from recipelang.compilation import Compilation, compile_text

CORPUS = Path(__file__).parent / "corpus"
INVALID = sorted((CORPUS / "invalid").glob("*.recipe"))
VALID = sorted((CORPUS / "valid").glob("*.recipe"))


def text_of(recipe: Path) -> str:
    return recipe.read_text(encoding="utf-8")


def compiled(recipe: Path, text: str | None = None) -> Compilation:
    """The compilation of a recipe of the corpus, or of another `text` in its place, under its bare name."""
    parts = {part.relative_to(recipe.parent).as_posix(): text_of(part) for part in _files(recipe.parent / "parts")}
    return compile_text(text_of(recipe) if text is None else text, recipe.name, parts)


def _files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.is_file())


def messages_wanted(recipe: Path) -> int:
    """How many messages a recipe should give: one, unless its first line says `# messages: 2`."""
    first = text_of(recipe).split("\n", maxsplit=1)[0]
    return int(first.removeprefix("# messages:")) if first.startswith("# messages:") else 1
