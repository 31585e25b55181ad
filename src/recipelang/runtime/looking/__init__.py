"""Looking at what a client asks: phrases, forms, languages, likeness; each in time that grows with the text, no model asked.

Most of it is lexical: it sees how a text is written. `encoder` and `tongues` take a library where one is installed.
"""

from recipelang.runtime.looking.attacks import injection, injection_found
from recipelang.runtime.looking.domains import domain, domain_found
from recipelang.runtime.looking.forms import (
    constraints,
    constraints_found,
    demanded_form,
    demanded_form_found,
    density,
    density_found,
    messages,
    occurrences,
    occurrences_found,
    regex,
    regex_found,
)
from recipelang.runtime.looking.likeness import (
    contrast,
    contrast_found,
    measured_by,
    prepare,
    reask,
    reask_found,
    similar,
    similar_found,
    similarity,
)
from recipelang.runtime.looking.phrases import (
    frequency,
    frequency_found,
    keywords,
    keywords_found,
    ordered,
    ordered_found,
    words,
)
from recipelang.runtime.looking.tongues import language, told_by

__all__ = [
    "constraints", "constraints_found", "contrast", "contrast_found", "demanded_form", "demanded_form_found", "density", "density_found",
    "domain", "domain_found", "frequency", "frequency_found", "injection", "injection_found", "keywords", "keywords_found", "language",
    "measured_by", "messages", "occurrences", "occurrences_found", "ordered", "ordered_found", "prepare", "reask", "reask_found", "regex", "regex_found", "similar",
    "similar_found", "similarity", "told_by", "words",
]  # fmt: skip
