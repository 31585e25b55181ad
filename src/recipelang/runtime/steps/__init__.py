"""One file a step kind: how each of them runs; knows nothing of the others."""
