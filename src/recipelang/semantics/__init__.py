"""What a recipe means: names, types and bounds of what the tree says; knows nothing of how it runs."""
