"""Evaluation: recipes run on questions whose answers were recorded before, and graded by what was recorded of them."""
