"""Fits the numbers of recipes to recorded runs, and writes them down with where they come from."""
