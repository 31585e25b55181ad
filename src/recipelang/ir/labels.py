"""What the built-in functions call what they see: the cases of their enums, and the encoders that likeness is measured by."""

from __future__ import annotations

FORMS = ("json", "yaml", "xml", "csv", "table", "letter", "list", "code", "number", "free")
DENSITIES = ("code", "maths", "lists", "numbers")
LANGUAGES = (
    "ar", "bg", "bn", "ca", "cs", "da", "de", "el", "en", "es", "et", "fa", "fi", "fr", "he", "hi", "hr", "hu", "id", "it", "ja", "ko", "lt",
    "lv", "mr", "ms", "nl", "no", "pl", "pt", "ro", "ru", "sk", "sl", "sr", "sv", "ta", "te", "th", "tr", "uk", "ur", "vi", "zh", "other",
)  # fmt: skip
DOMAINS = (
    "biology", "business", "chemistry", "computer_science", "economics", "engineering", "health", "history", "law", "maths", "philosophy",
    "physics", "psychology", "other",
)  # fmt: skip
"""Those of MMLU-Pro, by which many routers are tuned."""

WORDS = "words"
MEANING = "meaning"
ENCODERS = {MEANING: "use_multilingual_3"}
"""What likeness is measured by, where not by words: as recipes call it, and the encoder that this is in a plan. Thresholds are
tuned for one encoder, so a plan names it; another one would get another name, and what `meaning` is then in new plans."""
