"""The plan and what it is made of: the wall between the language and its execution."""
