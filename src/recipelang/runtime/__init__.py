"""Runs a plan under its budget, on the ports that backends implement; knows nothing of the language it was written in."""
