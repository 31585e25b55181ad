"""Source texts, spans in them, and the loaders that read them; knows nothing of the language."""

from recipelang.source.loading import FileLoader, Loader, LoadProblem, MemoryLoader, RememberingLoader
from recipelang.source.text import Position, Source, Span

__all__ = [
    "FileLoader",
    "LoadProblem",
    "Loader",
    "MemoryLoader",
    "Position",
    "RememberingLoader",
    "Source",
    "Span",
]
