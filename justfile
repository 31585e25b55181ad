# The verbs of a working day; `just` lists them. None is needed: each is the one line below it.

# show the verbs
default:
    @just --list

# make the environment to work in
setup:
    python3 -m venv .venv
    .venv/bin/python -m pip install --quiet "uv>=0.9,<1"
    VIRTUAL_ENV=.venv .venv/bin/uv pip install --quiet --editable ".[local,fast,serve,signals]" --group dev

# run every test, lint, types and contracts among them, in an environment of their own
test *arguments:
    python3 tests {{arguments}}

# run the tests that need neither the package index nor a real model nor patience
quick *arguments:
    .venv/bin/python -m pytest -m "not live and not slow" {{arguments}}

# mend what a machine can mend
fix:
    .venv/bin/ruff check --fix
    .venv/bin/ruff format

# check a recipe with the working copy
check *files:
    .venv/bin/recipelang check {{files}}

# draw programs and hostile models for long, and look for a run that breaks a promise
campaign *arguments:
    .venv/bin/python tests/campaign.py {{arguments}}

# kill runs at random moments, resume them, and look for a call that is paid twice
kills *arguments:
    PYTHONPATH=tests .venv/bin/python tests/killed_runs.py {{arguments}}

# write the tables of docs/ from the sources
docs:
    .venv/bin/python docs/generate.py

# how long `check` takes
bench *arguments:
    .venv/bin/python bench/check.py {{arguments}}
