"""What must hold for every plan: its graph, its steps and its bound certificate; knows nothing of the text it came from."""
