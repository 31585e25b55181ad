"""Pages about a library of recipes: what each offers, takes, can use at most, asks its models, and is used by."""
