"""Every code with its class, why it exists, and a wrong and a right sample; knows nothing of who reports it."""
