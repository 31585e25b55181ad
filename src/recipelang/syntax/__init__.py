"""The front of the language: text to a spanned tree."""
