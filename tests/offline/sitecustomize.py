"""Python runs this at its start where its folder is on `PYTHONPATH`: it guards the processes that a test starts."""

from loopback_only import LoopbackOnly

LoopbackOnly(raising=SystemExit)
