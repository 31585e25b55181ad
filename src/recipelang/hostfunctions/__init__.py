"""Functions that a host may lend to its recipes, ready made; each is off until a host turns it on."""
