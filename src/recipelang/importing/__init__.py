"""Recipes from the settings of other routers, with a report of what they do not carry over."""
