"""Real models on this machine with no key and no account: fetched once, checked, served on loopback on demand."""
