"""The one layout of a recipe's text, with every comment kept; knows nothing of what the text means."""
