"""What differs between two plans, for people and for programs; knows nothing of where the plans came from."""
