"""A language for bounded teams of models behind one model API call."""
