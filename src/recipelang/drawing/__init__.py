"""Pictures of a plan: Mermaid, DOT and SVG; knows nothing of the language it was written in."""
