"""What reaches models: an HTTP endpoint, or a script for tests; knows nothing of recipes."""
