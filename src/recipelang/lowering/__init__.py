"""From a checked recipe to its plan; knows nothing of how a plan is validated or run."""
