"""The kinds of steps, one a file: each does its own work, and leaves when, fallback and trace to the scheduler."""
