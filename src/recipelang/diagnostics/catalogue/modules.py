"""Mistakes with files, imports, addresses and secrets."""

from __future__ import annotations

from recipelang.diagnostics.catalogue.samples import LAB, SMALL, SOLVER
from recipelang.diagnostics.diagnostic import Code

NOT_LOADED = Code(
    "E0601",
    "file that can't be read",
    "A file that is used must be there, and be UTF-8 text.",
    'use "./missing.recipe"\n' + SOLVER,
    SOLVER,
)
NO_SUCH_MODULE = Code(
    "E0602",
    "no such standard recipe",
    "`use std.name` takes one of the recipes that come with the language.",
    "use std.confidense\n" + SOLVER,
    "use std.confidence\n" + SOLVER,
)
IMPORT_CIRCLE = Code(
    "E0603",
    "files that use each other",
    "What a file means must not depend on itself.",
    'use "./circle.recipe"\n' + SOLVER,
    SOLVER,
    files=(("circle.recipe", 'use "./circle.recipe"\n'),),
)
LANGUAGE_VERSION = Code(
    "E0604",
    "unknown language version",
    "A file in a later version of the language may mean things that this compiler does not know.",
    "language 2\n" + SOLVER,
    "language 1\n" + SOLVER,
)
BAD_URL = Code(
    "E0605",
    "not the address of an endpoint",
    "An address is `http` or `https`, a host, and a path that ends before `/chat/completions`; it holds no password.",
    'backend lab { kind = openai, url = "127.0.0.1:8000" }\n',
    LAB,
)
SECRET_IN_FILE = Code(
    "E0606",
    "key in a recipe",
    "A recipe is read, shared and stored; a key is none of these. It is read from the environment when a run starts.",
    'backend lab { kind = openai, url = "http://127.0.0.1:8000/v1", key = "sk-123" }\n' + SMALL,
    'backend lab { kind = openai, url = "http://127.0.0.1:8000/v1", key = env("LAB_KEY") }\n' + SMALL,
)
NAMELESS_LIBRARY = Code(
    "E0607",
    "library without a name",
    "All that a folder of recipes offers goes by the folder's name, as in `library.fusion`. A folder whose name is none in "
    "the language is used under another one.",
    'use "./my-library"\n' + SOLVER,
    'use "./my-library" as mine\n' + SOLVER,
    files=(("my-library/quick.recipe", "role quick() { max_tokens = 100 }\n"),),
)
