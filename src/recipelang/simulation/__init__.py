"""Simulation: the interpreter in virtual time against profiles of models, thousands of times."""
